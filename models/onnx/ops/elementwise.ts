import { broadcastDims } from '../dims.js';
import { type GraphBuilder, isNumeric, misfit, type Value } from '../graph-builder.js';
import { type Dim, ELEMENT_TYPES, type ElementType } from '../model.js';

function broadcast(op: string, a: Value, b: Value): Dim[] {
  if (a.type !== b.type) throw misfit(op, [a, b], 'both must be of one type');
  try {
    return broadcastDims(a.dims, b.dims);
  } catch (cause) {
    throw misfit(op, [a, b], (cause as RangeError).message); // broadcastDims throws nothing else.
  }
}

function arithmetic(op: string) {
  return (g: GraphBuilder, a: Value, b: Value): Value => {
    if (!isNumeric(a.type)) throw misfit(op, [a, b], 'must be numbers');
    return g.node(op, [a, b], {}, { type: a.type, dims: broadcast(op, a, b) });
  };
}

/** Element-wise with broadcasting. */
export const add = arithmetic('Add');
export const sub = arithmetic('Sub');
export const mul = arithmetic('Mul');
export const div = arithmetic('Div');
/** Smaller of both. */
export const min = arithmetic('Min');
/** Remainder of whole numbers. */
export const mod = arithmetic('Mod');

function comparison(op: string) {
  return (g: GraphBuilder, a: Value, b: Value): Value =>
    g.node(op, [a, b], {}, { type: 'bool', dims: broadcast(op, a, b) });
}

export const equal = comparison('Equal');
export const greater = comparison('Greater');

/** `condition ? a : b`, element by element. */
export function where(g: GraphBuilder, condition: Value, a: Value, b: Value): Value {
  if (condition.type !== 'bool') throw misfit('Where', [condition, a, b], 'the condition must be bool');
  const dims = broadcastDims(condition.dims, broadcast('Where', a, b));
  return g.node('Where', [condition, a, b], {}, { type: a.type, dims });
}

function unary(op: string, attributes: Readonly<Record<string, { readonly float: number }>> = {}) {
  return (g: GraphBuilder, x: Value): Value => {
    if (x.type !== 'float32') throw misfit(op, [x], 'must be float32');
    return g.node(op, [x], attributes, { type: x.type, dims: x.dims });
  };
}

export const relu = unary('Relu');
export const sigmoid = unary('Sigmoid');
export const exp = unary('Exp');
export const abs = unary('Abs');
/** min(max(alpha · x + beta, 0), 1) */
export function hardSigmoid(g: GraphBuilder, x: Value, alpha: number, beta: number): Value {
  return unary('HardSigmoid', { alpha: { float: alpha }, beta: { float: beta } })(g, x);
}

/** x · min(max(x + 3, 0), 6) / 6 */
export function hardSwish(g: GraphBuilder, x: Value): Value {
  return mul(g, x, hardSigmoid(g, x, 1 / 6, 1 / 2));
}

/** Limits every element to `low`…`high`. */
export function clip(g: GraphBuilder, x: Value, low: number, high: number): Value {
  if (x.type !== 'float32') throw misfit('Clip', [x], 'must be float32');
  return g.node('Clip', [x, g.float(low), g.float(high)], {}, { type: x.type, dims: x.dims });
}

/** Along one axis; the results sum to 1. */
export function softmax(g: GraphBuilder, x: Value, axis: number): Value {
  if (axis < 0 || axis >= x.dims.length) throw misfit('Softmax', [x], `has no axis ${axis}`);
  return g.node('Softmax', [x], { axis }, { type: x.type, dims: x.dims });
}

/** Same numbers in another type; fractions are cut off. */
export function cast(g: GraphBuilder, x: Value, type: ElementType): Value {
  return g.node('Cast', [x], { to: ELEMENT_TYPES[type].code }, { type, dims: x.dims });
}

/** Mean over one axis, which goes. */
export function mean(g: GraphBuilder, x: Value, axis: number): Value {
  if (axis < 0 || axis >= x.dims.length) throw misfit('ReduceMean', [x], `has no axis ${axis}`);
  return g.node('ReduceMean', [x], { axes: [axis], keepdims: 0 }, { type: x.type, dims: x.dims.toSpliced(axis, 1) });
}
