import { readFileSync } from 'node:fs';
import type { Tensors } from '../../../models/adapters/adapter.js';

/** What a file reads: pictures, one stored picture again and again, or a map of features. */
export type Shape =
  | { readonly kind: 'pictures'; readonly batch: number; readonly height: number; readonly width: number }
  | {
      readonly kind: 'stored';
      readonly batch: number;
      readonly height: number;
      readonly width: number;
      /** RGB bytes, row by row. */
      readonly file: string;
    }
  | { readonly kind: 'map'; readonly batch: number; readonly dims: readonly number[] };

/** The same numbers at every call. */
export function feedsOf(shape: Shape): Tensors {
  if (shape.kind === 'map') {
    const count = shape.dims.reduce((all, size) => all * size, 1);
    const data = Float32Array.from({ length: count }, (_, i) => ((i * 37) % 101) / 50 - 1);
    return { x: { type: 'float32', dims: shape.dims, data } };
  }
  const { batch, height, width } = shape;
  const bytes = height * width * 3;
  const data = new Uint8Array(batch * bytes);
  if (shape.kind === 'stored') for (let n = 0; n < batch; n++) data.set(readFileSync(shape.file), n * bytes);
  else for (let i = 0; i < data.length; i++) data[i] = (i * 7 + (i >> 9) * 13) % 256;
  return { images: { type: 'uint8', dims: [batch, height, width, 3], data } };
}
