import type { MaskRle } from '../types.js';
import { assertFills, RunWriter, rleToRuns, runsArea, runsToRle } from './runs.js';
import { maskSpans, spansIou } from './spans.js';

export { rleToRuns, runsToRle } from './runs.js';

/**
 * Bits to the compressed string of the COCO tools (see `runs.ts`).
 *
 * @param bits  `[height, width]` row-major; 0 is background, anything else foreground
 * @throws RangeError when `bits` is not `height · width` long
 */
export function encodeRle(bits: Uint8Array, height: number, width: number): string {
  return runsToRle(bitsToRuns(bits, height, width));
}

/**
 * Bits to runs; see {@link encodeRle}.
 *
 * @throws RangeError when `bits` is not `height · width` long
 */
export function bitsToRuns(bits: Uint8Array, height: number, width: number): Uint32Array {
  if (bits.length !== height * width) {
    throw new RangeError(`mask has ${bits.length} bits; ${height} rows of ${width} need ${height * width}`);
  }
  const runs = new RunWriter();
  let value: 0 | 1 = 0;
  let length = 0;
  for (let x = 0; x < width; x++) {
    for (let at = x; at < bits.length; at += width) {
      if ((bits[at] !== 0) === (value === 1)) length++;
      else {
        runs.push(value, length);
        value = value ? 0 : 1;
        length = 1;
      }
    }
  }
  runs.push(value, length);
  return runs.finish();
}

/**
 * The compressed string to bits.
 *
 * @returns `[h, w]` row-major, 0 or 1
 * @throws RangeError when the string is no run-length code or its runs do not fill `size` exactly
 */
export function decodeRle(mask: Pick<MaskRle, 'size' | 'counts'>): Uint8Array {
  const [height, width] = mask.size;
  const runs = rleToRuns(mask.counts);
  assertFills(runs, height, width);
  const bits = new Uint8Array(height * width);
  let at = 0;
  for (let i = 0; i < runs.length; i++) {
    const end = at + runs[i]!;
    if (i % 2) {
      for (let p = at, x = Math.floor(at / height), y = at - x * height; p < end; p++) {
        bits[y * width + x] = 1;
        if (++y === height) {
          y = 0;
          x++;
        }
      }
    }
    at = end;
  }
  return bits;
}

/** Foreground pixels of a compressed string. */
export function rleArea(mask: Pick<MaskRle, 'counts'>): number {
  return runsArea(rleToRuns(mask.counts));
}

/**
 * Intersection over union of two masks wherever their crops lie in the frame; 0 when both are empty. Nothing is
 * decoded to pixels: the time goes with the number of runs. For many pairs take {@link maskSpans} once per mask.
 */
export function maskIou(a: MaskRle, b: MaskRle): number {
  const [ax, ay] = a.origin;
  const [bx, by] = b.origin;
  const apart = ax >= bx + b.size[1] || bx >= ax + a.size[1] || ay >= by + b.size[0] || by >= ay + a.size[0];
  return apart ? 0 : spansIou(maskSpans(a), maskSpans(b));
}

/** The same pixels `dx` to the right and `dy` down (whole pixels). */
export function shiftMask(mask: MaskRle, dx: number, dy: number): MaskRle {
  return { size: mask.size, origin: [mask.origin[0] + dx, mask.origin[1] + dy], counts: mask.counts };
}
