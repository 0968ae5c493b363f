import type { Dim } from './model.js';

/**
 * Arithmetic on symbolic sizes. A symbol stands for a number known only when the graph runs (`N` frames, `M`
 * instances); it may carry a whole factor, written `300*N`. Two different symbols are never equal.
 */

/** `300*N` → 300 and `N`; a number has the symbol ''. */
export function splitDim(dim: Dim): { readonly factor: number; readonly symbol: string } {
  if (typeof dim === 'number') return { factor: dim, symbol: '' };
  const match = /^(\d+)\*(.+)$/.exec(dim);
  return match ? { factor: Number(match[1]), symbol: match[2]! } : { factor: 1, symbol: dim };
}

/** @throws RangeError when both are symbolic: no shape of ours needs N². */
export function multiplyDims(a: Dim, b: Dim): Dim {
  const left = splitDim(a);
  const right = splitDim(b);
  if (left.symbol && right.symbol) throw new RangeError(`${a} times ${b} is a product of two symbols`);
  return joinDim(left.factor * right.factor, left.symbol || right.symbol);
}

function joinDim(factor: number, symbol: string): Dim {
  if (!symbol || factor === 0) return factor;
  return factor === 1 ? symbol : `${factor}*${symbol}`;
}

/** Number of elements of a shape, itself possibly symbolic. */
export function elementCount(dims: readonly Dim[]): Dim {
  return dims.reduce(multiplyDims, 1);
}

/**
 * Shape of an element-wise operation (ONNX multidirectional broadcasting): aligned at the right, a size of 1 stretches.
 *
 * @throws RangeError when two sizes differ and neither is 1
 */
export function broadcastDims(a: readonly Dim[], b: readonly Dim[]): Dim[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const left = a[axis - rank + a.length] ?? 1;
    const right = b[axis - rank + b.length] ?? 1;
    if (left === right || right === 1) return left;
    if (left === 1) return right;
    throw new RangeError(`${left} and ${right} do not broadcast`);
  });
}

/** `[N,256,50,68]` */
export function showDims(dims: readonly Dim[]): string {
  return `[${dims.join(',')}]`;
}
