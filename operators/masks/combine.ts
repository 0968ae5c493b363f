import type { MaskRle, Size } from '../types.js';
import { assertFills, RunWriter, rleToRuns, runsToRle } from './runs.js';
import { type MaskSpans, maskSpans } from './spans.js';

/**
 * Union or intersection of masks of one size, straight from their runs; the result has no empty run but perhaps the first.
 *
 * @param masks  runs that fill the same number of pixels each
 * @throws RangeError when they do not, or there are none
 */
export function mergeRuns(masks: readonly Uint32Array[], how: 'union' | 'intersection'): Uint32Array {
  const [first, ...others] = masks;
  if (!first) throw new RangeError('no masks to merge; at least one is needed');
  return others.reduce((merged, mask) => mergePair(merged, mask, how === 'union'), first);
}

function mergePair(a: Uint32Array, b: Uint32Array, union: boolean): Uint32Array {
  const merged = new RunWriter();
  let [i, j, leftA, leftB] = [0, 0, a[0] ?? 0, b[0] ?? 0];
  for (;;) {
    while (leftA === 0 && i < a.length) leftA = a[++i] ?? 0;
    while (leftB === 0 && j < b.length) leftB = b[++j] ?? 0;
    if (i >= a.length || j >= b.length) break;
    const length = Math.min(leftA, leftB);
    merged.push((union ? (i | j) & 1 : i & j & 1) ? 1 : 0, length);
    leftA -= length;
    leftB -= length;
  }
  if (i < a.length || j < b.length) throw new RangeError('masks of different sizes cannot be merged');
  return merged.finish();
}

/** Pixels that any of the masks covers, in a crop around all of theirs. Undefined for no masks. */
export function unionMasks(masks: readonly MaskRle[]): MaskRle | undefined {
  if (masks.length === 0) return undefined;
  const x1 = Math.min(...masks.map(({ origin }) => origin[0]));
  const y1 = Math.min(...masks.map(({ origin }) => origin[1]));
  const width = Math.max(...masks.map(({ origin, size }) => origin[0] + size[1])) - x1;
  const height = Math.max(...masks.map(({ origin, size }) => origin[1] + size[0])) - y1;
  return combine(masks, [x1, y1], { width, height }, 'union');
}

/** Pixels that both masks cover, in the crop that theirs share. Undefined when the crops share none. */
export function intersectMasks(a: MaskRle, b: MaskRle): MaskRle | undefined {
  const x1 = Math.max(a.origin[0], b.origin[0]);
  const y1 = Math.max(a.origin[1], b.origin[1]);
  const width = Math.min(a.origin[0] + a.size[1], b.origin[0] + b.size[1]) - x1;
  const height = Math.min(a.origin[1] + a.size[0], b.origin[1] + b.size[0]) - y1;
  return width > 0 && height > 0 ? combine([a, b], [x1, y1], { width, height }, 'intersection') : undefined;
}

function combine(
  masks: readonly MaskRle[],
  origin: MaskRle['origin'],
  size: Size,
  how: 'union' | 'intersection',
): MaskRle {
  const runs = masks.map((mask) => rleToRuns(cropMask(mask, origin, size).counts));
  return { size: [size.height, size.width], origin, counts: runsToRle(mergeRuns(runs, how)) };
}

/** The same pixels in another crop: cut off outside it, background where it is larger. For the whole frame: `[0, 0]`. */
export function cropMask(mask: MaskRle, origin: MaskRle['origin'], { width, height }: Size): MaskRle {
  const same = mask.size[0] === height && mask.size[1] === width;
  if (same && mask.origin[0] === origin[0] && mask.origin[1] === origin[1]) {
    assertFills(rleToRuns(mask.counts), height, width);
    return mask;
  }
  return spansToMask(maskSpans(mask), origin, { width, height });
}

/** A mask that was taken apart, written into a crop; what lies outside is cut off. */
function spansToMask({ spans }: MaskSpans, origin: MaskRle['origin'], { width, height }: Size): MaskRle {
  const runs = new RunWriter();
  let end = 0;
  for (let i = 0; i < spans.length; i += 3) {
    const x = spans[i]! - origin[0];
    const from = Math.max(spans[i + 1]! - origin[1], 0);
    const to = Math.min(spans[i + 2]! - origin[1], height);
    if (x < 0 || x >= width || from >= to) continue;
    runs.push(0, x * height + from - end);
    runs.push(1, to - from);
    end = x * height + to;
  }
  runs.push(0, width * height - end);
  return { size: [height, width], origin, counts: runsToRle(runs.finish()) };
}
