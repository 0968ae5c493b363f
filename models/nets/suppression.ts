import type { GraphBuilder, Value } from '../onnx/graph-builder.js';
import { add, greater, mul } from '../onnx/ops/elementwise.js';
import { expandLike, zerosLike } from '../onnx/ops/layout.js';
import { gather, nonMaxSuppression, scatterNd, topK } from '../onnx/ops/selection.js';

/** What suppression left of each frame, a fixed number of places. */
export interface Kept {
  /** int64 `[n, most]` indices into the k boxes: first what was kept, best first, then others as filling. */
  readonly places: Value;
  /** bool `[n, most]`: kept, and not filling. */
  readonly kept: Value;
}

/**
 * Non-maximum suppression of each class of each frame, with a result of fixed size: the operator's own rows are of unknown
 * number and sorted by class. The k boxes must come best first; then place in the list is rank, and the order of what is kept
 * is exact (no arithmetic on scores).
 *
 * @param boxes   `[n, k, 4]`
 * @param scores  `[n, classes, k]`; each box has a score above `minScore` in at most one class
 */
export function keepBest(
  g: GraphBuilder,
  boxes: Value,
  scores: Value,
  { most, maxIou, minScore, count }: { most: number; maxIou: number; minScore: number; count: string },
): Kept {
  const k = Number(boxes.dims[1]);
  const rows = nonMaxSuppression(g, boxes, scores, { most, maxIou, minScore, count });
  const frameAndIndex = gather(g, rows, g.ints([0, 2]), 1);
  const ones = expandLike(g, g.constant('one', [1], Float32Array.of(1)), gather(g, rows, g.ints(0), 1));
  const empty = zerosLike(g, gather(g, boxes, g.ints(0), 2));
  const flags = scatterNd(g, empty, frameAndIndex, ones);
  // Kept boxes count k more than any other; among equals the earlier counts more. Whole numbers below 2^24 are exact.
  const rank = g.constant(
    `rank:${k}`,
    [1, k],
    Float32Array.from({ length: k }, (_, i) => k - i),
  );
  const [values, places] = topK(g, add(g, mul(g, flags, g.float(k)), rank), Math.min(most, k));
  return { places, kept: greater(g, values, g.float(k)) };
}
