import { broadcastDims } from '../dims.js';
import { type GraphBuilder, misfit, type Value } from '../graph-builder.js';
import type { Dim } from '../model.js';

/**
 * Fully connected layer: x · weightᵀ + bias.
 *
 * @param x       `[rows, in]`; rows stay independent of one another, so a batch equals its single runs bit for bit
 * @param weight  `[out, in]`
 * @param bias    `[out]`
 */
export function linear(g: GraphBuilder, x: Value, weight: Value, bias: Value): Value {
  const [rows, width] = x.dims;
  const [out, expected] = weight.dims;
  if (x.dims.length !== 2 || weight.dims.length !== 2 || width !== expected || bias.dims[0] !== out) {
    throw misfit('Gemm', [x, weight, bias], 'must be [rows,in], [out,in], [out]');
  }
  return g.node('Gemm', [x, weight, bias], { transB: 1 }, { type: 'float32', dims: [rows!, out!] });
}

/**
 * Matrix product over the last two axes; leading axes broadcast (a matrix without any serves all).
 *
 * @param a  `[…, rows, inner]`
 * @param b  `[…, inner, columns]`
 */
export function matMul(g: GraphBuilder, a: Value, b: Value): Value {
  if (a.dims.length < 2 || b.dims.length < 2 || a.dims.at(-1) !== b.dims.at(-2)) {
    throw misfit('MatMul', [a, b], 'the last axis of one must be the last but one of the other');
  }
  const batch = leadingAxes(a, b);
  return g.node('MatMul', [a, b], {}, { type: 'float32', dims: [...batch, a.dims.at(-2)!, b.dims.at(-1)!] });
}

function leadingAxes(a: Value, b: Value): Dim[] {
  try {
    return broadcastDims(a.dims.slice(0, -2), b.dims.slice(0, -2));
  } catch (cause) {
    throw misfit('MatMul', [a, b], (cause as RangeError).message); // broadcastDims throws nothing else.
  }
}

/**
 * ONNX Runtime's own FusedMatMul on three axes, which reads transposed operands in place.
 *
 * @param a  `[batch, rows, inner]`; with `batchA` `[rows, batch, inner]`
 * @param b  `[batch, inner, columns]`; with `flipB` the last two swapped; with `batchB` `[inner, batch, columns]`.
 *           A batch of 1 serves all.
 * @returns `[batch, rows, columns]`
 */
export function fusedMatMul(
  g: GraphBuilder,
  a: Value,
  b: Value,
  { flipB = false, batchA = false, batchB = false }: { flipB?: boolean; batchA?: boolean; batchB?: boolean },
): Value {
  if (a.dims.length !== 3 || b.dims.length !== 3) throw misfit('FusedMatMul', [a, b], 'both must have three axes');
  const [a0, a1, innerA] = a.dims;
  const [b0, b1, b2] = b.dims;
  const [batchOfA, rows] = batchA ? [a1!, a0!] : [a0!, a1!];
  const [batchOfB, before] = batchB ? [b1!, b0!] : [b0!, b1!];
  const [innerB, columns] = flipB ? [b2!, before] : [before, b2!];
  if (innerA !== innerB || (batchOfA !== batchOfB && batchOfA !== 1 && batchOfB !== 1)) {
    throw misfit(
      'FusedMatMul',
      [a, b],
      `inner sizes ${innerA} and ${innerB}, batches ${batchOfA} and ${batchOfB} do not fit`,
    );
  }
  return g.node(
    'FusedMatMul',
    [a, b],
    { transB: Number(flipB), transBatchA: Number(batchA), transBatchB: Number(batchB) },
    { type: 'float32', dims: [batchOfA === 1 ? batchOfB : batchOfA, rows, columns] },
    'com.microsoft',
  );
}
