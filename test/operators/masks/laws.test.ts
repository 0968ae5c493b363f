import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cropMask, intersectMasks, mergeRuns, unionMasks } from '../../../operators/masks/combine.js';
import { maskContours } from '../../../operators/masks/contour.js';
import { pasteMask } from '../../../operators/masks/paste.js';
import { polygonRuns } from '../../../operators/masks/polygon.js';
import { decodeRle, encodeRle, rleArea } from '../../../operators/masks/rle.js';
import { runsArea } from '../../../operators/masks/runs.js';
import { maskSpans, spansIntersection } from '../../../operators/masks/spans.js';
import type { MaskRle } from '../../../operators/types.js';

const bitMaps = fc
  .record({ h: fc.integer({ min: 1, max: 12 }), w: fc.integer({ min: 1, max: 12 }) })
  .chain(({ h, w }) =>
    fc.array(fc.integer({ min: 0, max: 1 }), { minLength: h * w, maxLength: h * w }).map((bits) => ({
      h,
      w,
      bits: Uint8Array.from(bits),
    })),
  );
const masks = fc
  .tuple(bitMaps, fc.integer({ min: -8, max: 8 }), fc.integer({ min: -8, max: 8 }))
  .map(([{ h, w, bits }, x, y]): MaskRle => ({ size: [h, w], origin: [x, y], counts: encodeRle(bits, h, w) }));

/** Even-odd filling by the crossings left of each pixel's centre: shares nothing with the walk of the outlines. */
function fill(outlines: readonly Int32Array[], h: number, w: number): Uint8Array {
  const bits = new Uint8Array(h * w);
  for (const outline of outlines) {
    for (let i = 0; i < outline.length; i += 2) {
      const [x, y] = [outline[i]!, outline[i + 1]!];
      const next = (i + 2) % outline.length;
      if (outline[next] !== x) continue;
      const [from, to] = [Math.min(y, outline[next + 1]!), Math.max(y, outline[next + 1]!)];
      for (let row = from; row < to; row++) for (let at = x; at < w; at++) bits[row * w + at]! ^= 1;
    }
  }
  return bits;
}

test('outlines filled by the even-odd rule give back the mask, with corners only where they turn', () => {
  fc.assert(
    fc.property(bitMaps, ({ h, w, bits }) => {
      const outlines = maskContours(bits, h, w);
      expect(fill(outlines, h, w)).toEqual(bits);
      const turns = outlines.every((outline) =>
        outline.every((value, i) => {
          // Corners alternate: the first edge of each runs down or up, the next sideways.
          const moves = value !== outline[(i + 2) % outline.length];
          return (moves === ((i >> 1) % 2 === 1)) === (i % 2 === 0);
        }),
      );
      expect(turns).toBe(true);
    }),
    { numRuns: 300 },
  );
});

test('a ring has two outlines, and pixels that touch at a corner one each', () => {
  const ring = Uint8Array.of(1, 1, 1, 1, 0, 1, 1, 1, 1);
  expect(maskContours(ring, 3, 3).map((outline) => [...outline])).toEqual([
    [3, 0, 3, 3, 0, 3, 0, 0],
    [2, 2, 2, 1, 1, 1, 1, 2],
  ]);
  expect(maskContours(Uint8Array.of(1, 0, 0, 1), 2, 2)).toHaveLength(2);
  expect(maskContours(new Uint8Array(6), 2, 3)).toEqual([]);
});

test('union and intersection count as sets do, whatever the crops', () => {
  fc.assert(
    fc.property(masks, masks, (a, b) => {
      const union = unionMasks([a, b])!;
      const both = intersectMasks(a, b);
      const shared = both ? rleArea(both) : 0;
      expect(shared).toBe(spansIntersection(maskSpans(a), maskSpans(b)));
      expect(rleArea(union) + shared).toBe(rleArea(a) + rleArea(b));
    }),
  );
});

test('a larger crop keeps every pixel, and cropping back gives the first mask', () => {
  fc.assert(
    fc.property(masks, (mask) => {
      const frame = cropMask(mask, [-20, -20], { width: 60, height: 50 });
      expect(frame.size).toEqual([50, 60]);
      expect(decodeRle(frame)).toHaveLength(3000);
      expect(rleArea(frame)).toBe(rleArea(mask));
      expect(cropMask(frame, mask.origin, { width: mask.size[1], height: mask.size[0] })).toEqual(mask);
    }),
  );
});

test('the raster of a polygon differs from its area by no more than a strip along its outline', () => {
  const corner = fc.tuple(fc.double({ min: 2, max: 58, noNaN: true }), fc.double({ min: 2, max: 58, noNaN: true }));
  fc.assert(
    fc.property(fc.array(corner, { minLength: 3, maxLength: 3 }), (triangle) => {
      let twice = 0;
      let outline = 0;
      triangle.forEach(([x, y], i) => {
        const [nextX, nextY] = triangle[(i + 1) % 3]!;
        twice += x * nextY - nextX * y;
        outline += Math.hypot(nextX - x, nextY - y);
      });
      // The COCO tools round corners to a fifth of a pixel; a pixel on the outline may fall either way.
      const difference = Math.abs(runsArea(polygonRuns(triangle.flat(), 60, 60)) - Math.abs(twice) / 2);
      expect(difference).toBeLessThan(0.7 * outline + 3);
    }),
    { numRuns: 300 },
  );
});

test('a full map fills exactly the pixels whose centres lie in the box', () => {
  const full = new Float32Array(28 * 28).fill(1);
  expect(pasteMask(full, 28, 28, [812.5, 300, 901, 588.2], { width: 1920, height: 1080 })).toMatchObject({
    size: [288, 89],
    origin: [812, 300],
  });
  // The edge samples the map half-way out of its last cell: only a box well around the pixels fills them.
  const mask = pasteMask(full, 28, 28, [10, 10, 38, 66], { width: 100, height: 100 })!;
  expect(mask).toEqual({
    size: [56, 28],
    origin: [10, 10],
    counts: encodeRle(new Uint8Array(56 * 28).fill(1), 56, 28),
  });
});

test('nothing is left of a box outside the frame, without width, or with an empty map', () => {
  const full = new Float32Array(49).fill(1);
  const frame = { width: 50, height: 40 };
  expect(pasteMask(full, 7, 7, [50, 0, 80, 30], frame)).toBeUndefined();
  expect(pasteMask(full, 7, 7, [-20, 0, -1, 30], frame)).toBeUndefined();
  expect(pasteMask(full, 7, 7, [10, 10, 10, 30], frame)).toBeUndefined();
  expect(pasteMask(full, 7, 7, [Number.NaN, 10, 20, 30], frame)).toBeUndefined();
  expect(pasteMask(new Float32Array(49).fill(0.49), 7, 7, [10, 10, 20, 30], frame)).toBeUndefined();
});

test('pasting moves with the box by whole pixels', () => {
  fc.assert(
    fc.property(
      fc.array(fc.float({ min: 0, max: 1, noNaN: true }), { minLength: 49, maxLength: 49 }),
      fc.integer({ min: 0, max: 40 }),
      fc.integer({ min: 0, max: 40 }),
      (prob, dx, dy) => {
        const map = Float32Array.from(prob);
        const frame = { width: 100, height: 100 };
        // Quarters are exact in binary, so that both boxes give the same sums.
        const here = pasteMask(map, 7, 7, [3.25, 5.5, 45.25, 33.5], frame);
        const there = pasteMask(map, 7, 7, [3.25 + dx, 5.5 + dy, 45.25 + dx, 33.5 + dy], frame);
        expect(there).toEqual(here && { ...here, origin: [here.origin[0] + dx, here.origin[1] + dy] });
      },
    ),
  );
});

test('wrong sizes are refused by name', () => {
  expect(() => pasteMask(new Float32Array(3), 2, 2, [0, 0, 1, 1], { width: 9, height: 9 })).toThrow('has 3 values');
  expect(() => encodeRle(new Uint8Array(3), 2, 2)).toThrow('3 bits');
  expect(() => maskContours(new Uint8Array(3), 2, 2)).toThrow('3 bits');
  expect(() => polygonRuns([1, 2, 3], 9, 9)).toThrow('pairs');
  expect(() => polygonRuns([1, Number.NaN], 9, 9)).toThrow('NaN at 1');
  expect(() => mergeRuns([Uint32Array.of(4), Uint32Array.of(5)], 'union')).toThrow('different sizes');
  expect(() => mergeRuns([], 'union')).toThrow('no masks');
});
