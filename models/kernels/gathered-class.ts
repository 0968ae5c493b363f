import type { GraphBuilder, Value } from '../onnx/graph-builder.js';
import type { Dim } from '../onnx/model.js';
import { add } from '../onnx/ops/elementwise.js';
import { reshape, unsqueeze } from '../onnx/ops/layout.js';
import { matMul } from '../onnx/ops/linear.js';
import { gather } from '../onnx/ops/selection.js';

/**
 * The last 1×1 of the mask branch for the predicted class only: its weights are chosen, not its result.
 *
 * @param x       `[M, C, h, w]`
 * @param labels  int64 `[M]`
 * @returns logits `[M, h, w]`
 */
export function gatheredClass(
  g: GraphBuilder,
  x: Value,
  labels: Value,
  { classes, channels }: { classes: number; channels: number },
): Value {
  const [m, , h, w] = x.dims as [Dim, number, number, number]; // A site's maps have a fixed size.
  const taps = g.take('mask.predict.weight', [classes, channels, 1, 1], { kind: 'he' });
  const own = gather(g, g.constant('mask.predict.rows', [classes, channels], taps), labels, 0);
  const bias = g.weight('mask.predict.bias', [classes], { kind: 'uniform', from: -0.05, to: 0.05 });
  const logits = matMul(g, unsqueeze(g, own, 1), reshape(g, x, [m, channels, h * w]));
  return reshape(g, add(g, logits, reshape(g, gather(g, bias, labels, 0), [m, 1, 1])), [m, h, w]);
}
