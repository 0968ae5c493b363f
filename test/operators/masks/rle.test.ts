import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  decodeRle,
  encodeRle,
  maskIou,
  rleArea,
  rleToRuns,
  runsToRle,
  shiftMask,
} from '../../../operators/masks/rle.js';
import type { MaskRle } from '../../../operators/types.js';

/** A mask with its pixels, anywhere near the origin; runs of equal pixels are likely, as in real masks. */
const masks = fc
  .record({
    h: fc.integer({ min: 1, max: 12 }),
    w: fc.integer({ min: 1, max: 12 }),
    x: fc.integer({ min: -6, max: 12 }),
    y: fc.integer({ min: -6, max: 12 }),
    seed: fc.array(fc.boolean(), { minLength: 144, maxLength: 144 }),
    block: fc.integer({ min: 1, max: 4 }),
  })
  .map(({ h, w, x, y, seed, block }) => {
    const bits = new Uint8Array(h * w);
    for (let i = 0; i < bits.length; i++) {
      bits[i] = seed[Math.floor(Math.floor(i / w) / block) * 12 + Math.floor((i % w) / block)] ? 1 : 0;
    }
    const mask: MaskRle = { size: [h, w], origin: [x, y], counts: encodeRle(bits, h, w) };
    return { bits, mask };
  });

const pixelsOf = ({ bits, mask }: { bits: Uint8Array; mask: MaskRle }): Set<string> => {
  const [, w] = mask.size;
  const pixels = new Set<string>();
  bits.forEach((bit, i) => {
    if (bit) pixels.add(`${mask.origin[0] + (i % w)},${mask.origin[1] + Math.floor(i / w)}`);
  });
  return pixels;
};

test('the examples of the COCO tools give their runs', () => {
  expect([...rleToRuns(encodeRle(Uint8Array.of(0, 0, 1, 1, 1, 0, 1), 7, 1))]).toEqual([2, 3, 1, 1]);
  expect([...rleToRuns(encodeRle(Uint8Array.of(1, 1, 1, 1, 1, 1, 0), 7, 1))]).toEqual([0, 6, 1]);
});

test('decoding undoes encoding, and the area is the sum of the bits', () => {
  fc.assert(
    fc.property(masks, ({ bits, mask }) => {
      expect(decodeRle(mask)).toEqual(bits);
      expect(rleArea(mask)).toBe(bits.reduce((sum, bit) => sum + bit, 0));
    }),
  );
});

test('any runs come back from their string', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 2 ** 31 - 1 })), (runs) => {
      expect([...rleToRuns(runsToRle(runs))]).toEqual(runs);
    }),
  );
});

test('IoU counts shared pixels of crops with different origins, both ways round', () => {
  fc.assert(
    fc.property(masks, masks, (a, b) => {
      const [p, q] = [pixelsOf(a), pixelsOf(b)];
      const both = [...p].filter((pixel) => q.has(pixel)).length;
      const union = p.size + q.size - both;
      expect(maskIou(a.mask, b.mask)).toBe(union === 0 ? 0 : both / union);
      expect(maskIou(b.mask, a.mask)).toBe(maskIou(a.mask, b.mask));
    }),
    { numRuns: 500 },
  );
});

test('a mask that is not empty has IoU 1 with itself, wherever both are shifted', () => {
  fc.assert(
    fc.property(
      masks,
      masks,
      fc.integer({ min: -900, max: 900 }),
      fc.integer({ min: -900, max: 900 }),
      (a, b, dx, dy) => {
        expect(maskIou(a.mask, a.mask)).toBe(rleArea(a.mask) > 0 ? 1 : 0);
        expect(maskIou(shiftMask(a.mask, dx, dy), shiftMask(b.mask, dx, dy))).toBe(maskIou(a.mask, b.mask));
      },
    ),
  );
});

test.each([
  ['a character outside the code', '1 2', /" " at 1/],
  ['an end inside a number', '1X', /ends inside a number/],
  ['a number without end', 'ooooooooooo', /at 7/],
  ['a negative run', 'O', /run 0 .* is -1/],
])('refuses %s', (_what, counts, message) => {
  expect(() => rleToRuns(counts)).toThrow(message);
});

test('refuses runs that do not fill the size', () => {
  expect(() => decodeRle({ size: [2, 2], counts: runsToRle([1, 2]) })).toThrow('add up to 3; its size 2 x 2 needs 4');
  expect(() => decodeRle({ size: [2, 2], counts: runsToRle([1, 4000]) })).toThrow(RangeError);
});

test('survives a mask of a hundred thousand runs', () => {
  const bits = Uint8Array.from({ length: 400 * 500 }, (_, i) => Math.floor(i / 500) % 2);
  const counts = encodeRle(bits, 400, 500);
  expect(rleToRuns(counts)).toHaveLength(200_000);
  expect(Buffer.compare(decodeRle({ size: [400, 500], counts }), bits)).toBe(0);
});
