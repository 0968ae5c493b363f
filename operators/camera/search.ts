import type { Thumbnail } from '../types.js';
import { refineShift, refineTurn } from './refine.js';
import { AT_REST, interpolate, resized, type Similarity } from './similarity.js';
import { halve, type Structure } from './structure.js';

/** The same picture at falling sizes, each half of the one before. */
export type Pyramid = readonly [fine: Structure, middle: Structure, coarse: Structure];

/** So many peaks of the coarse search are looked at more closely, beside no shift at all. */
const PEAKS = 6;
/** So many of those go on from the coarsest pictures to the middle ones. */
const FINALISTS = 3;
/** Shifts that leave less than this share of the picture in view are not looked for. */
const LEAST_OVERLAP = 0.35;
/** What moves by itself stands out less in small pictures: see `refineShift`. */
const STRAY_COARSE = 0.8;
const STRAY_MIDDLE = 0.6;

/**
 * The shift between two pictures that explains most of the difference, if one does: the best whole shifts of the coarsest
 * pictures, refined, and the best of those on the middle ones. Always gives an answer, in cells of the fine pictures, to be
 * refined there; whether to believe it is the caller's affair.
 */
export function searchShift(before: Pyramid, after: Pyramid): Similarity {
  const coarse = [
    AT_REST,
    ...peaksOf(before[2], after[2])
      .slice(0, PEAKS)
      .map(({ shift }) => shift),
  ];
  const middle = bestOf(coarse, FINALISTS, before[2], after[2], STRAY_COARSE).map((motion) => resized(motion, 2));
  const [best] = bestOf(middle, 1, before[1], after[1], STRAY_MIDDLE);
  return resized(best ?? AT_REST, 2);
}

/** Lets a shift turn and grow, on the middle pictures and then on the fine ones; undefined where that runs away. */
export function searchTurn(before: Pyramid, after: Pyramid, shift: Similarity): Similarity | undefined {
  const middle = refineTurn(before[1], after[1], resized(shift, 1 / 2), 2);
  return middle && refineTurn(before[0], after[0], resized(middle, 2), 3);
}

/** Refines each and gives those that agree best, best first. */
function bestOf(starts: readonly Similarity[], most: number, a: Structure, b: Structure, stray: number): Similarity[] {
  return starts
    .flatMap((start) => refineShift(a, b, start, stray, 1) ?? [])
    .map((motion) => ({ motion, agreement: agreementOf(a, b, motion) }))
    .sort((one, other) => other.agreement - one.agreement)
    .slice(0, most)
    .map(({ motion }) => motion);
}

/** Exhaustive search over whole cells: the shifts that agree better than those beside them, best first. */
function peaksOf(a: Structure, b: Structure): { readonly agreement: number; readonly shift: Similarity }[] {
  const { width, height } = a;
  const mostX = Math.floor(width * (1 - LEAST_OVERLAP));
  const mostY = Math.floor(height * (1 - LEAST_OVERLAP));
  const columns = 2 * mostX + 1;
  const rows = 2 * mostY + 1;
  // A frame of one around, so that every shift has eight beside it.
  const stride = columns + 2;
  const found = new Float32Array(stride * (rows + 2)).fill(-1);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const [dx, dy] = [column - mostX, row - mostY];
      const overlap = (width - Math.abs(dx)) * (height - Math.abs(dy));
      if (overlap < LEAST_OVERLAP * width * height) continue;
      found[(row + 1) * stride + column + 1] = agreementAt(a, b, dx, dy);
    }
  }
  const beside = [-stride - 1, -stride, -stride + 1, -1, 1, stride - 1, stride, stride + 1];
  const peaks: { readonly agreement: number; readonly shift: Similarity }[] = [];
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const at = (row + 1) * stride + column + 1;
      const agreement = found[at]!;
      if (!(agreement > 0) || beside.some((step) => found[at + step]! > agreement)) continue;
      peaks.push({ agreement, shift: { ...AT_REST, shiftX: column - mostX, shiftY: row - mostY } });
    }
  }
  return peaks.sort((one, other) => other.agreement - one.agreement);
}

/** Correlation over the overlap, times the root of its share: a small overlap agrees by chance. */
function agreementAt(
  { width, height, values: a }: Structure,
  { values: b }: Structure,
  dx: number,
  dy: number,
): number {
  let [both, ofA, ofB] = [0, 0, 0];
  const [x1, x2] = [Math.max(0, -dx), Math.min(width, width - dx)];
  const [y1, y2] = [Math.max(0, -dy), Math.min(height, height - dy)];
  for (let y = y1; y < y2; y++) {
    for (let at = y * width + x1, other = (y + dy) * width + x1 + dx; at < y * width + x2; at++, other++) {
      const p = a[at]!;
      const q = b[other]!;
      both += p * q;
      ofA += p * p;
      ofB += q * q;
    }
  }
  const share = ((x2 - x1) * (y2 - y1)) / (width * height);
  return ofA > 0 && ofB > 0 ? (both / Math.sqrt(ofA * ofB)) * Math.sqrt(share) : 0;
}

/** The same for any motion. */
function agreementOf(a: Structure, b: Structure, motion: Similarity): number {
  const moved = interpolate(b, motion);
  let [both, ofA, ofB, count] = [0, 0, 0, 0];
  for (let at = 0; at < moved.length; at++) {
    const value = moved[at]!;
    if (Number.isNaN(value)) continue;
    const p = a.values[at]!;
    both += p * value;
    ofA += p * p;
    ofB += value * value;
    count++;
  }
  return ofA > 0 && ofB > 0 ? (both / Math.sqrt(ofA * ofB)) * Math.sqrt(count / moved.length) : 0;
}

/**
 * Likeness of the layout of light and dark of two pictures, however they are shifted: the best correlation of their coarsest
 * thumbnails, brightness taken off, times the root of the share in which they overlap.
 */
export function layoutLikeness(a: Thumbnail, b: Thumbnail): number {
  return peaksOf(layoutOf(a), layoutOf(b))[0]?.agreement ?? 0;
}

/** Without taking brightness off place by place: large plain areas count here. */
function layoutOf(thumbnail: Thumbnail): Structure {
  const middle = halve(thumbnail.luma, thumbnail);
  const { width, height, luma } = halve(middle.luma, middle);
  const mean = luma.reduce((sum, value) => sum + value, 0) / luma.length;
  return { width, height, values: luma.map((value) => value - mean) };
}
