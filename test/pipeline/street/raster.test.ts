import { describe, expect, it } from 'vitest';
import { lookAlong, project } from '../../../pipeline/street/camera.js';
import type { Material } from '../../../pipeline/street/material.js';
import { type Mesh, MeshBuilder } from '../../../pipeline/street/mesh.js';
import { type DepthGrid, drawMesh, ORIGIN } from '../../../pipeline/street/raster.js';
import { dot, minus, type Vec3 } from '../../../pipeline/street/vector.js';

const SIZE = { width: 160, height: 90 };
const plain: Material = { albedo: [1, 1, 1], mirror: 0 };
const camera = lookAlong([0, 0, 4], [1, 0.2, -0.25], 0.9, SIZE);
const grid = (): DepthGrid => ({ ...SIZE, nearness: new Float32Array(SIZE.width * SIZE.height) });
const ground = (): Mesh =>
  new MeshBuilder()
    .fan(
      [
        [-50, -50, 0],
        [50, -50, 0],
        [50, 50, 0],
        [-50, 50, 0],
      ],
      [0, 0, 1],
      plain,
    )
    .finish();

describe('drawing triangles', () => {
  it('tells the place of every point to where its ray meets the ground, also under and behind the camera', () => {
    let points = 0;
    let worst = 0;
    drawMesh(grid(), camera, ground(), ORIGIN, (index, _material, point) => {
      points++;
      const a = ((index % SIZE.width) + 0.5 - SIZE.width / 2) / camera.focal;
      const b = (Math.floor(index / SIZE.width) + 0.5 - SIZE.height / 2) / camera.focal;
      const ray = [0, 1, 2].map(
        (k) => camera.forward[k]! + a * camera.right[k]! + b * camera.down[k]!,
      ) as unknown as Vec3; // three numbers
      const far = -camera.at[2] / ray[2];
      worst = Math.max(worst, Math.abs(camera.at[0] + far * ray[0] - point[0]!) / far, Math.abs(point[2]!) / far);
    });
    expect(points).toBeGreaterThan(SIZE.width * SIZE.height * 0.5);
    expect(worst).toBeLessThan(1e-4);
  });

  it('covers every point of a shape of two triangles once, and none outside', () => {
    const counts = new Uint8Array(SIZE.width * SIZE.height);
    const corners: Vec3[] = [
      [10, -2.013, 1.007],
      [10, 3.021, 1.011],
      [10, 3.017, 4.003],
      [10, -2.009, 4.019],
    ];
    drawMesh(grid(), camera, new MeshBuilder().fan(corners, [-1, 0, 0], plain).finish(), ORIGIN, (index) => {
      counts[index] = counts[index]! + 1;
    });
    const outline = corners.map((corner) => project(camera, corner)!);
    let inside = 0;
    for (let index = 0; index < counts.length; index++) {
      const [x, y] = [(index % SIZE.width) + 0.5, Math.floor(index / SIZE.width) + 0.5];
      const turns = outline.map((p, k) => {
        const q = outline[(k + 1) % 4]!;
        return Math.sign((q.x - p.x) * (y - p.y) - (q.y - p.y) * (x - p.x));
      });
      const within = turns.every((turn) => turn > 0) || turns.every((turn) => turn < 0);
      if (within) inside++;
      expect(counts[index]! > 0).toBe(within);
    }
    expect(inside).toBeGreaterThan(500);
  });

  it('lets the nearer hide the farther in either order', () => {
    const wall = (x: number): Mesh =>
      new MeshBuilder()
        .fan(
          [
            [x, -5, 0],
            [x, 5, 0],
            [x, 5, 6],
            [x, -5, 6],
          ],
          [-1, 0, 0],
          plain,
        )
        .finish();
    const seen = (order: readonly number[]): Set<number> => {
      const target = grid();
      const owner = new Map<number, number>();
      for (const x of order) drawMesh(target, camera, wall(x), ORIGIN, (index) => owner.set(index, x));
      return new Set([...owner].filter(([, x]) => x === 8).map(([index]) => index));
    };
    expect(seen([8, 12])).toEqual(seen([12, 8]));
    expect(seen([8, 12]).size).toBeGreaterThan(100);
  });

  it('says which points it touched', () => {
    const target = grid();
    const touched = drawMesh(
      target,
      camera,
      new MeshBuilder().block([9, -1, 0], [10, 1, 1], plain).finish(),
      ORIGIN,
      undefined,
    );
    const set = [...target.nearness.keys()].filter((index) => target.nearness[index]! > 0);
    const columns = set.map((index) => index % SIZE.width);
    const rows = set.map((index) => Math.floor(index / SIZE.width));
    expect(touched).toEqual({
      x1: Math.min(...columns),
      x2: Math.max(...columns) + 1,
      y1: Math.min(...rows),
      y2: Math.max(...rows) + 1,
    });
  });

  it('gives round shapes normals that look outward', () => {
    const { positions, normals } = new MeshBuilder()
      .ellipsoid(
        [1, 2, 3],
        [
          [1, 0, 0],
          [0, 0.5, 0],
          [0, 0, 2],
        ],
        plain,
      )
      .limb([5, 5, 5], [6, 5, 7], 0.2, 0.1, plain)
      .finish();
    for (let v = 0; v < positions.length; v += 3) {
      const at: Vec3 = [positions[v]!, positions[v + 1]!, positions[v + 2]!];
      const normal: Vec3 = [normals[v]!, normals[v + 1]!, normals[v + 2]!];
      expect(Math.hypot(...normal)).toBeCloseTo(1, 5);
      const middle: Vec3 = at[0] < 3 ? [1, 2, 3] : [5.5, 5, 6];
      expect(dot(minus(at, middle), normal)).toBeGreaterThan(0);
    }
  });
});
