import { boxIou } from '../../operators/geometry/box.js';
import type { BoxXyxy } from '../../operators/types.js';
import type { FrameInstances } from '../adapters/adapter.js';

/** How far the instances of two models are the same. */
export interface Agreement {
  /** Instances of the first at the least score or above. */
  readonly instances: number;
  /** Share of them that the second has too: same class, boxes that overlap by half, at half the least score or above. */
  readonly found: number;
  /** Mean IoU of the boxes that were found. */
  readonly meanIou: number;
}

/**
 * Compares two models frame by frame, best instances first, each of the second paired once.
 *
 * @param least  score from which on an instance counts
 */
export function agreementOf(
  float: readonly FrameInstances[],
  int8: readonly FrameInstances[],
  least: number,
): Agreement {
  let instances = 0;
  let found = 0;
  let ious = 0;
  for (const [n, a] of float.entries()) {
    const b = int8[n]!; // Both are of the same frames.
    const free = new Set(Array.from({ length: b.count }, (_, i) => i).filter((i) => b.scores[i]! >= least / 2));
    for (let i = 0; i < a.count; i++) {
      if (a.scores[i]! < least) continue;
      instances++;
      let best = -1;
      let most = 0.5;
      for (const j of free) {
        if (a.classes[i] !== b.classes[j]) continue;
        const iou = boxIou(boxOf(a, i), boxOf(b, j));
        if (iou < most) continue;
        most = iou;
        best = j;
      }
      if (best < 0) continue;
      free.delete(best);
      found++;
      ious += most;
    }
  }
  return { instances, found: instances ? found / instances : 1, meanIou: found ? ious / found : 1 };
}

function boxOf({ boxes }: FrameInstances, i: number): BoxXyxy {
  return [boxes[4 * i]!, boxes[4 * i + 1]!, boxes[4 * i + 2]!, boxes[4 * i + 3]!];
}
