import { elementCount, showDims, splitDim } from '../dims.js';
import { type GraphBuilder, misfit, type Value } from '../graph-builder.js';
import type { Dim } from '../model.js';

/** Axes in a new order: result axis i is input axis `order[i]`. */
export function transpose(g: GraphBuilder, x: Value, order: readonly number[]): Value {
  if (
    order.length !== x.dims.length ||
    new Set(order).size !== order.length ||
    order.some((axis) => x.dims[axis] === undefined)
  ) {
    throw misfit('Transpose', [x], `[${order}] is no order of its axes`);
  }
  return g.node('Transpose', [x], { perm: order }, { type: x.type, dims: order.map((axis) => x.dims[axis]!) });
}

/**
 * Same elements, other shape. At most one size may be symbolic (it becomes −1 in the file).
 *
 * @throws RangeError when the number of elements differs
 */
export function reshape(g: GraphBuilder, x: Value, dims: readonly Dim[]): Value {
  const symbolic = dims.filter((dim) => typeof dim !== 'number');
  if (symbolic.length > 1) throw misfit('Reshape', [x], `${showDims(dims)} has more than one symbolic size`);
  if (elementCount(x.dims) !== elementCount(dims)) {
    throw misfit('Reshape', [x], `${elementCount(x.dims)} elements do not fill ${showDims(dims)}`);
  }
  const target = g.ints(dims.map((dim) => (typeof dim === 'number' ? dim : -1)));
  return g.node('Reshape', [x, target], {}, { type: x.type, dims });
}

/** Joins along one axis. */
export function concat(g: GraphBuilder, parts: readonly Value[], axis: number): Value {
  const [first, ...others] = parts;
  if (!first || axis < 0 || axis >= first.dims.length) throw misfit('Concat', parts, `has no axis ${axis}`);
  let factor = 0;
  const symbols = new Set<string>();
  for (const part of parts) {
    const fits = part.type === first.type && part.dims.length === first.dims.length;
    if (!fits || others.some((other) => other.dims.some((dim, i) => i !== axis && dim !== first.dims[i]))) {
      throw misfit('Concat', parts, `all must agree except along axis ${axis}`);
    }
    const size = splitDim(part.dims[axis]!);
    factor += size.factor;
    symbols.add(size.symbol);
  }
  if (symbols.size > 1) throw misfit('Concat', parts, 'sizes along the axis are partly symbolic');
  const [symbol] = symbols;
  const joined = symbol ? `${factor}*${symbol}` : factor;
  return g.node('Concat', parts, { axis }, { type: first.type, dims: first.dims.with(axis, joined) });
}

/** Part `from` (included) to `to` (excluded) of one axis, every `step`-th. */
export function slice(g: GraphBuilder, x: Value, axis: number, from: number, to: number, step = 1): Value {
  const size = x.dims[axis];
  if (typeof size !== 'number' || from < 0 || from >= to || to > size || step < 1) {
    throw misfit('Slice', [x], `axis ${axis} cannot be cut to ${from}…${to} by ${step}`);
  }
  return g.node(
    'Slice',
    [x, g.ints([from]), g.ints([to]), g.ints([axis]), g.ints([step])],
    {},
    { type: x.type, dims: x.dims.with(axis, Math.ceil((to - from) / step)) },
  );
}

/** Cuts one axis into parts of the given sizes. */
export function split(g: GraphBuilder, x: Value, axis: number, sizes: readonly number[]): Value[] {
  if (sizes.reduce((sum, size) => sum + size, 0) !== x.dims[axis]) {
    throw misfit('Split', [x], `[${sizes}] do not add up to axis ${axis}`);
  }
  return g.nodes(
    'Split',
    [x, g.ints(sizes)],
    { axis },
    sizes.map((size) => ({ type: x.type, dims: x.dims.with(axis, size) })),
  );
}

/** Adds an axis of size 1 at place `axis` of the result. */
export function unsqueeze(g: GraphBuilder, x: Value, axis: number): Value {
  if (axis < 0 || axis > x.dims.length) throw misfit('Unsqueeze', [x], `there is no place ${axis}`);
  return g.node('Unsqueeze', [x, g.ints([axis])], {}, { type: x.type, dims: x.dims.toSpliced(axis, 0, 1) });
}

/** Removes an axis of size 1. */
export function squeeze(g: GraphBuilder, x: Value, axis: number): Value {
  if (x.dims[axis] !== 1) throw misfit('Squeeze', [x], `axis ${axis} is not 1`);
  return g.node('Squeeze', [x, g.ints([axis])], {}, { type: x.type, dims: x.dims.toSpliced(axis, 1) });
}

/** Repeats along axes of size 1 until the shape is `like`'s, whatever its symbols become. */
export function expandLike(g: GraphBuilder, x: Value, like: Value): Value {
  const fits = x.dims.length === like.dims.length && x.dims.every((dim, i) => dim === 1 || dim === like.dims[i]);
  if (!fits) throw misfit('Expand', [x, like], 'only axes of size 1 can be repeated');
  const shape = g.node('Shape', [like], {}, { type: 'int64', dims: [like.dims.length] });
  return g.node('Expand', [x, shape], {}, { type: x.type, dims: like.dims });
}

/** 0, 1, … up to the size of an axis of `like`, int64 `[size]`. */
export function indicesAlong(g: GraphBuilder, like: Value, axis: number): Value {
  const size = like.dims[axis];
  if (size === undefined) throw misfit('Range', [like], `has no axis ${axis}`);
  const shape = g.node('Shape', [like], { start: axis, end: axis + 1 }, { type: 'int64', dims: [1] });
  const limit = squeeze(g, shape, 0);
  return g.node('Range', [g.ints(0), limit, g.ints(1)], {}, { type: 'int64', dims: [size] });
}

/** Zeros of a float32 shape like `like`'s. */
export function zerosLike(g: GraphBuilder, like: Value): Value {
  const shape = g.node('Shape', [like], {}, { type: 'int64', dims: [like.dims.length] });
  return g.node('ConstantOfShape', [shape], {}, { type: 'float32', dims: like.dims });
}
