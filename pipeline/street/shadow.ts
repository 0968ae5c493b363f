import { lookAlong } from './camera.js';
import type { Mesh } from './mesh.js';
import { type DepthGrid, drawMesh, ORIGIN } from './raster.js';
import { plus, times, type Vec3 } from './vector.js';

/** Points along each side of the sun's view. */
const GRID = 1400;
/** Width of the street that it covers, m, and how far away it is taken from; far enough that its rays are parallel. */
const COVER_M = 110;
const AWAY_M = 900;
/** What lies less than this behind what the sun sees is lit too, m. */
const SLACK_M = 0.35;

/**
 * How much of the sun reaches a place, 0…1, with everything that stands still in its way (a shadow map, Williams 1978, with
 * the mean of four neighbours for soft edges).
 */
export function castShadows(sun: Vec3, meshes: readonly Mesh[]): (x: number, y: number, z: number) => number {
  const middle: Vec3 = [38, 5, 0];
  const at = plus(middle, times(sun, AWAY_M));
  const camera = lookAlong(at, times(sun, -1), AWAY_M / COVER_M, { width: GRID, height: GRID });
  const grid: DepthGrid = { width: GRID, height: GRID, nearness: new Float32Array(GRID * GRID) };
  // Ground cannot shade anything, and is by far the most to draw.
  for (const mesh of meshes) drawMesh(grid, camera, mesh, ORIGIN, undefined, { only: (material) => !material.ground });
  const { right, down, forward, focal } = camera;
  return (x, y, z) => {
    const dx = x - at[0];
    const dy = y - at[1];
    const dz = z - at[2];
    const depth = dx * forward[0] + dy * forward[1] + dz * forward[2];
    const u = GRID / 2 + (focal * (dx * right[0] + dy * right[1] + dz * right[2])) / depth - 0.5;
    const v = GRID / 2 + (focal * (dx * down[0] + dy * down[1] + dz * down[2])) / depth - 0.5;
    const column = Math.floor(u);
    const row = Math.floor(v);
    if (column < 0 || row < 0 || column >= GRID - 1 || row >= GRID - 1) return 1;
    const least = 1 / (depth - SLACK_M);
    const index = row * GRID + column;
    const lit = (i: number): number => (grid.nearness[i]! < least ? 1 : 0);
    const a = u - column;
    const b = v - row;
    return (
      (lit(index) * (1 - a) + lit(index + 1) * a) * (1 - b) +
      (lit(index + GRID) * (1 - a) + lit(index + GRID + 1) * a) * b
    );
  };
}
