import { assign } from '../../../operators/tracking/assignment.js';
import type { ScoredSequence } from './match-frames.js';

/** Whose way of counting is taken where the MOTChallenge devkit and TrackEval differ. */
export type MotView = 'devkit' | 'trackeval';

/** Counts of the CLEAR metrics (Bernardin and Stiefelhagen, 2008), to be summed over sequences. */
export interface ClearCounts {
  readonly tp: number;
  readonly fp: number;
  readonly fn: number;
  readonly switches: number;
  readonly fragments: number;
  readonly mostlyTracked: number;
  readonly partlyTracked: number;
  readonly mostlyLost: number;
  readonly gtTracks: number;
  /** Sum of the IoU of all matches. */
  readonly iouSum: number;
}

const EPS = 2 ** -52;
/** Outweighs any sum of overlaps in a frame: a pair that is still good is kept before anything else is matched. */
const KEEP = 1000;

/**
 * CLEAR counts of one sequence at IoU 0.5. The pair of the last frame stays if it still overlaps enough, the rest is
 * assigned by the greatest summed IoU. The views differ in three places:
 *
 * - a switch counts for TrackEval whenever the track differs from that of the object's last match; for the devkit only
 *   if the object is in the ground truth of the frame before too;
 * - a frame without results or without ground truth is skipped by TrackEval with the pairs of before kept, so a fragment may be missed;
 *   a gap of the ground truth itself is a fragment for both;
 * - for the devkit a track of share 0.2 … 0.8 is partly tracked only if the results last at least as many frames as it.
 */
export function countClear(sequence: ScoredSequence, view: MotView): ClearCounts {
  const { frames, gtTracks } = sequence;
  const lastTrack = new Int32Array(gtTracks).fill(-1);
  let pairs = new Int32Array(gtTracks).fill(-1);
  const gtFrames = new Int32Array(gtTracks);
  const matchedFrames = new Int32Array(gtTracks);
  const starts = new Int32Array(gtTracks);
  const inLastFrame = new Uint8Array(gtTracks);
  let [tp, fp, fn, switches, iouSum] = [0, 0, 0, 0, 0];
  for (const { gt, results, iou } of frames) {
    for (const object of gt) gtFrames[object]! += 1;
    const empty = gt.length === 0 || results.length === 0;
    const weight = iou.map((value, at) => {
      if (value < 0.5 - EPS) return 0;
      const object = gt[Math.floor(at / results.length)]!;
      return value + (pairs[object] === results[at % results.length] ? KEEP : 0);
    });
    const columns = assign(weight, gt.length, results.length);
    const now = new Int32Array(gtTracks).fill(-1);
    let matches = 0;
    columns.forEach((column, row) => {
      if (column < 0) return;
      const object = gt[row]!;
      const track = results[column]!;
      const changed = lastTrack[object]! >= 0 && lastTrack[object] !== track;
      if (changed && (view === 'trackeval' || inLastFrame[object])) switches++;
      if (pairs[object] === -1) starts[object]! += 1;
      now[object] = lastTrack[object] = track;
      matchedFrames[object]! += 1;
      iouSum += iou[row * results.length + column]!;
      matches++;
    });
    tp += matches;
    fn += gt.length - matches;
    fp += results.length - matches;
    inLastFrame.fill(0);
    for (const object of gt) inLastFrame[object] = 1;
    if (view === 'devkit' || !empty) pairs = now;
  }
  const shares = countShares(sequence, view, gtFrames, matchedFrames);
  const fragments = starts.reduce((sum, count) => sum + Math.max(0, count - 1), 0);
  return { tp, fp, fn, switches, fragments, ...shares, gtTracks, iouSum };
}

/** Mostly tracked: share of matched frames strictly over 0.8; mostly lost: strictly under 0.2. */
function countShares({ lastResultFrame }: ScoredSequence, view: MotView, gtFrames: Int32Array, matched: Int32Array) {
  let [mostlyTracked, partlyTracked, mostlyLost] = [0, 0, 0];
  gtFrames.forEach((length, object) => {
    const share = matched[object]! / length;
    if (share < 0.2) mostlyLost++;
    else if (share > 0.8) mostlyTracked++;
    else if (view === 'trackeval' || lastResultFrame >= length) partlyTracked++;
  });
  return { mostlyTracked, partlyTracked, mostlyLost };
}
