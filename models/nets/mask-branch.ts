import type { GraphBuilder, Value } from '../onnx/graph-builder.js';
import { deconv } from '../onnx/ops/convolution.js';
import { relu, sigmoid } from '../onnx/ops/elementwise.js';
import { unsqueeze } from '../onnx/ops/layout.js';
import { gatherNd } from '../onnx/ops/selection.js';
import { namedConv } from './layers.js';

/**
 * Mask branch (paper §III-C): deconvolution 2×2 with stride 2 to twice the size, one mask a class, the predicted class's
 * chosen before the sigmoid.
 *
 * @param features  `[M, C, h, w]`
 * @param labels    int64 `[M]`
 * @returns `[M, 2h, 2w]` 0…1: 28×28, or 14×14 behind the C5 head
 */
export function maskBranch(g: GraphBuilder, features: Value, labels: Value, classes: number, channels: number): Value {
  const weight = g.weight('mask.deconv.weight', [Number(features.dims[1]), channels, 2, 2], { kind: 'he' });
  const bias = g.weight('mask.deconv.bias', [channels], { kind: 'uniform', from: -0.05, to: 0.05 });
  const logits = namedConv(g, relu(g, deconv(g, features, weight, bias)), 'mask.predict', classes, [1, 1], {
    gain: 0.3,
  });
  return sigmoid(g, gatherNd(g, logits, unsqueeze(g, labels, 1), 1));
}
