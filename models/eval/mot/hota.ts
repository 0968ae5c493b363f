import { assign } from '../../../operators/tracking/assignment.js';
import type { ScoredSequence } from './match-frames.js';

/** IoU thresholds 0.05, 0.10 … 0.95. */
export const HOTA_THRESHOLDS: readonly number[] = Array.from({ length: 19 }, (_, index) => 0.05 * (index + 1));

/** Counts of HOTA (Luiten et al., 2020) per threshold, to be summed over sequences. */
export interface HotaCounts {
  readonly tp: Float64Array;
  readonly fp: Float64Array;
  readonly fn: Float64Array;
  /** Sum over the true positives of their association share (A(c) in the paper). */
  readonly assSum: Float64Array;
  /** Sum over the true positives of their IoU. */
  readonly iouSum: Float64Array;
}

const EPS = 2 ** -52;

/**
 * HOTA counts of one sequence, as TrackEval takes them: one assignment a frame for all thresholds, by IoU times the
 * Jaccard index of the two whole tracks; pairs under a threshold are dropped afterwards.
 */
export function countHota({ frames, gtTracks, resultTracks }: ScoredSequence): HotaCounts {
  const n = HOTA_THRESHOLDS.length;
  const counts = { tp: zeros(n), fp: zeros(n), fn: zeros(n), assSum: zeros(n), iouSum: zeros(n) };
  const gtLength = new Float64Array(gtTracks);
  const resultLength = new Float64Array(resultTracks);
  const alike = alignment(frames, gtTracks, resultTracks, gtLength, resultLength);

  // Frames in which a pair of tracks is matched: `[gtTracks, resultTracks]` per threshold.
  const matches = HOTA_THRESHOLDS.map(() => new Float64Array(gtTracks * resultTracks));
  for (const { gt, results, iou } of frames) {
    const weight = iou.map(
      (value, at) =>
        value * alike[gt[Math.floor(at / results.length)]! * resultTracks + results[at % results.length]!]!,
    );
    const columns = assign(weight, gt.length, results.length);
    for (let a = 0; a < n; a++) {
      let paired = 0;
      columns.forEach((column, row) => {
        if (column < 0) return;
        const overlap = iou[row * results.length + column]!;
        if (overlap < HOTA_THRESHOLDS[a]! - EPS) return;
        paired++;
        counts.iouSum[a]! += overlap;
        matches[a]![gt[row]! * resultTracks + results[column]!]! += 1;
      });
      counts.tp[a]! += paired;
      counts.fn[a]! += gt.length - paired;
      counts.fp[a]! += results.length - paired;
    }
  }
  for (let a = 0; a < n; a++) {
    matches[a]!.forEach((count, at) => {
      if (count === 0) return;
      const union = gtLength[Math.floor(at / resultTracks)]! + resultLength[at % resultTracks]! - count;
      counts.assSum[a]! += (count * count) / union;
    });
  }
  return counts;
}

/** Jaccard index of each pair of whole tracks, with potential matches summed softly; also fills the lengths. */
function alignment(
  frames: ScoredSequence['frames'],
  gtTracks: number,
  resultTracks: number,
  gtLength: Float64Array,
  resultLength: Float64Array,
): Float64Array {
  const potential = new Float64Array(gtTracks * resultTracks);
  for (const { gt, results, iou } of frames) {
    const rowSum = new Float64Array(gt.length);
    const columnSum = new Float64Array(results.length);
    iou.forEach((value, at) => {
      rowSum[Math.floor(at / results.length)]! += value;
      columnSum[at % results.length]! += value;
    });
    iou.forEach((value, at) => {
      const [row, column] = [Math.floor(at / results.length), at % results.length];
      const all = rowSum[row]! + columnSum[column]! - value;
      if (all > EPS) potential[gt[row]! * resultTracks + results[column]!]! += value / all;
    });
    for (const object of gt) gtLength[object]! += 1;
    for (const track of results) resultLength[track]! += 1;
  }
  return potential.map(
    (value, at) => value / (gtLength[Math.floor(at / resultTracks)]! + resultLength[at % resultTracks]! - value),
  );
}

const zeros = (n: number): Float64Array => new Float64Array(n);
