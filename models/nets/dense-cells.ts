import type { GraphBuilder, Value } from '../onnx/graph-builder.js';
import { unsqueeze } from '../onnx/ops/layout.js';
import { gather, gatherNd } from '../onnx/ops/selection.js';
import type { InputSize } from './feature-map.js';

/** What a body's own head says of every cell of its maps, finest map first, row by row. */
export interface Cells {
  /** `[N, cells, classes]` 0…1, ours only, in our order. */
  readonly scores: Value;
  /** Boxes `[N, k, 4]` x1 y1 x2 y2 (px, not clipped) of chosen cells, int64 `[N, k]`. */
  readonly boxesOf: (cells: Value) => Value;
}

/** Rows `[N, k, …]` of `[N, cells, …]` by int64 `[N, k]`. */
export function rowsAt(g: GraphBuilder, x: Value, cells: Value): Value {
  return gatherNd(g, x, unsqueeze(g, cells, 2), 1);
}

/** Place and stride of the cells of the strides, as the graph's constants. */
export interface Grid {
  readonly count: number;
  /** Places `[N, k, 2]` x y, px, of chosen cells. */
  readonly placeOf: (cells: Value) => Value;
  /** Strides `[N, k, 1]`, px, of chosen cells. */
  readonly strideOf: (cells: Value) => Value;
}

/** @param centre  where in its cell a place lies, in cells: 0 the corner, 0.5 the middle */
export function grid(g: GraphBuilder, strides: readonly number[], { height, width }: InputSize, centre: 0 | 0.5): Grid {
  const places: number[] = [];
  const scales: number[] = [];
  for (const stride of strides) {
    const rows = Math.ceil(height / stride);
    const columns = Math.ceil(width / stride);
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        places.push((column + centre) * stride, (row + centre) * stride);
        scales.push(stride);
      }
    }
  }
  const count = scales.length;
  const place = g.constant('dense.place', [count, 2], Float32Array.from(places));
  const stride = g.constant('dense.stride', [count, 1], Float32Array.from(scales));
  return {
    count,
    placeOf: (cells) => gather(g, place, cells, 0),
    strideOf: (cells) => gather(g, stride, cells, 0),
  };
}
