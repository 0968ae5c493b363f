import type { BoxXyxy, Instance } from '../types.js';
import type { DrawnInstance } from './draw-instances.js';

/** The instances of one analysed frame at its time in a video. */
export interface TimedInstances {
  readonly tMs: number;
  readonly instances: readonly Instance[];
}

/** Between analysed frames farther apart than this nothing is drawn: nobody looked. */
const LONGEST_BRIDGE_MS = 2000;
/** Times of one frame from two files differ by less than this. */
const SAME_FRAME_MS = 0.75;

/**
 * What to draw at `tMs`: on an analysed frame exactly what was found in it, between two of them the boxes on their way
 * from the one to the other, for those seen in both. So nothing is drawn before a track's first or after its last
 * observation, nor while it is lost.
 *
 * @param frames  by rising `tMs`
 */
export function instancesAt(frames: readonly TimedInstances[], tMs: number): readonly DrawnInstance[] {
  let low = 0;
  let high = frames.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (frames[middle]!.tMs <= tMs + SAME_FRAME_MS) low = middle + 1;
    else high = middle;
  }
  const [before, after] = [frames[low - 1], frames[low]];
  if (!before) return [];
  if (Math.abs(before.tMs - tMs) <= SAME_FRAME_MS) return before.instances;
  if (!after || after.tMs - before.tMs > LONGEST_BRIDGE_MS) return [];
  const share = (tMs - before.tMs) / (after.tMs - before.tMs);
  const next = new Map(after.instances.map((instance) => [instance.id, instance]));
  return before.instances.flatMap((from) => {
    const to = next.get(from.id);
    if (!to || from.state === 'lost' || to.state === 'lost') return [];
    const nearer = share < 0.5 ? from : to;
    const box = [0, 1, 2, 3].map((i) => from.box[i]! + (to.box[i]! - from.box[i]!) * share) as unknown as BoxXyxy; // four of four
    const { mask, ...rest } = nearer;
    return [{ ...rest, box, ...(mask && { mask, maskBox: nearer.box }) }];
  });
}
