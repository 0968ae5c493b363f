import { assign } from '../../../operators/tracking/assignment.js';
import type { ScoredSequence } from './match-frames.js';

/** Counts of the identity metrics (Ristani et al., 2016), to be summed over sequences. */
export interface IdentityCounts {
  readonly idtp: number;
  readonly idfp: number;
  readonly idfn: number;
}

/** One assignment of whole ground truth tracks to whole result tracks, by the number of frames with IoU ≥ 0.5. */
export function countIdentity({ frames, gtTracks, resultTracks }: ScoredSequence): IdentityCounts {
  const together = new Float64Array(gtTracks * resultTracks);
  let [gtBoxes, resultBoxes] = [0, 0];
  for (const { gt, results, iou } of frames) {
    gtBoxes += gt.length;
    resultBoxes += results.length;
    let at = 0;
    for (const object of gt) {
      for (const track of results) if (iou[at++]! >= 0.5) together[object * resultTracks + track]! += 1;
    }
  }
  let idtp = 0;
  assign(together, gtTracks, resultTracks).forEach((track, object) => {
    if (track >= 0) idtp += together[object * resultTracks + track]!;
  });
  return { idtp, idfp: resultBoxes - idtp, idfn: gtBoxes - idtp };
}
