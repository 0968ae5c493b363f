import type { Affine } from '../../../operators/geometry/affine.js';
import type { Thumbnail } from '../../../operators/types.js';

/** A thumbnail as a picture of 1920 × 1080 gives it to a model of 640 × 360. */
export const GRID = { width: 91, height: 51, cellWidth: 21, cellHeight: 21 } as const;
export const MIDDLE = [(GRID.width * GRID.cellWidth) / 2, (GRID.height * GRID.cellHeight) / 2] as const;

/** Brightness of a wall without end at a place in source pixels. */
export type World = (x: number, y: number) => number;

/** A wall with something to see at every size, from a tenth of the picture down to a cell: noise on lattices (Perlin 1985). */
export function wallOf(seed: number): World {
  const value = (layer: number, i: number, j: number): number => {
    let hash = Math.imul(i, 0x9e3779b1) ^ Math.imul(j, 0x85ebca6b) ^ Math.imul(seed * 7 + layer, 0xc2b2ae35);
    hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
    hash = Math.imul(hash ^ (hash >>> 12), 0x297a2d39);
    return ((hash ^ (hash >>> 15)) >>> 0) / 2 ** 32;
  };
  const ease = (t: number): number => t * t * (3 - 2 * t);
  const LAYERS = [
    { pitch: 400, weight: 90 },
    { pitch: 170, weight: 60 },
    { pitch: 75, weight: 40 },
  ];
  return (x, y) => {
    let sum = 30;
    for (const [layer, { pitch, weight }] of LAYERS.entries()) {
      const [u, v] = [x / pitch, y / pitch];
      const [i, j] = [Math.floor(u), Math.floor(v)];
      const [fx, fy] = [ease(u - i), ease(v - j)];
      const above = value(layer, i, j) * (1 - fx) + value(layer, i + 1, j) * fx;
      const below = value(layer, i, j + 1) * (1 - fx) + value(layer, i + 1, j + 1) * fx;
      sum += weight * (above * (1 - fy) + below * fy);
    }
    return sum;
  };
}

/**
 * What a camera sees of a world, nine points a cell.
 *
 * @param place  where in the world the point of the picture (source pixels) is
 */
export function look(
  world: World,
  place: (x: number, y: number) => readonly [number, number] = (x, y) => [x, y],
): Thumbnail {
  const { width, height, cellWidth, cellHeight } = GRID;
  const luma = new Float32Array(width * height);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      let sum = 0;
      for (let point = 0; point < 9; point++) {
        const x = (column + ((point % 3) + 0.5) / 3) * cellWidth;
        const y = (row + (Math.floor(point / 3) + 0.5) / 3) * cellHeight;
        sum += world(...place(x, y));
      }
      luma[row * width + column] = sum / 9;
    }
  }
  return { ...GRID, luma };
}

/** The world as a camera sees it whose picture has moved by `dx`, `dy` source pixels, turned and grown about its middle. */
export function lookMoved(world: World, dx: number, dy: number, turn = 0, scale = 1): Thumbnail {
  const [cos, sin] = [Math.cos(turn) / scale, Math.sin(turn) / scale];
  return look(world, (x, y) => {
    const [u, v] = [x - MIDDLE[0] - dx, y - MIDDLE[1] - dy];
    return [MIDDLE[0] + cos * u + sin * v, MIDDLE[1] - sin * u + cos * v];
  });
}

/** The same picture with each cell changed. */
export const changed = (
  picture: Thumbnail,
  change: (value: number, column: number, row: number) => number,
): Thumbnail => ({
  ...picture,
  luma: picture.luma.map((value, at) =>
    Math.max(0, Math.min(255, change(value, at % picture.width, Math.floor(at / picture.width)))),
  ),
});

/** Where a motion puts the middle and the corners of the picture, in source pixels. */
export const cornersAfter = ([a, b, c, d, e, f]: Affine): (readonly [number, number])[] =>
  [[0, 0], [2 * MIDDLE[0], 0], [0, 2 * MIDDLE[1]], [2 * MIDDLE[0], 2 * MIDDLE[1]], MIDDLE].map(([x, y]) => [
    a * x! + b * y! + c,
    d * x! + e * y! + f,
  ]);
