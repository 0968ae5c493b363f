import { type GraphBuilder, misfit, type Value } from '../graph-builder.js';

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
