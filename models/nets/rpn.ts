import type { GraphBuilder, Value } from '../onnx/graph-builder.js';
import { cast, relu } from '../onnx/ops/elementwise.js';
import { expandLike, reshape, transpose, unsqueeze } from '../onnx/ops/layout.js';
import { gather, gatherNd, topK } from '../onnx/ops/selection.js';
import { makeAnchors } from './anchors.js';
import { clipBoxes, decodeBoxes } from './boxes.js';
import type { FeatureMap, InputSize } from './feature-map.js';
import { namedConv } from './layers.js';
import type { RpnOptions } from './options.js';
import { keepBest } from './suppression.js';

/** Regions to look at more closely, the same number for every frame. */
export interface Proposals {
  /** `[N, proposals, 4]` x1 y1 x2 y2, px, inside the input. */
  readonly boxes: Value;
  /** float32 `[N, proposals]`: 1, or 0 for a place that only fills up. */
  readonly valid: Value;
}

/**
 * Region proposal network (Ren et al. 2015; paper Fig. 2):
 *
 *   map ─ 3×3, middle ─ relu ─┬─ 1×1 → objectness of A anchors ─ best `before` ─┐
 *                             └─ 1×1 → 4 deltas an anchor ──── decode, clip ────┴─ suppression ─ best `proposals`
 */
export function rpn(g: GraphBuilder, map: FeatureMap, options: RpnOptions, { height, width }: InputSize): Proposals {
  const [n, channels, rows, columns] = map.value.dims;
  const perPosition = options.sizes.length * options.ratios.length;
  const total = Number(rows) * Number(columns) * perPosition;
  const before = Math.min(options.before, total);

  const hidden = relu(g, namedConv(g, map.value, 'rpn.conv', options.middle ?? Number(channels), [3, 3]));
  const objectness = namedConv(g, hidden, 'rpn.objectness', perPosition, [1, 1]);
  const deltas = namedConv(g, hidden, 'rpn.deltas', 4 * perPosition, [1, 1], { gain: 0.2 });
  // Channel a (objectness) and a · 4 + k (deltas) of a position become neighbours: [N, positions · A (, 4)].
  const logits = reshape(g, transpose(g, objectness, [0, 2, 3, 1]), [n!, total]);
  const moves = reshape(g, transpose(g, deltas, [0, 2, 3, 1]), [n!, total, 4]);

  const anchors = makeAnchors(
    { rows: Number(rows), columns: Number(columns), stride: map.stride },
    options.sizes,
    options.ratios,
  );
  const [best, index] = topK(g, logits, before);
  const decoded = decodeBoxes(
    g,
    gather(g, g.constant('rpn.anchors', [total, 4], anchors), index, 0),
    gatherNd(g, moves, unsqueeze(g, index, 2), 1),
    [1, 1],
  );
  const boxes = clipBoxes(g, decoded, width, height);
  // Suppression needs only the order, and the boxes are in it: ranks cannot tie, as the sigmoid's float32 does near 1.
  const ranks = g.constant(
    'rpn.ranks',
    [1, 1, before],
    Float32Array.from({ length: before }, (_, i) => before - i),
  );
  const { places, kept } = keepBest(g, boxes, expandLike(g, ranks, unsqueeze(g, best, 1)), {
    most: options.proposals,
    maxIou: options.maxIou,
    minScore: 0,
    count: 'P',
  });
  return { boxes: gatherNd(g, boxes, unsqueeze(g, places, 2), 1), valid: cast(g, kept, 'float32') };
}
