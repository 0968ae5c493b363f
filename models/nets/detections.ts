import type { GraphBuilder, Value } from '../onnx/graph-builder.js';
import { cast, div, equal, mod, where } from '../onnx/ops/elementwise.js';
import { concat, reshape, transpose, unsqueeze } from '../onnx/ops/layout.js';
import { gather, gatherNd, nonZero, topK } from '../onnx/ops/selection.js';
import type { DetectionOptions } from './options.js';
import { keepBest } from './suppression.js';

/** The instances of a batch as one list, frame by frame, best first; M may be 0. */
export interface Detections {
  /** `[M, 4]` x1 y1 x2 y2, px of the input. */
  readonly boxes: Value;
  /** `[M]` 0…1, above `minScore`. */
  readonly scores: Value;
  /** int64 `[M]` class. */
  readonly labels: Value;
  /** int64 `[M]` frame of the batch. */
  readonly frames: Value;
}

/**
 * Final choice: the best (region, class) pairs, suppression inside each class, the best `most` of a frame.
 *
 * @param scores   `[N, regions, classes]`
 * @param boxesOf  boxes `[N, k, 4]` of chosen pairs, given int64 `[N, k]` regions and `[N, k]` pairs (region · classes + class)
 */
export function chooseDetections(
  g: GraphBuilder,
  scores: Value,
  boxesOf: (regions: Value, pairs: Value) => Value,
  { minScore, maxIou, most, candidates }: DetectionOptions,
): Detections {
  const [n, regions, classes] = scores.dims;
  const pairs = Number(regions) * Number(classes);
  const [best, pair] = topK(g, reshape(g, scores, [n!, pairs]), Math.min(candidates, pairs));
  const perRegion = g.ints(Number(classes));
  const label = mod(g, pair, perRegion);
  const boxes = boxesOf(div(g, pair, perRegion), pair);

  // Suppression by class needs no offsets between classes (which would cost precision): a pair scores in its own class only.
  const every = g.constant(
    `classes:${classes}`,
    [1, Number(classes), 1],
    BigInt64Array.from({ length: Number(classes) }, (_, i) => BigInt(i)),
  );
  const byClass = where(g, equal(g, unsqueeze(g, label, 1), every), unsqueeze(g, best, 1), g.float(0));
  const { places, kept } = keepBest(g, boxes, byClass, { most, maxIou, minScore, count: 'K' });

  // [M, 2]: frame and place, in order; then frame and candidate.
  const found = transpose(g, nonZero(g, kept, 'M'), [1, 0]);
  const frames = gather(g, found, g.ints(0), 1);
  const candidate = gatherNd(g, places, found, 0);
  const address = concat(g, [unsqueeze(g, frames, 1), unsqueeze(g, candidate, 1)], 1);
  return {
    boxes: gatherNd(g, boxes, address, 0),
    scores: gatherNd(g, best, address, 0),
    labels: gatherNd(g, label, address, 0),
    frames,
  };
}

/** Labels and frames as int32, what JavaScript reads without big integers. */
export function asOutput(g: GraphBuilder, value: Value): Value {
  return cast(g, value, 'int32');
}
