import type { Structure } from './structure.js';

/** Regions that a picture is asked in, across and down: a passer-by fills few of them, a camera moves them all. */
const COLUMNS = 6;
const ROWS = 4;
export const REGIONS = COLUMNS * ROWS;
/** A region of which fewer cells than this are still in view is not asked. */
const LEAST_CELLS = 30;
/** Least mean square of the structure that makes a region one with something in it; noise of two grey levels has 0.02. */
const LEAST_STRUCTURE = 0.08;
/** Correlation from which a region shows the same as before: of 10,800 regions of unrelated pictures 13 reach it. */
const SAME = 0.6;
/** A region is heard when noise of the size of what is left unexplained would move its vote by less than 0.3. */
const CLEARLY = 44;

/** What the regions of a picture say about a motion, against a rival that claims something else. */
export interface Vote {
  /** Regions in which the two claims differ enough to tell. */
  readonly heard: number;
  /** Of those, for the motion, and for the rival. */
  readonly agree: number;
  readonly refuse: number;
}

/** How far the regions show the same in two pictures. */
export interface Likeness {
  /** Regions with something in them in both. */
  readonly structured: number;
  /** Of those, such as show the same. */
  readonly same: number;
  /** Mean correlation of the structured ones, −1…1; 1 when there are none. */
  readonly mean: number;
}

/**
 * Puts two claims about the later picture to the vote. With `r` the difference that a claim leaves and `q` the difference
 * between the claims, a region's vote is `Σ(r² of the rival − r² of the motion) / Σq²`: 1 where the motion is exactly what happened,
 * −1 where the rival is, whatever their size; where twice the motion happened it is 3.
 *
 * @param moved  `[height, width]` the later picture as the motion brings it back, NaN out of view; `rival` likewise
 */
export function voteOf(before: Structure, moved: Float32Array, rival: Float32Array): Vote {
  const { width, height, values } = before;
  const columnOf = columnsOf(width);
  const cells = new Float64Array(REGIONS);
  const left = new Float64Array(REGIONS);
  const gain = new Float64Array(REGIONS);
  const apart = new Float64Array(REGIONS);
  for (let y = 1; y < height - 1; y++) {
    const row = Math.floor((y * ROWS) / height) * COLUMNS;
    for (let x = 1; x < width - 1; x++) {
      const at = y * width + x;
      const ofMotion = moved[at]! - values[at]!;
      const ofRival = rival[at]! - values[at]!;
      const between = ofMotion - ofRival;
      if (Number.isNaN(between)) continue;
      const region = row + columnOf[x]!;
      cells[region]!++;
      left[region]! += ofMotion * ofMotion;
      gain[region]! += ofRival * ofRival - ofMotion * ofMotion;
      apart[region]! += between * between;
    }
  }
  let [heard, agree, refuse] = [0, 0, 0];
  for (let region = 0; region < REGIONS; region++) {
    if (cells[region]! < LEAST_CELLS || !(apart[region]! * cells[region]! > CLEARLY * left[region]!)) continue;
    const vote = gain[region]! / apart[region]!;
    heard++;
    if (vote > 0.5 && vote < 1.5) agree++;
    if (vote < -0.5) refuse++;
  }
  return { heard, agree, refuse };
}

/** Compares the regions of two pictures by correlation. `after` as `moved` above. */
export function likenessOf(before: Structure, after: Float32Array): Likeness {
  const { width, height, values } = before;
  const columnOf = columnsOf(width);
  const cells = new Float64Array(REGIONS);
  const both = new Float64Array(REGIONS);
  const ofBefore = new Float64Array(REGIONS);
  const ofAfter = new Float64Array(REGIONS);
  for (let y = 1; y < height - 1; y++) {
    const row = Math.floor((y * ROWS) / height) * COLUMNS;
    for (let x = 1; x < width - 1; x++) {
      const a = values[y * width + x]!;
      const b = after[y * width + x]!;
      if (Number.isNaN(b)) continue;
      const region = row + columnOf[x]!;
      cells[region]!++;
      both[region]! += a * b;
      ofBefore[region]! += a * a;
      ofAfter[region]! += b * b;
    }
  }
  let [structured, same, sum] = [0, 0, 0];
  for (let region = 0; region < REGIONS; region++) {
    const least = LEAST_STRUCTURE * cells[region]!;
    if (cells[region]! < LEAST_CELLS || ofBefore[region]! < least || ofAfter[region]! < least) continue;
    const correlation = both[region]! / Math.sqrt(ofBefore[region]! * ofAfter[region]!);
    structured++;
    sum += correlation;
    if (correlation > SAME) same++;
  }
  return { structured, same, mean: structured > 0 ? sum / structured : 1 };
}

/** Which column of regions each column of cells belongs to. */
const columnsOf = (width: number): Uint8Array =>
  Uint8Array.from({ length: width }, (_, x) => Math.floor((x * COLUMNS) / width));
