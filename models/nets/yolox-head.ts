import type { GraphBuilder, Value } from '../onnx/graph-builder.js';
import { add, exp, mul, sub } from '../onnx/ops/elementwise.js';
import { concat, slice } from '../onnx/ops/layout.js';
import { gather } from '../onnx/ops/selection.js';
import { type Cells, grid, rowsAt } from './dense-cells.js';
import type { InputSize } from './feature-map.js';

/**
 * YOLOX (Ge et al. 2021), what its head gives as `[N, cells, 85]`: x y w h, objectness, 80 classes. Centre = (value + cell) ·
 * stride, size = e^value · stride, score = objectness · class.
 */
export function yoloxCells(
  g: GraphBuilder,
  [output]: readonly Value[],
  columns: readonly number[],
  size: InputSize,
): Cells {
  const raw = output!;
  const { placeOf, strideOf } = grid(g, [8, 16, 32], size, 0);
  const classes = gather(g, raw, g.ints(columns.map((column) => 5 + column)), 2);
  return {
    scores: mul(g, classes, slice(g, raw, 2, 4, 5)),
    boxesOf(cells) {
      const box = rowsAt(g, slice(g, raw, 2, 0, 4), cells);
      const stride = strideOf(cells);
      const centre = add(g, mul(g, slice(g, box, 2, 0, 2), stride), placeOf(cells));
      const half = mul(g, mul(g, exp(g, slice(g, box, 2, 2, 4)), stride), g.float(0.5));
      return concat(g, [sub(g, centre, half), add(g, centre, half)], 2);
    },
  };
}
