import type { Size } from '../types.js';

/** A colour as luma and chroma of limited range, 16…235 and 16…240. */
export interface Yuv {
  readonly y: number;
  readonly u: number;
  readonly v: number;
}

/** A picture in planar yuv420p: `y` is `[height, width]`, `u` and `v` are `[height / 2, width / 2]`, row-major. */
export interface YuvPicture extends Size {
  readonly y: Uint8Array;
  readonly u: Uint8Array;
  readonly v: Uint8Array;
}

/**
 * Views the bytes of one yuv420p picture as its planes; drawing on it changes them.
 *
 * @throws RangeError when a side is odd or the bytes are not `width · height · 3 / 2`
 */
export function yuvPicture(bytes: Uint8Array, { width, height }: Size): YuvPicture {
  const luma = width * height;
  if (width % 2 || height % 2 || bytes.length !== (luma * 3) / 2) {
    throw new RangeError(`${bytes.length} bytes are no yuv420p picture of ${width} × ${height}`);
  }
  return {
    width,
    height,
    y: bytes.subarray(0, luma),
    u: bytes.subarray(luma, luma * 1.25),
    v: bytes.subarray(luma * 1.25),
  };
}

/**
 * Fills columns x0 ≤ x < x1 of rows y0 ≤ y < y1 (whole pixels, clipped to the picture). A chroma sample is taken along
 * when at least half of its pixels are.
 */
export function fillRect(picture: YuvPicture, x0: number, y0: number, x1: number, y1: number, colour: Yuv): void {
  fillPlane(picture.y, picture.width, picture.height, x0, y0, x1, y1, colour.y);
  const half = (edge: number): number => (edge + 1) >> 1;
  for (const [plane, value] of [
    [picture.u, colour.u],
    [picture.v, colour.v],
  ] as const) {
    fillPlane(plane, picture.width / 2, picture.height / 2, half(x0), half(y0), half(x1), half(y1), value);
  }
}

function fillPlane(
  plane: Uint8Array,
  width: number,
  height: number,
  x0: number,
  y0: number,
  x1: number,
  y1: number,
  value: number,
): void {
  const left = Math.max(0, x0);
  const right = Math.min(width, x1);
  if (left >= right) return;
  for (let y = Math.max(0, y0); y < Math.min(height, y1); y++) plane.fill(value, y * width + left, y * width + right);
}

/** Lines of `thickness` pixels along the inner side of a rectangle; see `fillRect` for the edges. */
export function outlineRect(
  picture: YuvPicture,
  x0: number,
  y0: number,
  x1: number,
  y1: number,
  thickness: number,
  colour: Yuv,
): void {
  const t = Math.min(thickness, (x1 - x0) >> 1, (y1 - y0) >> 1);
  if (t < 1) {
    fillRect(picture, x0, y0, Math.max(x1, x0 + 1), Math.max(y1, y0 + 1), colour);
    return;
  }
  fillRect(picture, x0, y0, x1, y0 + t, colour);
  fillRect(picture, x0, y1 - t, x1, y1, colour);
  fillRect(picture, x0, y0 + t, x0 + t, y1 - t, colour);
  fillRect(picture, x1 - t, y0 + t, x1, y1 - t, colour);
}

/** Mixes one pixel with a colour: alpha 0 leaves it, 1 replaces it. Outside of the picture nothing happens. */
export function blendPixel(picture: YuvPicture, x: number, y: number, colour: Yuv, alpha: number): void {
  if (x < 0 || y < 0 || x >= picture.width || y >= picture.height) return;
  mix(picture.y, y * picture.width + x, colour.y, alpha);
  // Of the four pixels of a chroma sample the first one decides.
  if ((x | y) & 1) return;
  const at = (y >> 1) * (picture.width >> 1) + (x >> 1);
  mix(picture.u, at, colour.u, alpha);
  mix(picture.v, at, colour.v, alpha);
}

function mix(plane: Uint8Array, at: number, value: number, alpha: number): void {
  plane[at] = plane[at]! + (value - plane[at]!) * alpha + 0.5;
}
