import { boxArea, boxIou, clipToBox } from '../geometry/box.js';
import type { BoxXyxy } from '../types.js';
import type { TrackerOptions } from './options.js';

/** Where a track stands, and since when. */
export interface Stillness {
  /** The box it had when it came to stand here; it does not follow, or a creeping object would stand for ever. */
  readonly box: BoxXyxy;
  readonly sincePts: number;
  /** First of the detections in a row that are away from the place; undefined while it is there. */
  readonly awayPts: number | undefined;
  /** It has stood for `restAfterS`: while it is not seen, it is expected where it stood. */
  readonly isResting: boolean;
  /** It has stood for `stationaryAfterS`. */
  readonly isStationary: boolean;
}

/** Jitter of a box in place stays above this overlap with where it stood. */
const SAME_PLACE_IOU = 0.7;
/** A smaller box with this share inside where the object stands is the same object, cut by something before it. */
const INSIDE_SHARE = 0.85;

export const startStill = (box: BoxXyxy, pts: number): Stillness => ({
  box,
  sincePts: pts,
  awayPts: undefined,
  isResting: false,
  isStationary: false,
});

/**
 * Judges a new detection. A moving track that is elsewhere starts to count anew at once, one at rest only after
 * `leaveAfterS` where what is seen is a part of it, a stationary one only after that whatever is seen: a passer-by in
 * front of it cuts or shifts its box for a moment.
 */
export function keepStill(before: Stillness, box: BoxXyxy, pts: number, options: TrackerOptions): Stillness {
  const cut = isCut(before, box);
  if (isInPlace(before, box) || (cut && before.isStationary)) {
    const stoodS = pts - before.sincePts;
    const isResting = before.isResting || stoodS >= options.restAfterS;
    const isStationary = before.isStationary || stoodS >= options.stationaryAfterS;
    if (before.awayPts === undefined && isResting === before.isResting && isStationary === before.isStationary)
      return before;
    return { box: before.box, sincePts: before.sincePts, awayPts: undefined, isResting, isStationary };
  }
  const awayPts = before.awayPts ?? pts;
  const stays = (before.isStationary || cut) && pts - awayPts <= options.leaveAfterS;
  return stays ? { ...before, awayPts } : startStill(box, pts);
}

/** True when a box fills the place, jitter aside. */
export const isInPlace = ({ box: place }: Stillness, box: BoxXyxy): boolean => boxIou(box, place) >= SAME_PLACE_IOU;

/** True when an object at rest is seen in part only: its box then says nothing about movement. */
export function isCut(still: Stillness, box: BoxXyxy): boolean {
  if (!still.isResting || isInPlace(still, box)) return false;
  const inside = clipToBox(box, still.box);
  return inside !== undefined && boxArea(inside) >= INSIDE_SHARE * boxArea(box);
}
