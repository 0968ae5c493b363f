import { boxIou } from '../geometry/box.js';
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
export function admit(detections: readonly Detection[], source: Size, options: TrackerOptions): Candidate[] {
  const sound: Candidate[] = [];
  detections.forEach((detection, index) => {
    if (!(detection.score >= options.lowScore) || !isInFrame(detection.box, source)) return;
    sound.push({ detection: detection.score > 1 ? { ...detection, score: 1 } : detection, index });
  });
  sound.sort((a, b) => compare(a.detection, b.detection));
  const kept: Candidate[] = [];
  // Boxes of `kept` in one array: nearly all pairs are far apart, which this tells without touching an object.
  const boxes = new Float64Array(4 * sound.length);
  for (const candidate of sound) {
    if (isTwin(candidate.detection, kept, boxes, options)) continue;
    boxes.set(candidate.detection.box, 4 * kept.length);
    kept.push(candidate);
  }
  return kept;
}

/** True when a better detection of what may be the same class lies on the same place. */
function isTwin(
  { label, box }: Detection,
  better: readonly Candidate[],
  boxes: Float64Array,
  options: TrackerOptions,
): boolean {
  const [x1, y1, x2, y2] = box;
  for (let index = 0, at = 0; index < better.length; index++, at += 4) {
    if (boxes[at]! >= x2 || boxes[at + 2]! <= x1 || boxes[at + 1]! >= y2 || boxes[at + 3]! <= y1) continue;
    const { detection } = better[index]!;
    if (boxIou(detection.box, box) >= options.duplicateIou && mayBecome(detection.label, label, options)) return true;
  }
  return false;
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
