import type { Tensors } from '../adapters/adapter.js';
import type { OnnxModel } from '../onnx/model.js';
import { type OperatorTime, profileGraph } from '../runtime/graph-session.js';

/** What ONNX Runtime made of an int8 graph. */
export interface Int8Check {
  /** As they ran, the longest first. */
  readonly operators: readonly OperatorTime[];
  /** What should have run in int8 and did not; empty when all is well. */
  readonly unexpected: readonly string[];
}

/** Convolutions on float, by all names that ONNX Runtime gives them. */
const FLOAT_CONVS = new Set(['Conv', 'FusedConv']);

const PRODUCT = 'MatMulIntegerToFloat';

/**
 * Runs an int8 graph once under the profiler: every QLinearConv of the file must run as one, and no convolution on float that
 * the file does not hold as such.
 */
export async function checkInt8(model: OnnxModel, feeds: Tensors, threads: number): Promise<Int8Check> {
  const operators = await profileGraph(model, feeds, { threads });
  const count = (matches: (op: string) => boolean): number =>
    operators.filter(({ op }) => matches(op)).reduce((sum, { nodes }) => sum + nodes, 0);
  const inFile = (op: string): number => model.graph.nodes.filter((node) => node.op === op).length;
  const int8 = count((op) => op === 'QLinearConv');
  const [products, asked] = [count((op) => op === PRODUCT), inFile(PRODUCT)];
  const float = count((op) => FLOAT_CONVS.has(op));
  return {
    operators,
    unexpected: [
      ...(products < asked ? [`${products} of ${asked} ${PRODUCT} ran`] : []),
      ...(int8 < inFile('QLinearConv') ? [`${int8} of ${inFile('QLinearConv')} QLinearConv ran`] : []),
      ...(float > inFile('Conv') ? [`${float} float convolutions ran, the file holds ${inFile('Conv')}`] : []),
    ],
  };
}
