import { multiplyDims } from '../onnx/dims.js';
import type { GraphBuilder, Value } from '../onnx/graph-builder.js';
import type { Dim } from '../onnx/model.js';
import { add, relu } from '../onnx/ops/elementwise.js';
import { reshape, transpose } from '../onnx/ops/layout.js';
import { fusedMatMul, matMul } from '../onnx/ops/linear.js';
import { gather } from '../onnx/ops/selection.js';
import type { PredictSite } from './sites.js';

/**
 * Average pooling of `[h, w, r, O]`, one axis after the other.
 *
 * @returns `[r, O · cells]`, in the order in which pooling `[r, O, h, w]` and flattening gives it
 */
export function pooled(g: GraphBuilder, features: Value, window: number): Value {
  const [bins, , r, out] = features.dims as [number, number, Dim, number]; // All but the number of regions is fixed.
  const cells = Math.floor(bins / window);
  const wide = multiplyDims(r, out);
  const average = g.constant(
    `average:${bins}/${window}`,
    [cells, bins],
    Float32Array.from({ length: cells * bins }, (_, i) =>
      Math.floor((i % bins) / window) === Math.floor(i / bins) ? 1 / window : 0,
    ),
  );
  const rows = matMul(g, average, reshape(g, features, [bins, multiplyDims(wide, bins)]));
  const both = matMul(g, average, reshape(g, rows, [cells, bins, wide]));
  return reshape(g, transpose(g, reshape(g, both, [cells * cells, r, out]), [1, 2, 0]), [r, out * cells * cells]);
}

/**
 * Deconvolution 2×2 with stride 2, relu and the predicted class's 1×1 as matrix products.
 *
 * @param features  `[h, w, M, O]`
 * @param labels    int64 `[M]`
 * @returns logits `[M, 2h, 2w]`
 */
export function maskLogits(
  g: GraphBuilder,
  features: Value,
  labels: Value,
  { channels, classes }: Pick<PredictSite, 'channels' | 'classes'>,
): Value {
  const [h, w, m, out] = features.dims as [number, number, Dim, number]; // All but the number of regions is fixed.
  const taps = g.take('mask.deconv.weight', [out, channels, 2, 2], { kind: 'he' });
  const bias = g.take('mask.deconv.bias', [channels], { kind: 'uniform', from: -0.05, to: 0.05 });
  // [O, (dy, dx, c)]: the four cells that come of one.
  const cells = 4;
  const spread = new Float32Array(taps.length);
  for (let row = 0; row < out * channels; row++) {
    const c = row % channels;
    const o = (row - c) / channels;
    for (let cell = 0; cell < cells; cell++) spread[(o * cells + cell) * channels + c] = taps[row * cells + cell]!;
  }
  const fourfold = Float32Array.from({ length: cells * channels }, (_, i) => bias[i % channels]!);
  const large = matMul(
    g,
    reshape(g, features, [multiplyDims(m, h * w), out]),
    g.constant('mask.deconv.spread', [out, cells * channels], spread),
  );
  const hidden = relu(g, add(g, large, g.constant('mask.deconv.fourfold', [cells * channels], fourfold)));

  // The class's weights once for each of the four cells, on a block diagonal: [M, (cell, c), cell].
  const predict = g.take('mask.predict.weight', [classes, channels, 1, 1], { kind: 'he' });
  const blocks = new Float32Array(classes * cells * channels * cells);
  for (let i = 0; i < classes * cells * channels; i++) {
    const c = i % channels;
    const cell = ((i - c) / channels) % cells;
    const of = Math.floor(i / (cells * channels));
    blocks[i * cells + cell] = predict[of * channels + c]!;
  }
  const own = gather(g, g.constant('mask.predict.blocks', [classes, cells * channels, cells], blocks), labels, 0);
  const predictBias = g.weight('mask.predict.bias', [classes], { kind: 'uniform', from: -0.05, to: 0.05 });
  const ownBias = reshape(g, gather(g, predictBias, labels, 0), [m, 1, 1]);
  const logits = fusedMatMul(g, reshape(g, hidden, [h * w, m, cells * channels]), own, { batchA: true });
  const ordered = transpose(g, reshape(g, add(g, logits, ownBias), [multiplyDims(m, h), w, 2, 2]), [0, 2, 1, 3]);
  return reshape(g, ordered, [m, 2 * h, 2 * w]);
}
