import type { OnnxNode } from '../onnx/model.js';
import type { ProductLayer } from './product.js';
import { SAFE_PAIR } from './saturation.js';

/** Scale of a column of zeros. */
const LEAST_SCALE = 1e-20;

/** What the nodes are put into a graph with. */
export interface GraphPen {
  /** Adds a node with one result, whose name it gives. */
  readonly step: (op: string, inputs: readonly string[], attributes?: OnnxNode['attributes']) => string;
  /** Adds a single number. */
  readonly number: (name: string, type: 'float32' | 'int8', value: number) => string;
}

/**
 * Nodes that round a product's weights to int8 when the file is loaded: those of a fast form exist only once the runtime has worked them
 * out. Within ±64, so that every processor adds the products right (`saturation.ts`).
 *
 * @returns names of the whole weights, shaped as the float ones, and of their scales: `[columns]`, or `[batch, 1, columns]`
 */
export function roundedAtLoad(
  { weights, batch }: ProductLayer,
  { step, number }: GraphPen,
): { readonly rounded: string; readonly scales: string } {
  const isBatch = batch !== undefined;
  const along = {
    axes: { kind: 'ints', value: [isBatch ? 1 : 0] },
    keepdims: { kind: 'int', value: isBatch ? 1 : 0 },
  } as const;
  // Not of |w|: whatever is as large as the weights is one more copy of them while the file is loaded.
  const [high, low] = [step('ReduceMax', [weights], along), step('ReduceMin', [weights], along)];
  const largest = step('Max', [high, step('Neg', [low])]);
  const share = step('Div', [largest, number('most:s8', 'float32', SAFE_PAIR / 2)]);
  const scales = step('Max', [share, number('least', 'float32', LEAST_SCALE)]);
  const whole = step('Div', [weights, scales]);
  const [one, zero] = [number('scale:1', 'float32', 1), number('zero:s8', 'int8', 0)];
  return { rounded: step('QuantizeLinear', [whole, one, zero]), scales };
}
