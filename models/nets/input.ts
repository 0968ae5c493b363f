import type { GraphBuilder, Value } from '../onnx/graph-builder.js';

import { cast, sub } from '../onnx/ops/elementwise.js';
import { transpose } from '../onnx/ops/layout.js';

/** How a body wants its picture: `(byte − mean) / std`, its planes in this order. */
export interface Normalisation {
  /** Colour of the body's first plane: `rgb` red, `bgr` blue. */
  readonly order: 'rgb' | 'bgr';
  /** Grey levels 0…255, red first, whatever `order` says. */
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
}

/** torchvision's ResNets and PicoDet: 0…1, less ImageNet's mean, over its deviation, in grey levels. */
export const IMAGENET: Normalisation = {
  order: 'rgb',
  mean: [123.675, 116.28, 103.53],
  std: [58.395, 57.12, 57.375],
};

/** YOLOX: the bytes as they are, blue first. */
export const BGR_BYTES: Normalisation = { order: 'bgr', mean: [0, 0, 0], std: [1, 1, 1] };

/** Planes as they are: red first, nothing taken off. */
export const IDENTITY: Normalisation = { order: 'rgb', mean: [0, 0, 0], std: [1, 1, 1] };

/**
 * `images` uint8 `[N, H, W, 3]` (red, green, blue) → float32 `[N, 3, H, W]`, mean taken off.
 *
 * The rest of the normalisation, order and deviation, is folded into the first convolution ({@link foldInput}). The mean could
 * be folded into its bias too, but not exactly: that convolution pads with zeros, which after normalisation stand for the mean
 * colour and before it for black. Taking the mean off first keeps zero the padding, and costs one pass over the picture.
 */
export function pictures(g: GraphBuilder, images: Value, { mean }: Normalisation): Value {
  const planes = cast(g, transpose(g, images, [0, 3, 1, 2]), 'float32');
  return mean.every((level) => level === 0)
    ? planes
    : sub(g, planes, g.constant('input.mean', [3, 1, 1], Float32Array.from(mean)));
}

/**
 * Weights `[out, in, kh, kw]` of a first convolution, made to read red-green-blue planes without division by the deviation.
 * Where `in` is a multiple of 3 (the Focus stem of YOLOX stacks four shifted pictures), each three planes are a picture.
 */
export function foldInput(weights: Float32Array, dims: readonly number[], { order, std }: Normalisation): Float32Array {
  const [out = 0, planes = 0, kh = 0, kw = 0] = dims;
  if (planes % 3) throw new RangeError(`a first convolution reads ${planes} planes; it must be a multiple of 3`);
  const size = kh * kw;
  const folded = new Float32Array(weights.length);
  for (let o = 0; o < out; o++) {
    for (let plane = 0; plane < planes; plane++) {
      const place = plane % 3;
      const colour = order === 'rgb' ? place : 2 - place;
      const from = (o * planes + plane) * size;
      const to = (o * planes + plane - place + colour) * size;
      for (let i = 0; i < size; i++) folded[to + i] = weights[from + i]! / std[colour]!;
    }
  }
  return folded;
}
