import fc from 'fast-check';
import { of, toArray } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { encodeRle } from '../../../operators/masks/rle.js';
import { findZones } from '../../../operators/zones/find-zones.js';
import { polygonPx, shareInside } from '../../../operators/zones/overlap.js';
import { instance, trackedFrame } from '../support-frames.js';

const frame = { width: 100, height: 100 };
const leftHalf = polygonPx(
  [
    [0, 0],
    [0.5, 0],
    [0.5, 1],
    [0, 1],
  ],
  frame,
);

describe('the share of an instance inside a polygon', () => {
  it('is that of the box where there is no mask', () => {
    expect(shareInside({ box: [10, 10, 40, 90] }, leftHalf)).toBe(1);
    expect(shareInside({ box: [60, 10, 90, 90] }, leftHalf)).toBe(0);
    expect(shareInside({ box: [25, 10, 75, 90] }, leftHalf)).toBeCloseTo(0.5);
  });

  it('is that of the mask where there is one, whatever the box says', () => {
    // The box is half inside, but all of the mask's pixels lie in the right half of the box.
    const bits = Uint8Array.from({ length: 20 * 40 }, (_, index) => (index % 40 >= 20 ? 1 : 0));
    const mask = { size: [20, 40] as const, origin: [30, 10] as const, counts: encodeRle(bits, 20, 40) };
    expect(shareInside({ box: [30, 10, 70, 30], mask }, leftHalf)).toBe(0);
  });

  it('follows the even-odd rule in a polygon with a notch', () => {
    const u = polygonPx(
      [
        [0, 0],
        [1, 0],
        [1, 1],
        [0.75, 1],
        [0.75, 0.5],
        [0.25, 0.5],
        [0.25, 1],
        [0, 1],
      ],
      frame,
    );
    expect(shareInside({ box: [30, 60, 70, 95] }, u)).toBe(0);
    expect(shareInside({ box: [30, 5, 70, 45] }, u)).toBe(1);
  });

  it('stays between 0 and 1, and a polygon and its complement share the box between them', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.05, max: 0.95, noNaN: true }),
        fc.nat(80),
        fc.nat(80),
        fc.integer({ min: 1, max: 20 }),
        (cut, x, y, side) => {
          const left = polygonPx(
            [
              [0, 0],
              [cut, 0],
              [cut, 1],
              [0, 1],
            ],
            frame,
          );
          const right = polygonPx(
            [
              [cut, 0],
              [1, 0],
              [1, 1],
              [cut, 1],
            ],
            frame,
          );
          const box = [x, y, x + side, y + side] as const;
          expect(shareInside({ box }, left) + shareInside({ box }, right)).toBeCloseTo(1, 6);
        },
      ),
    );
  });
});

describe('findZones', () => {
  const zones = {
    porch: {
      polygon: [
        [0, 0],
        [0.5, 0],
        [0.5, 1],
        [0, 1],
      ] as const,
      overlap: 0.3,
      labels: ['person'],
    },
  };
  const zonesOf = async (...instances: ReturnType<typeof instance>[]) => {
    const frames: (readonly string[])[] = [];
    await of(trackedFrame(0, instances))
      .pipe(findZones(zones), toArray())
      .forEach((all) => {
        for (const one of all) for (const { zones: names } of one.instances) frames.push(names);
      });
    return frames;
  };

  it('needs the configured share, the right label and a detection', async () => {
    expect(
      await zonesOf(
        instance('in', { box: [10, 10, 40, 90] }),
        instance('foot only', { box: [45, 10, 95, 90] }),
        instance('dog', { box: [10, 10, 40, 90], label: 'dog' }),
        instance('lost', { box: [10, 10, 40, 90], state: 'lost' }),
      ),
    ).toEqual([['porch'], [], [], []]);
  });

  it('moves its polygon when the size of the picture changes', async () => {
    const small = trackedFrame(0, [instance('a', { box: [30, 10, 45, 90] })]);
    const large = trackedFrame(1, [instance('a', { box: [60, 20, 90, 180] })], { source: { width: 200, height: 200 } });
    const seen: (readonly string[])[] = [];
    await of(small, large)
      .pipe(findZones(zones))
      .forEach((one) => seen.push(one.instances[0]!.zones));
    expect(seen).toEqual([['porch'], ['porch']]);
  });
});
