import type { BoxXyxy, Size } from '../types.js';

/** Intersection over union, 0…1; 0 where either box has no area. */
export function boxIou(a: BoxXyxy, b: BoxXyxy): number {
  const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  if (!(width > 0 && height > 0)) return 0;
  const both = width * height;
  return both / (boxArea(a) + boxArea(b) - both);
}

/** Square pixels. */
export const boxArea = (box: BoxXyxy): number => (box[2] - box[0]) * (box[3] - box[1]);

/** The longer side, pixels: the yardstick of noise and movement, so that near and far objects are judged alike. */
export const boxScale = (box: BoxXyxy): number => Math.max(box[2] - box[0], box[3] - box[1]);

/** The part inside the frame; undefined when nothing (or no more than an edge) lies inside. */
export function clipBox(box: BoxXyxy, { width, height }: Size): BoxXyxy | undefined {
  return clipToBox(box, [0, 0, width, height]);
}

/** What two boxes share; undefined when they do not overlap. */
export function clipToBox(box: BoxXyxy, other: BoxXyxy): BoxXyxy | undefined {
  const clipped: BoxXyxy = [
    Math.max(other[0], box[0]),
    Math.max(other[1], box[1]),
    Math.min(other[2], box[2]),
    Math.min(other[3], box[3]),
  ];
  return clipped[2] > clipped[0] && clipped[3] > clipped[1] ? clipped : undefined;
}

/** The box `dx` to the right and `dy` down. */
export const moveBox = (box: BoxXyxy, dx: number, dy: number): BoxXyxy => [
  box[0] + dx,
  box[1] + dy,
  box[2] + dx,
  box[3] + dy,
];
