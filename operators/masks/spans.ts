import type { BoxXyxy, MaskRle } from '../types.js';
import { assertFills, rleToRuns } from './runs.js';

/** A mask taken apart for many comparisons: its foreground as vertical stretches in frame coordinates. */
export interface MaskSpans {
  /** `[n, 3]`: column `x`, first row, row after the last; ascending by column, then row; never touching in a column. */
  readonly spans: Int32Array;
  /** Pixels. */
  readonly area: number;
  /** Tight box around the foreground; all zeros when there is none. */
  readonly box: BoxXyxy;
}

/**
 * Takes a mask apart once, so that comparing it costs no decoding.
 *
 * @throws RangeError when `counts` is no run-length code or does not fill `size`
 */
export function maskSpans({ counts, size, origin }: MaskRle): MaskSpans {
  return runsSpans(rleToRuns(counts), size, origin);
}

/**
 * The same from runs; see {@link maskSpans}.
 *
 * @throws RangeError when the runs do not fill `size`
 */
export function runsSpans(
  runs: Uint32Array,
  [height, width]: MaskRle['size'],
  [left, top]: MaskRle['origin'],
): MaskSpans {
  assertFills(runs, height, width);
  let count = 0;
  for (let i = 1, at = runs[0] ?? 0; i < runs.length; i += 2) {
    const end = at + runs[i]!;
    if (end > at) count += Math.floor((end - 1) / height) - Math.floor(at / height) + 1;
    at = end + (runs[i + 1] ?? 0);
  }
  const spans = new Int32Array(count * 3);
  let [n, area, y1, y2] = [0, 0, height, 0];
  for (let i = 1, at = runs[0] ?? 0; i < runs.length; i += 2) {
    const end = at + runs[i]!;
    area += end - at;
    while (at < end) {
      const x = Math.floor(at / height);
      const from = at - x * height;
      const to = Math.min(end - x * height, height);
      spans[n] = left + x;
      spans[n + 1] = top + from;
      spans[n + 2] = top + to;
      n += 3;
      if (from < y1) y1 = from;
      if (to > y2) y2 = to;
      at = x * height + to;
    }
    at += runs[i + 1] ?? 0;
  }
  if (count === 0) return { spans, area, box: [0, 0, 0, 0] };
  return { spans, area, box: [spans[0]!, top + y1, spans[n - 3]! + 1, top + y2] };
}

/** Pixels that both masks cover. */
export function spansIntersection(a: MaskSpans, b: MaskSpans): number {
  if (a.box[0] >= b.box[2] || b.box[0] >= a.box[2] || a.box[1] >= b.box[3] || b.box[1] >= a.box[3]) return 0;
  const p = a.spans;
  const q = b.spans;
  let pixels = 0;
  for (let i = 0, j = 0; i < p.length && j < q.length; ) {
    const dx = p[i]! - q[j]!;
    if (dx < 0) i += 3;
    else if (dx > 0) j += 3;
    else {
      const pEnd = p[i + 2]!;
      const qEnd = q[j + 2]!;
      const overlap = Math.min(pEnd, qEnd) - Math.max(p[i + 1]!, q[j + 1]!);
      if (overlap > 0) pixels += overlap;
      if (pEnd < qEnd) i += 3;
      else j += 3;
    }
  }
  return pixels;
}

/**
 * Intersection over union, 0 when both are empty.
 *
 * @param crowd  the COCO rule for a crowd region as `b`: divide by the area of `a` alone
 */
export function spansIou(a: MaskSpans, b: MaskSpans, crowd = false): number {
  const both = spansIntersection(a, b);
  return both === 0 ? 0 : both / (crowd ? a.area : a.area + b.area - both);
}
