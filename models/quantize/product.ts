import type { OnnxNode } from '../onnx/model.js';
import { type GraphLinks, intOf } from './graph-links.js';

/** Whether a node belongs to a fast form of models/kernels: for processors, whose products they suit. */
export const isFastForm = ({ name }: Pick<OnnxNode, 'name'>): boolean => /\/(spectral|gemm)(\/|$)/.test(name);

/** A product of a matrix, or of a batch of them, with weights, as the fast forms of models/kernels have them. */
export interface ProductLayer {
  readonly input: string;
  /** A constant `[inner, columns]` or `[batch, inner, columns]`, or what nodes make of constants. */
  readonly weights: string;
  /** Undefined for a single matrix, which serves all rows. */
  readonly batch: number | undefined;
  readonly inner: number;
  readonly columns: number;
  /** The input is `[rows, batch, inner]` instead of `[batch, rows, inner]`. */
  readonly batchInside: boolean;
}

/** Below it, rounding the input takes longer than int8 saves; transforms, whose constants stand on the left, are smaller. */
const LEAST_SIDE = 64;

/**
 * The layer that a node of a fast form is, when int8 can compute it. Other products stay float: those of transformers and other makers'
 * heads were never measured.
 */
export function productLayer(node: OnnxNode, links: GraphLinks): ProductLayer | undefined {
  const isFused = node.op === 'FusedMatMul' && node.domain === 'com.microsoft';
  if (!isFused && (node.op !== 'MatMul' || node.domain)) return undefined;
  if (!isFastForm(node)) return undefined;
  const { alpha } = node.attributes;
  const turned = ['transA', 'transB', 'transBatchB'].some((name) => intOf(node, name, 0));
  if (turned || (alpha?.kind === 'float' && alpha.value !== 1)) return undefined;
  const [input, weights] = node.inputs as [string, string];
  const isConstant = (name: string): boolean => links.constants.has(name) || links.folded.has(name);
  const type = links.constants.get(weights)?.type;
  if (isConstant(input) || !isConstant(weights) || (type && type !== 'float32')) return undefined;
  const dims = links.constants.get(weights)?.dims ?? links.dimsOf(weights);
  if (!dims?.every((dim) => typeof dim === 'number')) return undefined;
  const [batch, inner, columns] = dims.length === 2 ? [undefined, ...dims] : dims;
  const batchInside = isFused && intOf(node, 'transBatchA', 0) === 1;
  const read = links.dimsOf(input) ?? [];
  const fits =
    dims.length === 2
      ? read.length >= 2 && !batchInside
      : dims.length === 3 && read.length === 3 && read[batchInside ? 1 : 0] === batch;
  if (!fits || inner! < LEAST_SIDE || columns! < LEAST_SIDE) return undefined;
  return { input, weights, batch, inner: inner!, columns: columns!, batchInside };
}
