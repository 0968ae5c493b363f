import { type Camera, NEAR_M } from './camera.js';
import type { Material } from './material.js';
import type { Mesh } from './mesh.js';
import type { Vec3 } from './vector.js';

/** Where a mesh stands: turned by `heading` (0 along x, counter-clockwise), then moved. */
export interface Place {
  readonly x: number;
  readonly y: number;
  readonly z: number;
  readonly heading: number;
}

export const ORIGIN: Place = { x: 0, y: 0, z: 0, heading: 0 };

/** Nearness of every point of a grid, row by row: 1 / depth in metres, 0 where there is nothing. */
export interface DepthGrid {
  readonly width: number;
  readonly height: number;
  readonly nearness: Float32Array;
}

/** Points touched: columns x1 … x2 - 1, rows y1 … y2 - 1. Empty when x2 ≤ x1. */
export interface Touched {
  x1: number;
  y1: number;
  x2: number;
  y2: number;
}

/**
 * Hears of every point that passes.
 *
 * @param point  place in the world x, y, z (m) and normal x, y, z (not of length 1); overwritten by the next
 */
export type Fragment = (index: number, material: Material, point: Float64Array) => void;

export interface RasterOptions {
  /** Which materials are drawn; default all. */
  readonly only?: (material: Material) => boolean;
  /** False: the nearness is compared but not written, and a point passes that lies up to 2 % behind. */
  readonly write?: boolean;
  /** The mesh is pressed flat onto the ground along this direction (towards the sun): its shadow. */
  readonly flattenAlong?: Vec3;
}

/**
 * Draws a mesh into a grid of depths by scan conversion, perspective-right. Points at equal depth pass.
 *
 * @param fragment  called for every point that passes; left out: only depths are written
 */
export function drawMesh(
  target: DepthGrid,
  camera: Camera,
  mesh: Mesh,
  place: Place,
  fragment: Fragment | undefined,
  options: RasterOptions = {},
): Touched {
  const { only, write = true, flattenAlong } = options;
  const { nearness, width, height } = target;
  const corners = toCamera(camera, mesh, place, flattenAlong);
  const touched: Touched = { x1: width, y1: height, x2: 0, y2: 0 };
  const slack = write ? 1 : 0.98;
  const wanted = mesh.palette.map((material) => !only || only(material));
  // Corner data of the polygon left after clipping at the near plane: camera x y depth, world x y z, normal x y z.
  const clipped = new Float64Array(4 * 9);
  const screen = new Float64Array(3 * 9);
  const point = new Float64Array(6);

  for (let t = 0; t < mesh.materials.length; t++) {
    const material = mesh.palette[mesh.materials[t]!]!;
    if (!wanted[mesh.materials[t]!]) continue;
    const ia = mesh.triangles[3 * t]! * 9;
    const ib = mesh.triangles[3 * t + 1]! * 9;
    const ic = mesh.triangles[3 * t + 2]! * 9;
    if (!flattenAlong && !material.twoSided && facesAway(corners, ia, ib, ic, camera.at)) continue;
    const count = clipNear(corners, ia, ib, ic, clipped);
    for (let k = 2; k < count; k++) {
      toScreen(clipped, 0, screen, 0, camera);
      toScreen(clipped, k - 1, screen, 1, camera);
      toScreen(clipped, k, screen, 2, camera);
      scan(material);
    }
  }
  return touched;

  function scan(material: Material): void {
    const ax = screen[0]!;
    const ay = screen[1]!;
    const bx = screen[9]!;
    const by = screen[10]!;
    const cx = screen[18]!;
    const cy = screen[19]!;
    const area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay);
    if (Math.abs(area) < 1e-9) return;
    const top = Math.max(0, Math.ceil(Math.min(ay, by, cy) - 0.5));
    const bottom = Math.min(height - 1, Math.floor(Math.max(ay, by, cy) - 0.5));
    if (bottom < top) return;
    // Share of corner b and c at a point: affine in the picture, and so is everything divided by depth.
    const bdx = (cy - ay) / area;
    const bdy = -(cx - ax) / area;
    const cdx = -(by - ay) / area;
    const cdy = (bx - ax) / area;
    for (let row = top; row <= bottom; row++) {
      const y = row + 0.5;
      let left = -0.5;
      let right = width + 0.5;
      const b0 = bdy * (y - ay) - bdx * ax;
      const c0 = cdy * (y - ay) - cdx * ax;
      // b ≥ 0, c ≥ 0, b + c ≤ 1, each a bound on x.
      if (bdx > 0) left = Math.max(left, -b0 / bdx);
      else if (bdx < 0) right = Math.min(right, -b0 / bdx);
      else if (b0 < 0) continue;
      if (cdx > 0) left = Math.max(left, -c0 / cdx);
      else if (cdx < 0) right = Math.min(right, -c0 / cdx);
      else if (c0 < 0) continue;
      const sdx = bdx + cdx;
      const s0 = 1 - b0 - c0;
      if (sdx > 0) right = Math.min(right, s0 / sdx);
      else if (sdx < 0) left = Math.max(left, s0 / sdx);
      else if (s0 < 0) continue;
      const first = Math.max(0, Math.ceil(left - 0.5));
      const last = Math.min(width - 1, Math.floor(right - 0.5));
      if (last < first) continue;
      let passed = false;
      for (let column = first; column <= last; column++) {
        const x = column + 0.5;
        const b = b0 + bdx * x;
        const c = c0 + cdx * x;
        const a = 1 - b - c;
        const near = a * screen[2]! + b * screen[11]! + c * screen[20]!;
        const index = row * width + column;
        if (near < nearness[index]! * slack) continue;
        passed = true;
        if (write) nearness[index] = near;
        if (fragment) {
          const depth = 1 / near;
          for (let j = 0; j < 6; j++)
            point[j] = (a * screen[3 + j]! + b * screen[12 + j]! + c * screen[21 + j]!) * depth;
          fragment(index, material, point);
        }
      }
      if (!passed) continue;
      if (row < touched.y1) touched.y1 = row;
      if (row >= touched.y2) touched.y2 = row + 1;
      if (first < touched.x1) touched.x1 = first;
      if (last >= touched.x2) touched.x2 = last + 1;
    }
  }
}

/** `[V, 9]`: camera x, y, depth; world x, y, z; normal. */
function toCamera(camera: Camera, mesh: Mesh, place: Place, flattenAlong: Vec3 | undefined): Float32Array {
  const { positions, normals } = mesh;
  const out = new Float32Array(positions.length * 3);
  const c = Math.cos(place.heading);
  const s = Math.sin(place.heading);
  const { at, right, down, forward } = camera;
  for (let v = 0, o = 0; v < positions.length; v += 3, o += 9) {
    let x = positions[v]! * c - positions[v + 1]! * s + place.x;
    let y = positions[v]! * s + positions[v + 1]! * c + place.y;
    let z = positions[v + 2]! + place.z;
    if (flattenAlong) {
      const fall = (z - place.z) / flattenAlong[2];
      x -= flattenAlong[0] * fall;
      y -= flattenAlong[1] * fall;
      z = place.z;
    }
    const dx = x - at[0];
    const dy = y - at[1];
    const dz = z - at[2];
    out[o] = dx * right[0] + dy * right[1] + dz * right[2];
    out[o + 1] = dx * down[0] + dy * down[1] + dz * down[2];
    out[o + 2] = dx * forward[0] + dy * forward[1] + dz * forward[2];
    out[o + 3] = x;
    out[o + 4] = y;
    out[o + 5] = z;
    out[o + 6] = normals[v]! * c - normals[v + 1]! * s;
    out[o + 7] = normals[v]! * s + normals[v + 1]! * c;
    out[o + 8] = normals[v + 2]!;
  }
  return out;
}

/** By the normals: they are outward on every shape, while the order of corners is not looked after. */
function facesAway(corners: Float32Array, a: number, b: number, c: number, eye: Vec3): boolean {
  const nx = corners[a + 6]! + corners[b + 6]! + corners[c + 6]!;
  const ny = corners[a + 7]! + corners[b + 7]! + corners[c + 7]!;
  const nz = corners[a + 8]! + corners[b + 8]! + corners[c + 8]!;
  const vx = eye[0] - corners[a + 3]!;
  const vy = eye[1] - corners[a + 4]!;
  const vz = eye[2] - corners[a + 5]!;
  // The margin keeps silhouettes of coarse round shapes whole.
  return nx * vx + ny * vy + nz * vz < -0.6 * Math.sqrt(vx * vx + vy * vy + vz * vz);
}

/** Sutherland-Hodgman at the near plane. @returns corners left, 0, 3 or 4 */
function clipNear(corners: Float32Array, ia: number, ib: number, ic: number, out: Float64Array): number {
  const at = [ia, ib, ic];
  let count = 0;
  for (let k = 0; k < 3; k++) {
    const p = at[k]!;
    const q = at[(k + 1) % 3]!;
    const dp = corners[p + 2]! - NEAR_M;
    const dq = corners[q + 2]! - NEAR_M;
    if (dp >= 0) {
      for (let j = 0; j < 9; j++) out[count * 9 + j] = corners[p + j]!;
      count++;
    }
    if (dp >= 0 !== dq >= 0) {
      const s = dp / (dp - dq);
      for (let j = 0; j < 9; j++) out[count * 9 + j] = corners[p + j]! + (corners[q + j]! - corners[p + j]!) * s;
      count++;
    }
  }
  return count;
}

/** Picture x, y; 1 / depth; the rest divided by depth. */
function toScreen(from: Float64Array, k: number, to: Float64Array, l: number, camera: Camera): void {
  const f = k * 9;
  const t = l * 9;
  const near = 1 / from[f + 2]!;
  to[t] = camera.width / 2 + camera.focal * from[f]! * near;
  to[t + 1] = camera.height / 2 + camera.focal * from[f + 1]! * near;
  to[t + 2] = near;
  for (let j = 3; j < 9; j++) to[t + j] = from[f + j]! * near;
}
