import { type Affine, warpPoint, warpScales } from '../geometry/affine.js';
import { boxScale } from '../geometry/box.js';
import type { BoxXyxy } from '../types.js';
import type { TrackerOptions } from './options.js';

/**
 * Constant-velocity Kalman filter of one box. The four measured quantities (centre x, centre y, width, height) are
 * independent, so each has its own 2-state filter (value, rate) and no matrix is needed. Time in seconds, so that any
 * frame rate and any gap is one step. Noise goes with the box's longer side.
 *
 * `[value, rate, P00, P01, P11]` for x, y, width, height: 20 numbers. Never written after it was returned.
 * A plain array, for V8 keeps typed arrays of this size outside its heap, where making one costs ten times as much.
 */
export type BoxMotion = readonly number[];

type Noise = Pick<TrackerOptions, 'measureNoise' | 'walkNoise' | 'accelerationNoise' | 'sizeNoise' | 'firstRate'>;

const AXIS = 5;
const WIDTH = 2 * AXIS;
const HEIGHT = 3 * AXIS;
/** A score of 0 makes a box this much less certain than one of 1 (variance 1 + this). */
const SCORE_DOUBT = 0.32;
/** Width and height change less than the place. */
const SIZE_FIRST_RATE = 0.3;

/** Motion of a box seen for the first time: at rest, with great doubt about it. */
export function startMotion(box: BoxXyxy, { measureNoise, firstRate }: Noise): BoxMotion {
  const motion: number[] = [];
  const scale = atLeastOne(boxScale(box));
  for (let axis = 0; axis < 4; axis++) {
    const rate = firstRate * scale * (axis < 2 ? 1 : SIZE_FIRST_RATE);
    motion.push(measured(box, axis), 0, (measureNoise * scale) ** 2, 0, rate ** 2);
  }
  return motion;
}

/** Moves the motion on by `dtS` ≥ 0 seconds; white acceleration and a random walk add doubt. */
export function predictMotion(before: BoxMotion, dtS: number, noise: Noise): BoxMotion {
  const motion = before.slice();
  const scale = motionScale(before);
  const walk = (noise.walkNoise * scale) ** 2 * dtS;
  const place = (noise.accelerationNoise * scale) ** 2;
  const size = (noise.sizeNoise * scale) ** 2;
  for (let at = 0; at < motion.length; at += AXIS) {
    const q = at < WIDTH ? place : size;
    const p01 = motion[at + 3]!;
    const p11 = motion[at + 4]!;
    motion[at]! += motion[at + 1]! * dtS;
    motion[at + 2]! += dtS * (2 * p01 + dtS * p11) + (q * dtS * dtS * dtS) / 3 + walk;
    motion[at + 3] = p01 + dtS * p11 + (q * dtS * dtS) / 2;
    motion[at + 4] = p11 + q * dtS;
  }
  // A shrinking box must not turn inside out.
  motion[WIDTH] = atLeastOne(motion[WIDTH]!);
  motion[HEIGHT] = atLeastOne(motion[HEIGHT]!);
  return motion;
}

/** Takes a measured box in; a low score makes it count less (Du et al., GIAOTracker). */
export function correctMotion(before: BoxMotion, box: BoxXyxy, score: number, { measureNoise }: Noise): BoxMotion {
  const motion = before.slice();
  const r = (measureNoise * atLeastOne(boxScale(box))) ** 2 * (1 + SCORE_DOUBT * (1 - score));
  for (let axis = 0; axis < 4; axis++) {
    const at = axis * AXIS;
    const p01 = motion[at + 3]!;
    const gain0 = motion[at + 2]! / (motion[at + 2]! + r);
    const gain1 = p01 / (motion[at + 2]! + r);
    const innovation = measured(box, axis) - motion[at]!;
    motion[at]! += gain0 * innovation;
    motion[at + 1]! += gain1 * innovation;
    motion[at + 2]! *= 1 - gain0;
    motion[at + 3] = (1 - gain0) * p01;
    motion[at + 4]! -= gain1 * p01;
  }
  return motion;
}

/** The doubt of `moved` about the place and speed of `before`. */
export function stayInPlace(moved: BoxMotion, before: BoxMotion): BoxMotion {
  const motion = moved.slice();
  for (let at = 0; at < motion.length; at += AXIS) motion[at] = before[at]!;
  return motion;
}

/** The doubt of `moved` about a box at rest. */
export function standAt(moved: BoxMotion, box: BoxXyxy): BoxMotion {
  const motion = moved.slice();
  for (let axis = 0; axis < 4; axis++) {
    motion[axis * AXIS] = measured(box, axis);
    motion[axis * AXIS + 1] = 0;
  }
  return motion;
}

/** The same motion elsewhere. */
export function shiftMotion(before: BoxMotion, dx: number, dy: number): BoxMotion {
  const motion = before.slice();
  motion[0]! += dx;
  motion[AXIS]! += dy;
  return motion;
}

/** The motion as a moved camera would have seen it. */
export function warpMotion(before: BoxMotion, affine: Affine): BoxMotion {
  const motion = before.slice();
  const [a, b, , d, e] = affine;
  [motion[0], motion[AXIS]] = warpPoint(affine, before[0]!, before[AXIS]!);
  [motion[1], motion[AXIS + 1]] = [a * before[1]! + b * before[AXIS + 1]!, d * before[1]! + e * before[AXIS + 1]!];
  // Variances are scaled but not mixed between the axes: cameras tilt little between two frames.
  const scales = warpScales(affine);
  for (let axis = 0; axis < 4; axis++) {
    const scale = scales[axis % 2]!;
    const at = axis * AXIS;
    if (axis >= 2) {
      motion[at]! *= scale;
      motion[at + 1]! *= scale;
    }
    for (const k of [2, 3, 4]) motion[at + k]! *= scale ** 2;
  }
  return motion;
}

export function boxOf(motion: BoxMotion): BoxXyxy {
  const halfWidth = motion[WIDTH]! / 2;
  const halfHeight = motion[HEIGHT]! / 2;
  const x = motion[0]!;
  const y = motion[AXIS]!;
  return [x - halfWidth, y - halfHeight, x + halfWidth, y + halfHeight];
}

/** `[vx, vy]` of the centre, pixels per second. */
export const velocityOf = (motion: BoxMotion): readonly [number, number] => [motion[1]!, motion[AXIS + 1]!];

/** Standard deviation of the centre as a share of the longer side. */
export const doubtOf = (motion: BoxMotion): number => Math.sqrt(motion[2]!) / motionScale(motion);

const motionScale = (motion: BoxMotion): number => Math.max(motion[WIDTH]!, motion[HEIGHT]!, 1);
const atLeastOne = (length: number): number => Math.max(1, length);

/** Centre x, centre y, width or height of a box. */
function measured(box: BoxXyxy, axis: number): number {
  if (axis === 0) return (box[0] + box[2]) / 2;
  if (axis === 1) return (box[1] + box[3]) / 2;
  return axis === 2 ? box[2] - box[0] : box[3] - box[1];
}
