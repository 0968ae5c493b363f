import type { Placement, Size, Thumbnail } from '../types.js';

/** A thumbnail has at most so many cells along its longer side. */
const MOST_CELLS = 96;

/**
 * Thumbnail of the picture that lies in a model's input; the filling around it is left away. Each cell is the mean of equally
 * many whole input pixels (cells of uneven size would look like motion), so up to a cell is left away at the right and bottom edge.
 *
 * @param pixels      `[…, inputWidth, 3]` rgb24; only read
 * @param inputWidth  pixels in a row of the input
 */
export function makeThumbnail(pixels: Uint8Array, inputWidth: number, placement: Placement, source: Size): Thumbnail {
  const { scaleX, scaleY, offsetX, offsetY } = placement;
  const pictureWidth = Math.round(source.width * scaleX);
  const pictureHeight = Math.round(source.height * scaleY);
  // Cells are square in the source, also where the input is stretched: a turn of the camera stays a turn.
  const finest = Math.max(1, Math.max(source.width, source.height) / MOST_CELLS);
  const across = Math.max(1, Math.ceil(finest * scaleX));
  const down = Math.max(1, Math.ceil(finest * scaleY));
  const width = Math.floor(pictureWidth / across);
  const height = Math.floor(pictureHeight / down);
  const luma = new Float32Array(width * height);
  // Weights of ITU-R BT.601 in 1/256: whole numbers, so that the order of the sum does not matter.
  const share = 1 / (256 * across * down);
  const left = 3 * Math.round(offsetX);
  const top = Math.round(offsetY);
  for (let cellY = 0; cellY < height; cellY++) {
    const row = cellY * width;
    for (let y = top + cellY * down; y < top + (cellY + 1) * down; y++) {
      let at = 3 * y * inputWidth + left;
      for (let cellX = 0; cellX < width; cellX++) {
        let sum = 0;
        for (const end = at + 3 * across; at < end; at += 3) {
          sum += 77 * pixels[at]! + 150 * pixels[at + 1]! + 29 * pixels[at + 2]!;
        }
        luma[row + cellX]! += sum;
      }
    }
    for (let cell = row; cell < row + width; cell++) luma[cell]! *= share;
  }
  return { width, height, cellWidth: across / scaleX, cellHeight: down / scaleY, luma };
}
