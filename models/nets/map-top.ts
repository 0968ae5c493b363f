import type { GraphBuilder, Value } from '../onnx/graph-builder.js';
import { averagePool, conv, upsample } from '../onnx/ops/convolution.js';
import { add } from '../onnx/ops/elementwise.js';
import type { FeatureMap } from './feature-map.js';
import type { MobileOptions } from './options.js';

/**
 * One map out of several, for the separated convolution to read: each is standardised per channel, brought to `channels` by a
 * 1×1 and to the joint stride (bilinear upwards, averages downwards), then summed.
 *
 *   stride 8  ─ 1×1 ─────────┐
 *   stride 16 ─ 1×1 ─ ×2 ────┼─ add → [N, channels, H/8, W/8]
 *   stride 32 ─ 1×1 ─ ×4 ────┘
 *
 * Why one map and which: docs/decisions/0010-mobile-bodies.md
 */
export function joinMaps(
  g: GraphBuilder,
  maps: readonly FeatureMap[],
  { channels, stride, from }: MobileOptions['top'],
): FeatureMap {
  const parts = from.map((source) => {
    const map = maps.find((one) => one.stride === source);
    if (!map) throw new RangeError(`the body has no map of stride ${source}`); // The options' own rule.
    return atStride(g, map, channels, stride);
  });
  return { stride, value: parts.reduce((sum, part) => add(g, sum, part)) };
}

function atStride(g: GraphBuilder, map: FeatureMap, channels: number, stride: number): Value {
  // 1×1 and resampling commute; the smaller map goes through the 1×1.
  if (map.stride < stride) {
    const factor = stride / map.stride;
    return standardised(g, { stride, value: averagePool(g, map.value, [factor, factor]) }, map.stride, channels);
  }
  const narrow = standardised(g, map, map.stride, channels);
  return map.stride === stride ? narrow : upsample(g, narrow, map.stride / stride, 'linear');
}

/** 1×1 with the standardisation `(x − mean) / std` of its input folded in. */
function standardised(g: GraphBuilder, { value }: FeatureMap, level: number, channels: number): Value {
  const name = `top.${level}`;
  const input = Number(value.dims[1]);
  const weights = g.take(`${name}.weight`, [channels, input, 1, 1], { kind: 'he', gain: 0.6 });
  const bias = g.take(`${name}.bias`, [channels], { kind: 'uniform', from: -0.05, to: 0.05 });
  const mean = g.take(`${name}.mean`, [input], { kind: 'uniform', from: -0.05, to: 0.05 });
  const std = g.take(`${name}.std`, [input], { kind: 'uniform', from: 0.9, to: 1.1 });
  const folded = new Float32Array(weights.length);
  const shifted = new Float32Array(channels);
  for (let o = 0; o < channels; o++) {
    let shift = bias[o]!;
    for (let i = 0; i < input; i++) {
      const weight = weights[o * input + i]! / std[i]!;
      folded[o * input + i] = weight;
      shift -= weight * mean[i]!;
    }
    shifted[o] = shift;
  }
  return conv(
    g,
    value,
    g.constant(`${name}.weight`, [channels, input, 1, 1], folded),
    g.constant(`${name}.bias`, [channels], shifted),
  );
}
