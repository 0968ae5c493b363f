import { boxIou } from '../geometry/box.js';
import { type BoxIndex, indexBoxes } from '../geometry/box-index.js';
import type { BoxXyxy, Detection, Size } from '../types.js';
import { mayBecome, type TrackerOptions } from './options.js';

/** A detection that passed the rules, with its place in the frame's list. */
export interface Candidate {
  readonly detection: Detection;
  readonly index: number;
}

/**
 * Which detections the tracker takes, best first. Refused: a side, or a score, that is no finite number; no area (also a
 * box turned inside out); wholly outside the frame; a score below `lowScore` or a second detection of the same object.
 * A box that leaves the frame in part stays as it is: cutting it would look like movement. A score over 1 counts as 1.
 *
 * The order depends on the detections alone, never on the order they came in: equal costs are then resolved alike.
 */
export function admit(detections: readonly Detection[], source: Size, options: TrackerOptions): Admitted {
  const sound: Candidate[] = [];
  detections.forEach((detection, index) => {
    if (!(detection.score >= options.lowScore) || !isInFrame(detection.box, source)) return;
    sound.push({ detection: detection.score > 1 ? { ...detection, score: 1 } : detection, index });
  });
  sound.sort((a, b) => compare(a.detection, b.detection));
  return withoutTwins(sound, options);
}

/** What was let in, and the index of its boxes. */
export interface Admitted {
  readonly candidates: readonly Candidate[];
  readonly index: BoxIndex;
}

/** Leaves out what lies on the place of a better one (`sound` is best first) and may be of the same class. */
function withoutTwins(sound: readonly Candidate[], options: TrackerOptions): Admitted {
  const index = indexBoxes(sound.map(({ detection }) => detection.box));
  const { boxes, order } = index;
  let count = 0;
  const isOut = new Uint8Array(sound.length);
  // Of two twins the left side of one lies inside the other.
  for (let place = 0; place < order.length; place++) {
    const at = 4 * place;
    const first = order[place]!;
    for (let next = place + 1; next < order.length && boxes[4 * next]! < boxes[at + 2]!; next++) {
      if (boxes[4 * next + 1]! >= boxes[at + 3]! || boxes[4 * next + 3]! <= boxes[at + 1]!) continue;
      const second = order[next]!;
      const a = sound[first]!.detection;
      const b = sound[second]!.detection;
      if (boxIou(a.box, b.box) < options.duplicateIou || !mayBecome(a.label, b.label, options)) continue;
      isOut[Math.max(first, second)] = 1;
      count++;
    }
  }
  if (count === 0) return { candidates: sound, index };
  const candidates = sound.filter((_, nth) => isOut[nth] === 0);
  return { candidates, index: indexBoxes(candidates.map(({ detection }) => detection.box)) };
}

function isInFrame([x1, y1, x2, y2]: BoxXyxy, { width, height }: Size): boolean {
  // NaN fails every comparison; an infinite side fails the last line.
  if (!(x2 > x1 && y2 > y1 && x2 > 0 && y2 > 0 && x1 < width && y1 < height)) return false;
  return Number.isFinite(x2 - x1) && Number.isFinite(y2 - y1);
}

function compare(a: Detection, b: Detection): number {
  if (a.score !== b.score) return b.score - a.score;
  for (let side = 0; side < 4; side++) if (a.box[side] !== b.box[side]) return a.box[side]! - b.box[side]!;
  return a.label < b.label ? -1 : a.label > b.label ? 1 : 0;
}
