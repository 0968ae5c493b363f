import type { Size } from '../types.js';
import type { Structure } from './structure.js';

/**
 * Shift, turn and scale about the middle of a grid of cells, from a picture to the next:
 * `z' = middle + (shiftX, shiftY) + (re + i·im) · (z − middle)`, points as complex numbers.
 */
export interface Similarity {
  readonly shiftX: number;
  readonly shiftY: number;
  readonly re: number;
  readonly im: number;
}

export const AT_REST: Similarity = { shiftX: 0, shiftY: 0, re: 1, im: 0 };

/** The same motion of a picture of `factor` times the size. */
export const resized = ({ shiftX, shiftY, re, im }: Similarity, factor: number): Similarity => ({
  shiftX: shiftX * factor,
  shiftY: shiftY * factor,
  re,
  im,
});

/** Cells by which a motion moves the corners of a grid at most. */
export const reachOf = ({ shiftX, shiftY, re, im }: Similarity, { width, height }: Size): number =>
  Math.hypot(shiftX, shiftY) + (Math.hypot(width, height) / 2) * Math.hypot(re - 1, im);

/**
 * What of the later picture lies where each cell of the earlier one has moved to, `[height, width]`; NaN where that is out of view.
 *
 * @param everyRow  only every so many-th row is filled, the others are NaN
 */
export function interpolate(
  { width, height, values }: Structure,
  { shiftX, shiftY, re, im }: Similarity,
  everyRow = 1,
): Float32Array {
  const moved = new Float32Array(width * height).fill(Number.NaN);
  const middleX = (width - 1) / 2;
  const middleY = (height - 1) / 2;
  for (let y = 1; y < height - 1; y += everyRow) {
    let toX = middleX + shiftX - re * middleX - im * (y - middleY);
    let toY = middleY + shiftY - im * middleX + re * (y - middleY);
    for (let x = 0; x < width; x++, toX += re, toY += im) {
      if (!(toX >= 0 && toY >= 0 && toX < width - 1 && toY < height - 1)) continue;
      const left = toX | 0;
      const top = toY | 0;
      const fx = toX - left;
      const at = top * width + left;
      const above = values[at]! + fx * (values[at + 1]! - values[at]!);
      const below = values[at + width]! + fx * (values[at + width + 1]! - values[at + width]!);
      moved[y * width + x] = above + (toY - top) * (below - above);
    }
  }
  return moved;
}
