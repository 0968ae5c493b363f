import type { BoxXyxy } from '../types.js';

/**
 * Constant-velocity Kalman filter of one box. The four measured quantities (centre x, centre y, width, height) are
 * independent, so each has its own 2-state filter (value, rate) and no matrix is needed. Time in seconds.
 */
export interface BoxMotion {
  /** `[value, rate, P00, P01, P11]` for x, y, w, h: 20 numbers. */
  readonly axes: Float64Array;
}

/** Noise relative to the box's height, as in SORT and DeepSORT, but a second long instead of a frame. */
const MEASURE = 0.05;
const ACCELERATION = 1.5;
const FIRST_RATE = 1.5;

const AXIS = 5;

/** Motion of a box seen for the first time: at rest, with great doubt about it. */
export function startMotion(box: BoxXyxy): BoxMotion {
  const axes = new Float64Array(4 * AXIS);
  const scale = scaleOf(box);
  measured(box).forEach((value, index) => {
    axes.set([value, 0, (2 * MEASURE * scale) ** 2, 0, (FIRST_RATE * scale) ** 2], index * AXIS);
  });
  return { axes };
}

/** Moves the motion on by `dtS` ≥ 0 seconds. */
export function predictMotion({ axes: before }: BoxMotion, dtS: number): BoxMotion {
  const axes = Float64Array.from(before);
  const noise = (ACCELERATION * Math.max(before[2 * AXIS]!, before[3 * AXIS]!)) ** 2;
  for (let at = 0; at < axes.length; at += AXIS) {
    const p01 = axes[at + 3]!;
    const p11 = axes[at + 4]!;
    axes[at]! += axes[at + 1]! * dtS;
    axes[at + 2]! += dtS * (2 * p01 + dtS * p11) + (noise * dtS ** 4) / 4;
    axes[at + 3] = p01 + dtS * p11 + (noise * dtS ** 3) / 2;
    axes[at + 4] = p11 + noise * dtS ** 2;
  }
  // A shrinking box must not turn inside out.
  for (const at of [2 * AXIS, 3 * AXIS]) axes[at] = Math.max(1, axes[at]!);
  return { axes };
}

/** Takes a measured box in. */
export function correctMotion({ axes: before }: BoxMotion, box: BoxXyxy): BoxMotion {
  const axes = Float64Array.from(before);
  const r = (MEASURE * scaleOf(box)) ** 2;
  measured(box).forEach((value, index) => {
    const at = index * AXIS;
    const p00 = axes[at + 2]!;
    const p01 = axes[at + 3]!;
    const innovation = value - axes[at]!;
    const gain0 = p00 / (p00 + r);
    const gain1 = p01 / (p00 + r);
    axes[at]! += gain0 * innovation;
    axes[at + 1]! += gain1 * innovation;
    axes[at + 2] = (1 - gain0) * p00;
    axes[at + 3] = (1 - gain0) * p01;
    axes[at + 4]! -= gain1 * p01;
  });
  return { axes };
}

export function boxOf({ axes }: BoxMotion): BoxXyxy {
  const [x, y, w, h] = [axes[0]!, axes[AXIS]!, axes[2 * AXIS]!, axes[3 * AXIS]!];
  return [x - w / 2, y - h / 2, x + w / 2, y + h / 2];
}

/** `[vx, vy]` of the centre, pixels per second. */
export const velocityOf = ({ axes }: BoxMotion): readonly [number, number] => [axes[1]!, axes[AXIS + 1]!];

const measured = ([x1, y1, x2, y2]: BoxXyxy): number[] => [(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1];
const scaleOf = ([x1, y1, x2, y2]: BoxXyxy): number => Math.max(x2 - x1, y2 - y1, 1);
