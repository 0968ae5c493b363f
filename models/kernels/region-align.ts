import { multiplyDims } from '../onnx/dims.js';
import type { GraphBuilder, Value } from '../onnx/graph-builder.js';
import type { Dim } from '../onnx/model.js';
import { indicesAlong, reshape, slice, transpose } from '../onnx/ops/layout.js';
import { matMul } from '../onnx/ops/linear.js';
import { gather, roiAlign } from '../onnx/ops/selection.js';
import { type AlignOptions, interpolation } from './interpolation.js';

/**
 * RoIAlign of a fixed number of boxes a frame as two matrix products: along the rows of the map for all its columns, then along
 * the columns.
 *
 * @param map    `[N, C, H, W]`
 * @param boxes  `[N, p, 4]` px
 * @returns `[N · p, side, side, C]`, where side is the bins, or every `every`-th of them
 */
export function alignByProducts(g: GraphBuilder, map: Value, boxes: Value, options: AlignOptions): Value {
  const [n, channels, height, width] = map.dims as [Dim, number, number, number]; // A site's map has a fixed size.
  const side = options.bins / (options.every ?? 1);
  const most = Number(boxes.dims[1]);
  const count = multiplyDims(n, most);
  const flat = reshape(g, boxes, [count, 4]);
  const rows = reshape(g, transpose(g, map, [0, 2, 3, 1]), [n, height, width * channels]);
  const alongY = reshape(g, interpolation(g, flat, 1, height, options), [n, most * side, height]);
  const lines = reshape(g, matMul(g, alongY, rows), [count, side, width, channels]);
  const alongX = reshape(g, interpolation(g, flat, 0, width, options), [count, 1, side, width]);
  return matMul(g, alongX, lines);
}

/** RoIAlign of boxes of any frames by the operator, in the layout of {@link alignByProducts}. */
export function alignByOperator(
  g: GraphBuilder,
  map: Value,
  boxes: Value,
  frames: Value,
  options: AlignOptions,
): Value {
  const { bins, every = 1 } = options;
  let regions = roiAlign(g, map, boxes, frames, options);
  if (every > 1) for (const axis of [2, 3]) regions = slice(g, regions, axis, 0, bins, every);
  return transpose(g, regions, [0, 2, 3, 1]);
}

/**
 * A list with one more row, zeros, at its end. Instances of a frame may be none or one; a product with no row fails in ONNX
 * Runtime, and with one row it takes another path, whose rounding differs from that of many: a batch would no longer equal its
 * single runs.
 */
export function withSpare(g: GraphBuilder, list: Value): Value {
  const dims = list.dims.slice(1).map(Number);
  const count = dims.reduce((all, size) => all * size, 1);
  const zeros = list.type === 'int64' ? new BigInt64Array(count) : new Float32Array(count);
  const spare = g.constant(`spare:${list.type},${dims}`, [1, ...dims], zeros);
  return g.node('Concat', [list, spare], { axis: 0 }, { type: list.type, dims: [`${list.dims[0]}+1`, ...dims] });
}

/** Without the row that {@link withSpare} added. */
export function withoutSpare(g: GraphBuilder, rows: Value, list: Value): Value {
  return gather(g, rows, indicesAlong(g, list, 0), 0);
}
