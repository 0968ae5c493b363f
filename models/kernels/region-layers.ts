import { multiplyDims } from '../onnx/dims.js';
import type { GraphBuilder, Value } from '../onnx/graph-builder.js';
import type { Dim } from '../onnx/model.js';
import { add, relu } from '../onnx/ops/elementwise.js';
import { reshape, transpose } from '../onnx/ops/layout.js';
import { matMul } from '../onnx/ops/linear.js';
import type { HeadLayers } from './sites.js';
import { convPlaces, convRegions, type SpectralConv, spectralConv } from './spectral-conv.js';

/**
 * The layers between RoIAlign and the branches, as matrix products: `[r, h, w, C]` → `[h, w, r, O]`. Their weights are made once
 * and serve both the box and the mask branch.
 */
export type RegionLayers = (g: GraphBuilder, regions: Value) => Value;

/** @param input  channels of the map */
export function regionLayers(g: GraphBuilder, layers: HeadLayers, input: number): RegionLayers {
  return layers.kind === 'c5' ? c5(g, layers, input) : redesigned(g, layers, input);
}

/** Two 3×3 layers (paper §III-C). */
function redesigned(g: GraphBuilder, { side, middle, out }: HeadLayers, input: number): RegionLayers {
  const first = spectralConv(g, 'head.0', { side, input, out: middle });
  const second = spectralConv(g, 'head.1', { side, input: middle, out });
  return (builder, regions) => convPlaces(builder, convRegions(builder, regions, first), second);
}

/** A 1×1 convolution: one matrix product over all places. */
type Point = (g: GraphBuilder, x: Value) => Value;

interface Block {
  readonly reduce: Point;
  readonly spatial: SpectralConv;
  readonly expand: Point;
  readonly shortcut: Point | undefined;
}

/** ResNet's C5 on every other bin: its first block halves the size on its 1×1 layers, which read no other. */
function c5(g: GraphBuilder, { side, middle, out, blocks }: HeadLayers, input: number): RegionLayers {
  const made = Array.from({ length: blocks }, (_, i): Block => {
    const name = `layer4.${i}`;
    const from = i === 0 ? input : out;
    return {
      reduce: point(g, `${name}.conv1`, from, middle),
      spatial: spectralConv(g, `${name}.conv2`, { side, input: middle, out: middle }),
      expand: point(g, `${name}.conv3`, middle, out),
      shortcut: i === 0 ? point(g, `${name}.downsample.0`, from, out) : undefined,
    };
  });
  return (builder, regions) => {
    const [r, , , c] = regions.dims as [Dim, number, number, number]; // All but the number of regions is fixed.
    const places = transpose(builder, reshape(builder, regions, [r, side * side, c]), [1, 0, 2]);
    let x = reshape(builder, places, [side, side, r, c]);
    for (const { reduce, spatial, expand, shortcut } of made) {
      const inner = expand(builder, convPlaces(builder, relu(builder, reduce(builder, x)), spatial));
      x = relu(builder, add(builder, inner, shortcut ? shortcut(builder, x) : x));
    }
    return x;
  };
}

function point(g: GraphBuilder, name: string, input: number, out: number): Point {
  const taps = g.take(`${name}.weight`, [out, input, 1, 1], { kind: 'he' });
  const columns = new Float32Array(taps.length);
  for (let o = 0; o < out; o++) for (let i = 0; i < input; i++) columns[i * out + o] = taps[o * input + i]!;
  const weight = g.constant(`${name}.columns`, [input, out], columns);
  const bias = g.weight(`${name}.bias`, [out], { kind: 'uniform', from: -0.05, to: 0.05 });
  return (builder, x) => {
    const [h, w, r, c] = x.dims as [number, number, Dim, number]; // As above.
    const rows = reshape(builder, x, [multiplyDims(r, h * w), c]);
    return reshape(builder, add(builder, matMul(builder, rows, weight), bias), [h, w, r, out]);
  };
}
