/** IoU from which a found object counts as the annotated one: 0.5, 0.55, … 0.95, the very doubles of `np.linspace`. */
export const IOU_THRESHOLDS: readonly number[] = Array.from({ length: 10 }, (_, i) =>
  i === 9 ? 0.95 : i * ((0.95 - 0.5) / 9) + 0.5,
);

/** What was found in one picture of one class against what is there, in one range of areas. */
export interface ImageMatch {
  /** `[D]`, descending. */
  readonly scores: Float64Array;
  /** `[T, D]`: 1 where the found object is an annotated one. */
  readonly matched: Uint8Array;
  /** `[T, D]`: 1 where it counts neither as right nor as wrong. */
  readonly ignored: Uint8Array;
  /** Annotated objects to be found. */
  readonly expected: number;
}

/** One picture of one class; the found objects in order of descending score. */
export interface ImageCase {
  readonly scores: Float64Array;
  /** `[D]` pixels. */
  readonly foundAreas: Float64Array;
  /** `[G]` pixels, as annotated. */
  readonly truthAreas: Float64Array;
  /** `[G]` 1 for a crowd region. */
  readonly crowds: Uint8Array;
  /** `[D, G]`. */
  readonly ious: Float64Array;
}

/**
 * Matches found with annotated objects as `COCOeval.evaluateImg` does: best score first, each takes the annotated object of
 * highest IoU that is still free (of equal ones the last); one that does not count only when none that counts
 * reaches the threshold; a crowd may be taken any number of times. Objects outside the area range do not count.
 *
 * @param range  least and largest area, both included
 */
export function matchImage(one: ImageCase, range: readonly [number, number]): ImageMatch {
  const found = one.scores.length;
  const truths = one.crowds.length;
  const skip = new Uint8Array(truths);
  let expected = 0;
  for (let g = 0; g < truths; g++) {
    const area = one.truthAreas[g]!;
    skip[g] = one.crowds[g] || area < range[0] || area > range[1] ? 1 : 0;
    if (!skip[g]) expected++;
  }
  // What counts comes first, each part in its own order.
  const order = Array.from(skip.keys()).sort((a, b) => skip[a]! - skip[b]!);

  const matched = new Uint8Array(IOU_THRESHOLDS.length * found);
  const ignored = new Uint8Array(IOU_THRESHOLDS.length * found);
  for (const [t, threshold] of IOU_THRESHOLDS.entries()) {
    const taken = new Uint8Array(truths);
    for (let d = 0; d < found; d++) {
      let best = -1;
      let bestIou = Math.min(threshold, 1 - 1e-10);
      for (const g of order) {
        if (taken[g] && !one.crowds[g]) continue;
        if (best >= 0 && !skip[best] && skip[g]) break;
        const iou = one.ious[d * truths + g]!;
        if (iou < bestIou) continue;
        bestIou = iou;
        best = g;
      }
      const at = t * found + d;
      if (best >= 0) {
        taken[best] = 1;
        matched[at] = 1;
        ignored[at] = skip[best]!;
      } else {
        const area = one.foundAreas[d]!;
        ignored[at] = area < range[0] || area > range[1] ? 1 : 0;
      }
    }
  }
  return { scores: one.scores, matched, ignored, expected };
}
