import type { GraphBuilder, Value } from '../onnx/graph-builder.js';
import type { Dim } from '../onnx/model.js';
import { abs, add, clip, div, greater, mean, mul, relu, sub, where } from '../onnx/ops/elementwise.js';
import { reshape, slice, unsqueeze } from '../onnx/ops/layout.js';

export interface AlignOptions {
  readonly bins: number;
  /** Points a bin and axis. */
  readonly samples: number;
  /** Pixels of the input a cell of the map. */
  readonly stride: number;
  /** Only every n-th bin is asked for, from the first; default 1. */
  readonly every?: number;
}

/**
 * RoIAlign along one axis as a matrix: bin b of box r is Σ_l result[r, b, l] · map[l]. Bilinear interpolation is the product
 * of two such sums, since its weights are products and a point outside the map counts nothing by either axis.
 *
 * Point s of bin b lies at start + (b + (s + ½) / samples) · length / bins, in cells; it takes max(0, 1 − |y − l|) of cell l. As the
 * operator has it: points up to one cell outside are moved to the border, points further out count 0.
 *
 * @param boxes  `[r, 4]` px
 * @param axis   0 for x, 1 for y
 * @param size   cells of the map along this axis
 * @returns `[r, bins / every, size]`
 */
export function interpolation(
  g: GraphBuilder,
  boxes: Value,
  axis: 0 | 1,
  size: number,
  { bins, samples, stride, every = 1 }: AlignOptions,
): Value {
  const count: Dim = boxes.dims[0]!;
  const side = bins / every;
  const points = side * samples;
  const cells = (corner: number): Value =>
    sub(g, mul(g, slice(g, boxes, 1, corner, corner + 1), g.float(1 / stride)), g.float(0.5));
  const start = cells(axis);
  const bin = div(g, sub(g, cells(axis + 2), start), g.float(bins));
  const row = (name: string, of: (point: number) => number): Value =>
    g.constant(
      `align.${name}:${bins}/${every}x${samples}`,
      [1, points],
      Float32Array.from({ length: points }, (_, i) => of(i)),
    );
  const inner = div(
    g,
    mul(
      g,
      row('point', (i) => (i % samples) + 0.5),
      bin,
    ),
    g.float(samples),
  );
  const y = add(
    g,
    add(
      g,
      start,
      mul(
        g,
        row('bin', (i) => every * Math.floor(i / samples)),
        bin,
      ),
    ),
    inner,
  );

  const zero = g.float(0);
  const below = where(g, greater(g, g.float(-1), y), zero, g.float(1));
  const inside = where(g, greater(g, y, g.float(size)), zero, below);
  const place = g.constant(
    `align.cells:${size}`,
    [size],
    Float32Array.from({ length: size }, (_, l) => l),
  );
  const distance = abs(g, sub(g, unsqueeze(g, clip(g, y, 0, size - 1), 2), place));
  const weight = mul(g, relu(g, sub(g, g.float(1), distance)), unsqueeze(g, inside, 2));
  return mean(g, reshape(g, weight, [count, side, samples, size]), 2);
}
