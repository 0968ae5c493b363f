import type { GraphBuilder, Value } from '../onnx/graph-builder.js';
import { averagePool, upsample } from '../onnx/ops/convolution.js';
import { add } from '../onnx/ops/elementwise.js';
import type { FeatureMap } from './feature-map.js';
import { standardisedConv } from './layers.js';
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
  { channels, stride, from }: Pick<MobileOptions['top'], 'channels' | 'stride' | 'from'>,
): FeatureMap {
  const parts = from.map((source) => atStride(g, mapOf(maps, source), channels, stride));
  return { stride, value: parts.reduce((sum, part) => add(g, sum, part)) };
}

function atStride(g: GraphBuilder, map: FeatureMap, channels: number, stride: number): Value {
  const name = `top.${map.stride}`;
  // 1×1 and resampling commute; the smaller map goes through the 1×1.
  if (map.stride < stride) {
    const factor = stride / map.stride;
    return standardisedConv(g, averagePool(g, map.value, [factor, factor]), name, channels);
  }
  const narrow = standardisedConv(g, map.value, name, channels);
  return map.stride === stride ? narrow : upsample(g, narrow, map.stride / stride, 'linear');
}

/**
 * Back to stride 8 behind the separated convolution: its result bilinearly doubled, plus the body's own map of stride 8,
 * standardised and through a 1×1 to as many channels.
 *
 * @param map   stride 16, `[N, C, H/16, W/16]`
 * @param maps  the body's
 * @returns stride 8, `[N, C, H/8, W/8]`
 */
export function addSkip(g: GraphBuilder, map: FeatureMap, maps: readonly FeatureMap[]): FeatureMap {
  const fine = standardisedConv(g, mapOf(maps, 8).value, 'skip', Number(map.value.dims[1]));
  return { stride: 8, value: add(g, upsample(g, map.value, map.stride / 8, 'linear'), fine) };
}

function mapOf(maps: readonly FeatureMap[], stride: number): FeatureMap {
  const map = maps.find((one) => one.stride === stride);
  if (!map) throw new RangeError(`the body has no map of stride ${stride}`); // The options' own rule.
  return map;
}
