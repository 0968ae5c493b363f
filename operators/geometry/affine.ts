import type { BoxXyxy } from '../types.js';

/** `[a, b, c, d, e, f]`: x' = a·x + b·y + c, y' = d·x + e·y + f, in source pixels. */
export type Affine = readonly [number, number, number, number, number, number];

/** Moves every point by `[dx, dy]`. */
export const shiftBy = (dx: number, dy: number): Affine => [1, 0, dx, 0, 1, dy];

export function warpPoint([a, b, c, d, e, f]: Affine, x: number, y: number): readonly [number, number] {
  return [a * x + b * y + c, d * x + e * y + f];
}

/** How many times longer a horizontal stretch becomes, and a vertical one. A rotation leaves both at 1. */
export function warpScales([a, b, , d, e]: Affine): readonly [number, number] {
  return [Math.hypot(a, d), Math.hypot(b, e)];
}

/** The box around the moved centre with its sides scaled; a rotation moves a box, it does not inflate it. */
export function warpBox(affine: Affine, [x1, y1, x2, y2]: BoxXyxy): BoxXyxy {
  const [x, y] = warpPoint(affine, (x1 + x2) / 2, (y1 + y2) / 2);
  const [scaleX, scaleY] = warpScales(affine);
  const halfWidth = ((x2 - x1) / 2) * scaleX;
  const halfHeight = ((y2 - y1) / 2) * scaleY;
  return [x - halfWidth, y - halfHeight, x + halfWidth, y + halfHeight];
}
