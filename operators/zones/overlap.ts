import { decodeRle } from '../masks/rle.js';
import type { Instance, Size } from '../types.js';

/** A polygon in pixels of the source frame, `[x0, y0, x1, y1, …]`. */
export type Polygon = Float64Array;

/** Corners `[x, y]` of 0…1 → pixels of a frame of this size. */
export function polygonPx(corners: readonly (readonly [number, number])[], { width, height }: Size): Polygon {
  return Float64Array.from(corners.flatMap(([x, y]) => [x * width, y * height]));
}

/**
 * Share (0…1) of an instance that lies inside a polygon: of its mask's pixels when it has a mask, else of a grid over
 * its box. Not one point of the box: half a person behind a fence counts half. Even-odd rule, pixel centres.
 */
export function shareInside({ mask, box }: Pick<Instance, 'mask' | 'box'>, polygon: Polygon): number {
  if (!mask) return shareOfGrid(box, polygon);
  const [height, width] = mask.size;
  const [left, top] = mask.origin;
  const bits = decodeRle(mask);
  let area = 0;
  let inside = 0;
  for (let row = 0; row < height; row++) {
    const crossings = crossingsAt(polygon, top + row + 0.5);
    for (let column = 0; column < width; column++) {
      if (bits[row * width + column] === 0) continue;
      area++;
      if (isInside(crossings, left + column + 0.5)) inside++;
    }
  }
  return area === 0 ? 0 : inside / area;
}

const GRID = 16;

function shareOfGrid([x1, y1, x2, y2]: Instance['box'], polygon: Polygon): number {
  let inside = 0;
  for (let row = 0; row < GRID; row++) {
    const crossings = crossingsAt(polygon, y1 + ((row + 0.5) / GRID) * (y2 - y1));
    for (let column = 0; column < GRID; column++) {
      if (isInside(crossings, x1 + ((column + 0.5) / GRID) * (x2 - x1))) inside++;
    }
  }
  return inside / (GRID * GRID);
}

/** Where the polygon's edges cross a horizontal line, unsorted. */
function crossingsAt(polygon: Polygon, y: number): number[] {
  const crossings: number[] = [];
  for (let i = 0, j = polygon.length - 2; i < polygon.length; j = i, i += 2) {
    const y1 = polygon[j + 1]!;
    const y2 = polygon[i + 1]!;
    if (y1 > y === y2 > y) continue;
    const x1 = polygon[j]!;
    crossings.push(x1 + ((y - y1) / (y2 - y1)) * (polygon[i]! - x1));
  }
  return crossings;
}

const isInside = (crossings: readonly number[], x: number): boolean => {
  let left = 0;
  for (const crossing of crossings) if (crossing < x) left++;
  return left % 2 === 1;
};
