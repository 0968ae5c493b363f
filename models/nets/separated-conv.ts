import type { GraphBuilder, Value } from '../onnx/graph-builder.js';
import { add, relu } from '../onnx/ops/elementwise.js';
import { namedConv } from './layers.js';
import type { SeparatedOptions } from './options.js';

/** A way to compute the separated convolution: same weights, same result up to rounding, other operators. */
export type SeparatedForm = (g: GraphBuilder, x: Value, options: SeparatedOptions) => Value;

/**
 * Separated large-kernel convolution between the body and RPN / RoIAlign (paper §III-B, Fig. 1):
 *
 *   x [N, C, H, W] ─┬─ 1×k, middle ─ k×1, out ─┐
 *                   └─ k×1, middle ─ 1×k, out ─┴─ add (─ relu) → [N, out, H, W]
 *
 * The definition; other forms are put into the finished graph (`models/kernels/forms.ts`). Both orders, a bias in each
 * convolution, nothing between: docs/decisions/0009-branch-order-and-activation.md
 */
export const directSeparated: SeparatedForm = (g, x, { kernel: k, middle, out, bias }) => {
  const wide = namedConv(g, x, 'separated.wide.0', middle, [1, k], { bias });
  const tall = namedConv(g, x, 'separated.tall.0', middle, [k, 1], { bias });
  return add(
    g,
    namedConv(g, wide, 'separated.wide.1', out, [k, 1], { bias, gain: 0.5 }),
    namedConv(g, tall, 'separated.tall.1', out, [1, k], { bias, gain: 0.5 }),
  );
};

/** The separated convolution with the activation that the options ask for. */
export function separatedConv(g: GraphBuilder, x: Value, options: SeparatedOptions): Value {
  const sum = directSeparated(g, x, options);
  return options.relu ? relu(g, sum) : sum;
}
