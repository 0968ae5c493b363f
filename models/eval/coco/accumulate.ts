import { type ImageMatch, IOU_THRESHOLDS } from './match.js';

/** Recall at which precision is read: 0, 0.01, … 1, the very doubles of `np.linspace`. */
export const RECALL_POINTS: readonly number[] = Array.from({ length: 101 }, (_, i) => (i === 100 ? 1 : i * 0.01));

/** One class over all pictures, in one range of areas. */
export interface ClassCurve {
  /** `[T, 101]`: highest precision at this recall or above; 0 where the recall is not reached. */
  readonly precision: Float64Array;
  /** `[T]`: recall of all that was found. */
  readonly recall: Float64Array;
}

/**
 * Precision over recall as `COCOeval.accumulate` computes it.
 *
 * @param images   in ascending order of image id: of equal scores the earlier picture's comes first
 * @param maxDets  of each picture only the best so many
 * @returns undefined when there is nothing to be found
 */
export function accumulate(images: readonly ImageMatch[], maxDets: number): ClassCurve | undefined {
  const expected = images.reduce((sum, image) => sum + image.expected, 0);
  if (expected === 0) return undefined;
  const all = images.flatMap((image) =>
    Array.from(image.scores.subarray(0, maxDets), (score, d) => ({ score, image, d })),
  );
  all.sort((a, b) => b.score - a.score);

  const points = RECALL_POINTS.length;
  const precision = new Float64Array(IOU_THRESHOLDS.length * points);
  const recall = new Float64Array(IOU_THRESHOLDS.length);
  const precisions = new Float64Array(all.length);
  const recalls = new Float64Array(all.length);
  for (let t = 0; t < IOU_THRESHOLDS.length; t++) {
    let [right, wrong] = [0, 0];
    for (const [i, { image, d }] of all.entries()) {
      const at = t * image.scores.length + d;
      if (!image.ignored[at]) {
        if (image.matched[at]) right++;
        else wrong++;
      }
      recalls[i] = right / expected;
      // The COCO tools guard against 0 / 0 so; it also shows in their last digit.
      precisions[i] = right / (wrong + right + Number.EPSILON);
    }
    recall[t] = all.length > 0 ? recalls[all.length - 1]! : 0;
    for (let i = all.length - 1; i > 0; i--) precisions[i - 1] = Math.max(precisions[i - 1]!, precisions[i]!);
    for (let r = 0, i = 0; r < points; r++) {
      while (i < all.length && recalls[i]! < RECALL_POINTS[r]!) i++;
      if (i === all.length) break;
      precision[t * points + r] = precisions[i]!;
    }
  }
  return { precision, recall };
}
