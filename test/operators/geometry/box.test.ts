import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { shiftBy, warpBox } from '../../../operators/geometry/affine.js';
import { boxArea, boxIou, boxScale, clipBox, moveBox } from '../../../operators/geometry/box.js';
import type { BoxXyxy } from '../../../operators/types.js';

const side = fc.double({ min: 1, max: 500, noNaN: true });
const place = fc.double({ min: -500, max: 1500, noNaN: true });
const boxes = fc.tuple(place, place, side, side).map(([x, y, w, h]): BoxXyxy => [x, y, x + w, y + h]);

describe('boxes', () => {
  it('overlap is symmetric, between 0 and 1, and 1 with itself', () => {
    fc.assert(
      fc.property(boxes, boxes, (a, b) => {
        expect(boxIou(a, b)).toBe(boxIou(b, a));
        expect(boxIou(a, b)).toBeGreaterThanOrEqual(0);
        expect(boxIou(a, b)).toBeLessThanOrEqual(1 + 1e-12);
        expect(boxIou(a, a)).toBeCloseTo(1, 9);
      }),
      { seed: 3 },
    );
  });

  it('overlap by hand: a third, a touch, nothing, no area', () => {
    expect(boxIou([0, 0, 20, 10], [10, 0, 30, 10])).toBeCloseTo(1 / 3, 12);
    expect(boxIou([0, 0, 10, 10], [10, 0, 20, 10])).toBe(0);
    expect(boxIou([0, 0, 10, 10], [50, 50, 60, 60])).toBe(0);
    expect(boxIou([5, 5, 5, 5], [0, 0, 10, 10])).toBe(0);
  });

  it('clipping keeps the part inside, and nothing of what is outside', () => {
    expect(clipBox([-5, 2, 30, 12], { width: 20, height: 10 })).toEqual([0, 2, 20, 10]);
    expect(clipBox([20, 0, 30, 10], { width: 20, height: 10 })).toBeUndefined();
  });

  it('area, longer side and moving', () => {
    expect(boxArea([1, 2, 4, 10])).toBe(24);
    expect(boxScale([1, 2, 4, 10])).toBe(8);
    expect(moveBox([1, 2, 4, 10], 5, -1)).toEqual([6, 1, 9, 9]);
  });
});

describe('affine motion', () => {
  it('a shift moves a box, a zoom scales it, a quarter turn keeps its size', () => {
    expect(warpBox(shiftBy(5, -1), [1, 2, 4, 10])).toEqual([6, 1, 9, 9]);
    expect(warpBox([2, 0, 0, 0, 2, 0], [1, 2, 4, 10])).toEqual([2, 4, 8, 20]);
    const [x1, y1, x2, y2] = warpBox([0, -1, 0, 1, 0, 0], [0, 0, 4, 10]);
    expect([x1 + x2, y1 + y2].map((sum) => sum / 2)).toEqual([-5, 2]);
    expect([x2 - x1, y2 - y1]).toEqual([4, 10]);
  });
});
