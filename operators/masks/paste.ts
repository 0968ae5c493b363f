import type { BoxXyxy, MaskRle, Size } from '../types.js';
import { RunWriter, runsArea, runsToRle } from './runs.js';

/**
 * Brings the small probability map of a box to source pixels and cuts at `threshold`.
 *
 * The rule is that of Detectron2's `paste_masks_in_image` (`grid_sample`, bilinear, `align_corners=False`, zeros outside):
 * the centre of source pixel x lies at `(x + 0.5 − x1) / (x2 − x1) · mw − 0.5` in the map, whose cells have their
 * centres at whole numbers, and a pixel belongs to the mask when its value is at least `threshold`.
 *
 * @param prob    `[mh, mw]` row-major, 0…1
 * @param source  size of the frame; the crop is clipped to it
 * @returns the mask in a crop of just the pixels that can belong to it: those whose centre lies in the box (for a
 *   threshold below 0.5, a part of a map's cell more). Undefined when no pixel belongs to it.
 * @throws RangeError when `prob` is not `mh · mw` long or the threshold is not above 0
 */
export function pasteMask(
  prob: Float32Array,
  mh: number,
  mw: number,
  box: BoxXyxy,
  source: Size,
  threshold = 0.5,
): MaskRle | undefined {
  if (prob.length !== mh * mw) throw new RangeError(`mask map has ${prob.length} values; ${mh} x ${mw} were expected`);
  if (!(threshold > 0)) throw new RangeError(`mask threshold is ${threshold}; it must be above 0`);
  const columns = sampleAxis(box[0], box[2], mw, source.width, threshold);
  const rows = sampleAxis(box[1], box[3], mh, source.height, threshold);
  if (!columns || !rows) return undefined;

  // One column of the crop at a time: first the map's column there, one zero row before and after it.
  const column = new Float64Array(mh + 2);
  const runs = new RunWriter();
  for (let x = 0; x < columns.count; x++) {
    const position = columns.positions[x]!;
    const cell = Math.floor(position);
    const part = position - cell;
    for (let r = 0; r < mh; r++) {
      const before = cell >= 0 && cell < mw ? prob[r * mw + cell]! : 0;
      const after = cell + 1 < mw ? prob[r * mw + cell + 1]! : 0;
      column[r + 1] = before + (after - before) * part;
    }
    for (let r = 0; r <= mh; r++) {
      const from = rows.cellStart[r]!;
      const to = rows.cellStart[r + 1]!;
      const before = column[r]!;
      const after = column[r + 1]!;
      // Between two rows of the map values run straight from one to the other: only a mixed pair needs its pixels seen.
      if (before >= threshold === after >= threshold) {
        runs.push(before >= threshold ? 1 : 0, to - from);
      } else {
        for (let y = from; y < to; y++) {
          const value = before + (after - before) * (rows.positions[y]! - (r - 1));
          runs.push(value >= threshold ? 1 : 0, 1);
        }
      }
    }
  }
  const found = runs.finish();
  if (runsArea(found) === 0) return undefined;
  return {
    size: [rows.count, columns.count],
    origin: [columns.first, rows.first],
    counts: runsToRle(found),
  };
}

interface AxisSamples {
  /** First pixel of the crop and number of its pixels. */
  readonly first: number;
  readonly count: number;
  /** Where each pixel's centre lies among the cells of the map. */
  readonly positions: Float64Array;
  /** First pixel (in the crop) at or after cell r − 1, for r = 0…cells + 1; the last is `count`. */
  readonly cellStart: Int32Array;
}

/** Pixels of one axis that can reach the threshold, and where they sample the map; undefined when there are none. */
function sampleAxis(
  low: number,
  high: number,
  cells: number,
  pixels: number,
  threshold: number,
): AxisSamples | undefined {
  const cellPx = (high - low) / cells;
  if (!(cellPx > 0 && cellPx < Number.POSITIVE_INFINITY)) return undefined;
  // On the edge of the box half of the outermost cell is left, and d cells further out 0.5 − d.
  const reach = Math.max(0, 0.5 - threshold) * cellPx;
  const first = Math.max(0, Math.ceil(low - reach - 0.5));
  const count = Math.min(pixels - 1, Math.floor(high + reach - 0.5)) - first + 1;
  if (!(count > 0)) return undefined;
  const positions = new Float64Array(count);
  const cellStart = new Int32Array(cells + 2).fill(count);
  let r = 0;
  for (let i = 0; i < count; i++) {
    const position = (first + i + 0.5 - low) / cellPx - 0.5;
    // Rounding alone could leave the half cell around the map.
    positions[i] = Math.min(Math.max(position, -1), cells);
    while (r < cells + 1 && r - 1 <= positions[i]!) cellStart[r++] = i;
  }
  return { first, count, positions, cellStart };
}
