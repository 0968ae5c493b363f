import type { Size } from '../types.js';

/** Contrast is taken over a square of this many cells to each side. */
const REACH = 3;
/** Grey levels (0…255) of contrast at which structure counts half: below it is noise and compression. */
const HALF_CONTRAST = 6;

/** A thumbnail at one size, free of brightness. */
export interface Structure extends Size {
  /** `[height, width]`, mean about 0, spread about 1 where there is something to see, near 0 where all is flat. */
  readonly values: Float32Array;
}

/**
 * Takes the mean of each cell's surroundings off and divides by their spread, so that neither the gain nor the offset of the
 * brightness is left, of the whole picture or of a part of it: lamps, clouds and automatic exposure change little.
 *
 * @param luma  `[height, width]` 0…255; only read
 */
export function structureOf(luma: Float32Array, { width, height }: Size): Structure {
  const values = new Float32Array(width * height);
  const soft = smooth(luma, width, height);
  // Sums over all rows so far within REACH of a column, one row of columns at a time.
  const sums = new Float64Array(width);
  const squares = new Float64Array(width);
  const addRow = (y: number, sign: number): void => {
    for (let x = 0, at = y * width; x < width; x++, at++) {
      const value = soft[at]!;
      sums[x]! += sign * value;
      squares[x]! += sign * value * value;
    }
  };
  for (let y = 0; y < Math.min(REACH, height); y++) addRow(y, 1);
  for (let y = 0; y < height; y++) {
    if (y + REACH < height) addRow(y + REACH, 1);
    if (y - REACH > 0) addRow(y - REACH - 1, -1);
    const rows = Math.min(height - 1, y + REACH) - Math.max(0, y - REACH) + 1;
    let sum = 0;
    let square = 0;
    for (let x = 0; x < Math.min(REACH, width); x++) {
      sum += sums[x]!;
      square += squares[x]!;
    }
    for (let x = 0; x < width; x++) {
      if (x + REACH < width) {
        sum += sums[x + REACH]!;
        square += squares[x + REACH]!;
      }
      if (x - REACH > 0) {
        sum -= sums[x - REACH - 1]!;
        square -= squares[x - REACH - 1]!;
      }
      const count = rows * (Math.min(width - 1, x + REACH) - Math.max(0, x - REACH) + 1);
      const mean = sum / count;
      const variance = Math.max(0, square / count - mean * mean);
      values[y * width + x] = (soft[y * width + x]! - mean) / Math.sqrt(variance + HALF_CONTRAST ** 2);
    }
  }
  return { width, height, values };
}

/** The same picture at half the size: means of two by two cells. */
export function halve(luma: Float32Array, { width, height }: Size): Size & { readonly luma: Float32Array } {
  const halfWidth = width >> 1;
  const halfHeight = height >> 1;
  const half = new Float32Array(halfWidth * halfHeight);
  for (let y = 0; y < halfHeight; y++) {
    for (let x = 0; x < halfWidth; x++) {
      const at = 2 * y * width + 2 * x;
      half[y * halfWidth + x] = (luma[at]! + luma[at + 1]! + luma[at + width]! + luma[at + width + 1]!) / 4;
    }
  }
  return { width: halfWidth, height: halfHeight, luma: half };
}

/** Weights ¼ ½ ¼ both ways: between two cells a picture is then what lies between their values. */
function smooth(luma: Float32Array, width: number, height: number): Float32Array {
  const across = new Float32Array(luma.length);
  for (let y = 0; y < height; y++) {
    const start = y * width;
    const end = start + width - 1;
    for (let at = start; at <= end; at++) {
      const before = luma[at > start ? at - 1 : at]!;
      const after = luma[at < end ? at + 1 : at]!;
      across[at] = (before + 2 * luma[at]! + after) / 4;
    }
  }
  const both = new Float32Array(luma.length);
  for (let y = 0; y < height; y++) {
    const above = y > 0 ? -width : 0;
    const below = y < height - 1 ? width : 0;
    for (let at = y * width; at < (y + 1) * width; at++) {
      both[at] = (across[at + above]! + 2 * across[at]! + across[at + below]!) / 4;
    }
  }
  return both;
}
