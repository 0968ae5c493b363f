import type { Size } from '../../operators/types.js';
import type { ModelFrame, TensorValue } from './adapter.js';

/** Value of a channel as the model wants it: `(byte / divisor − mean) / std`. */
export interface Normalisation {
  /** `rgb` or `bgr`: which colour the first plane holds. */
  readonly order: 'rgb' | 'bgr';
  readonly divisor: number;
  /** By colour, red first, whatever `order` says. */
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
}

/** Bytes as they are. */
export const BGR_BYTES: Normalisation = { order: 'bgr', divisor: 1, mean: [0, 0, 0], std: [1, 1, 1] };
/** 0…1. */
export const RGB_UNIT: Normalisation = { order: 'rgb', divisor: 255, mean: [0, 0, 0], std: [1, 1, 1] };
/** 0…1, less ImageNet's mean, over its deviation. */
export const RGB_IMAGENET: Normalisation = {
  order: 'rgb',
  divisor: 255,
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
};

/**
 * Writes frames as planes `[N, 3, height, width]` float32. The returned function reuses its buffer: a tensor is valid until
 * the next call.
 *
 * @param fixedBatch  with fewer frames the last is repeated up to this
 */
export function planeWriter(
  { width, height }: Size,
  { order, divisor, mean, std }: Normalisation,
  fixedBatch: number | undefined,
): (frames: readonly ModelFrame[]) => TensorValue {
  // A table of the 256 possible values is exact and faster than arithmetic on each byte.
  const tables = mean.map((m, c) => Float32Array.from({ length: 256 }, (_, byte) => (byte / divisor - m) / std[c]!));
  const colours = order === 'rgb' ? [0, 1, 2] : [2, 1, 0];
  const plane = width * height;
  let buffer = new Float32Array(0);
  return (frames) => {
    const batch = fixedBatch ?? frames.length;
    const length = batch * 3 * plane;
    if (buffer.length < length) buffer = new Float32Array(length);
    for (let n = 0; n < batch; n++) {
      const at = n * 3 * plane;
      if (n >= frames.length) {
        buffer.copyWithin(at, at - 3 * plane, at);
        continue;
      }
      const { pixels } = frames[n]!;
      if (pixels.length !== 3 * plane) {
        throw new RangeError(
          `frame has ${pixels.length} bytes; the model takes ${width}x${height} rgb24: ${3 * plane}`,
        );
      }
      for (let p = 0; p < 3; p++) fillPlane(buffer, at + p * plane, pixels, colours[p]!, tables[colours[p]!]!, plane);
    }
    return { type: 'float32', data: buffer.subarray(0, length), dims: [batch, 3, height, width] };
  };
}

function fillPlane(
  to: Float32Array,
  at: number,
  pixels: Uint8Array,
  colour: number,
  table: Float32Array,
  length: number,
): void {
  for (let i = 0, from = colour; i < length; i++, from += 3) to[at + i] = table[pixels[from]!]!;
}
