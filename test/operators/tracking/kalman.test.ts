import { describe, expect, it } from 'vitest';
import { shiftBy } from '../../../operators/geometry/affine.js';
import {
  boxOf,
  correctMotion,
  doubtOf,
  predictMotion,
  startMotion,
  velocityOf,
  warpMotion,
} from '../../../operators/tracking/kalman.js';
import { TRACKER_DEFAULTS } from '../../../operators/tracking/options.js';
import type { BoxXyxy } from '../../../operators/types.js';

const box: BoxXyxy = [100, 100, 140, 200];
const noise = TRACKER_DEFAULTS;
const moving = () => {
  let motion = startMotion(box, noise);
  for (let step = 1; step <= 20; step++) {
    const x = step * 4;
    motion = correctMotion(predictMotion(motion, 0.04, noise), [100 + x, 100, 140 + x, 200], 1, noise);
  }
  return motion;
};

describe('the box filter', () => {
  it('starts on the box, at rest', () => {
    expect(boxOf(startMotion(box, noise))).toEqual(box);
    expect(velocityOf(startMotion(box, noise))).toEqual([0, 0]);
  });

  it('two steps in time are one step of their sum, place and doubt alike', () => {
    // Width and height at rest: their change would change the noise between the two steps.
    const motion = startMotion(box, noise);
    const once = predictMotion(motion, 0.5, noise);
    const twice = predictMotion(predictMotion(motion, 0.2, noise), 0.3, noise);
    for (const [index, value] of once.entries()) expect(twice[index]).toBeCloseTo(value, 6);
  });

  it('learns a speed of 100 px/s within a second', () => {
    expect(velocityOf(moving())[0]).toBeGreaterThan(90);
    expect(velocityOf(moving())[0]).toBeLessThan(110);
  });

  it('doubts more the longer it predicts, and less after a detection', () => {
    const motion = moving();
    const later = predictMotion(motion, 1, noise);
    expect(doubtOf(later)).toBeGreaterThan(doubtOf(motion));
    expect(doubtOf(correctMotion(later, boxOf(later), 1, noise))).toBeLessThan(doubtOf(later));
  });

  it('believes a low score less', () => {
    const motion = predictMotion(startMotion(box, noise), 0.1, noise);
    const moved: BoxXyxy = [120, 100, 160, 200];
    const [sure] = correctMotion(motion, moved, 1, noise);
    const [unsure] = correctMotion(motion, moved, 0.1, noise);
    expect(unsure!).toBeLessThan(sure!);
  });

  it('never turns a shrinking box inside out', () => {
    let motion = startMotion(box, noise);
    motion = correctMotion(predictMotion(motion, 0.04, noise), [118, 140, 122, 160], 1, noise);
    const [x1, y1, x2, y2] = boxOf(predictMotion(motion, 60, noise));
    expect(x2 - x1).toBeGreaterThan(0);
    expect(y2 - y1).toBeGreaterThan(0);
  });

  it('a shift of the camera moves the place and nothing else', () => {
    const motion = moving();
    const shifted = warpMotion(motion, shiftBy(30, -10));
    expect(boxOf(shifted)[0]).toBeCloseTo(boxOf(motion)[0] + 30, 9);
    expect(boxOf(shifted)[1]).toBeCloseTo(boxOf(motion)[1] - 10, 9);
    expect(velocityOf(shifted)).toEqual(velocityOf(motion));
    expect(doubtOf(shifted)).toBe(doubtOf(motion));
  });

  it('a zoom scales place, size, speed and doubt alike', () => {
    const motion = moving();
    const zoomed = warpMotion(motion, [2, 0, 0, 0, 2, 0]);
    expect(boxOf(zoomed).map((side) => side / 2)).toEqual(boxOf(motion).map((side) => expect.closeTo(side, 9)));
    expect(velocityOf(zoomed)[0]).toBeCloseTo(2 * velocityOf(motion)[0], 9);
    expect(doubtOf(zoomed)).toBeCloseTo(doubtOf(motion), 9);
  });
});
