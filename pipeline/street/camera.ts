import type { Size } from '../../operators/types.js';
import { cross, dot, minus, unit, type Vec3 } from './vector.js';

/** A pinhole that looks along `forward`; a point at depth Z, X to the right and Y down falls on (cx + f·X/Z, cy + f·Y/Z). */
export interface Camera extends Size {
  readonly at: Vec3;
  readonly right: Vec3;
  readonly down: Vec3;
  readonly forward: Vec3;
  /** Focal length in picture points. */
  readonly focal: number;
}

/** Nearest depth that is drawn, m. */
export const NEAR_M = 0.3;

/**
 * A camera over a grid of points.
 *
 * @param focal   focal length as a share of the width
 * @param mirror  the picture is turned left to right
 */
export function lookAlong(at: Vec3, forward: Vec3, focal: number, size: Size, mirror = false): Camera {
  const ahead = unit(forward);
  const right = unit(cross(ahead, [0, 0, 1]));
  const down = cross(ahead, right);
  const { width, height } = size;
  return {
    at,
    forward: ahead,
    right: mirror ? [-right[0], -right[1], -right[2]] : right,
    down,
    focal: focal * width,
    width,
    height,
  };
}

/** Where a point falls, and its depth in metres; undefined when it is not in front of the camera. */
export function project(camera: Camera, point: Vec3): { x: number; y: number; depth: number } | undefined {
  const d = minus(point, camera.at);
  const depth = dot(d, camera.forward);
  if (depth < NEAR_M) return undefined;
  return {
    x: camera.width / 2 + (camera.focal * dot(d, camera.right)) / depth,
    y: camera.height / 2 + (camera.focal * dot(d, camera.down)) / depth,
    depth,
  };
}
