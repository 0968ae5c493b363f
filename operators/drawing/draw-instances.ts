import { decodeRle } from '../masks/rle.js';
import type { BoxXyxy, Instance } from '../types.js';
import { type Matrix, type Rgb, textOn, toYuv, trackColour } from './colour.js';
import { blendPixel, fillRect, outlineRect, type Yuv, type YuvPicture } from './picture.js';
import { createLettering, LETTER_ROWS, type TextCoverage } from './text.js';

/** What is drawn of an instance. */
export type DrawnInstance = Pick<Instance, 'id' | 'label' | 'score' | 'box' | 'mask' | 'state'> & {
  /** Where the mask was found, when the box has moved on since; the mask moves along. */
  readonly maskBox?: BoxXyxy;
};

const MASK_ALPHA = 0.4;

/** Widths of lines and letters for a picture of this height. */
export interface DrawingStyle {
  readonly linePx: number;
  /** Enlargement of the letters, whole. */
  readonly textScale: number;
}

/** A style that is thin and can be read at the picture's own size. */
export function drawingStyle(heightPx: number): DrawingStyle {
  return {
    linePx: heightPx < 900 ? 2 : heightPx < 1600 ? 3 : 5,
    textScale: heightPx < 360 ? 1 : heightPx < 900 ? 2 : heightPx < 1600 ? 3 : 5,
  };
}

/** Draws instances onto a picture whose pixels are those of the boxes. */
export type InstanceDrawer = (picture: YuvPicture, instances: readonly DrawnInstance[]) => void;

/**
 * A drawer for pictures of one height: masks first, then boxes, then name plates, so that no plate is hidden. Lost
 * instances are not drawn: nobody saw them. The farther ones (higher in the picture) come first.
 */
export function createInstanceDrawer(heightPx: number, matrix: Matrix): InstanceDrawer {
  const { linePx, textScale } = drawingStyle(heightPx);
  const lettering = createLettering(textScale);
  return (picture, instances) => {
    const seen = instances
      .filter(({ state }) => state !== 'lost')
      .toSorted((a, b) => a.box[3] - b.box[3])
      .map((instance) => ({ instance, colour: trackColour(instance.id) }));
    for (const { instance, colour } of seen) drawMask(picture, instance, toYuv(colour, matrix));
    for (const { instance, colour } of seen) {
      const [x0, y0, x1, y1] = pixels(instance.box);
      outlineRect(picture, x0, y0, x1, y1, linePx, toYuv(colour, matrix));
    }
    for (const { instance, colour } of seen) {
      drawPlate(picture, instance.box, lettering(plateText(instance)), textScale, colour, matrix);
    }
  };
}

/** The words on an instance's plate: label, number of the track, score, and whether it stands still. */
export function plateText({
  id,
  label,
  score,
  state,
}: Pick<DrawnInstance, 'id' | 'label' | 'score' | 'state'>): string {
  const number = /-(\d+)$/.exec(id)?.[1];
  const name = number === undefined ? label : `${label} #${number}`;
  return `${name} ${score.toFixed(2)}${state === 'stationary' ? ' still' : ''}`;
}

function pixels(box: BoxXyxy): [number, number, number, number] {
  return [Math.round(box[0]), Math.round(box[1]), Math.round(box[2]), Math.round(box[3])];
}

function drawPlate(
  picture: YuvPicture,
  box: BoxXyxy,
  text: TextCoverage,
  s: number,
  colour: Rgb,
  matrix: Matrix,
): void {
  const [boxLeft, boxTop] = pixels(box);
  const width = text.width + 4 * s;
  const height = (LETTER_ROWS + 2) * s;
  // Above the box when there is room, else inside its top; never outside of the picture.
  const left = Math.max(0, Math.min(boxLeft, picture.width - width));
  const top = Math.max(0, Math.min(boxTop >= height ? boxTop - height : boxTop, picture.height - height));
  fillRect(picture, left, top, left + width, top + height, toYuv(colour, matrix));
  const ink = toYuv(textOn(colour), matrix);
  for (let y = 0; y < text.height; y++) {
    for (let x = 0; x < text.width; x++) {
      const alpha = text.alpha[y * text.width + x]!;
      if (alpha > 0) blendPixel(picture, left + 2 * s + x, top + 2 * s + y, ink, alpha);
    }
  }
}

/** A veil over the mask's pixels and a full line along its border. */
function drawMask(picture: YuvPicture, { mask, box, maskBox = box }: DrawnInstance, colour: Yuv): void {
  if (!mask) return;
  const bits = decodeRle(mask);
  const [height, width] = mask.size;
  const set = (x: number, y: number): boolean =>
    x >= 0 && y >= 0 && x < width && y < height && bits[y * width + x] === 1;
  // Where a pixel of the picture was when the mask was found: the box has moved and may have changed its size.
  const scaleX = (maskBox[2] - maskBox[0]) / Math.max(1, box[2] - box[0]);
  const scaleY = (maskBox[3] - maskBox[1]) / Math.max(1, box[3] - box[1]);
  const moved = box !== maskBox;
  const sourceX = (x: number): number =>
    (moved ? Math.floor(maskBox[0] + (x + 0.5 - box[0]) * scaleX) : x) - mask.origin[0];
  const sourceY = (y: number): number =>
    (moved ? Math.floor(maskBox[1] + (y + 0.5 - box[1]) * scaleY) : y) - mask.origin[1];
  const edge = (at: number, from: number, to: number, scale: number): number => to + (at - from) / scale;
  const left = Math.floor(moved ? edge(mask.origin[0], maskBox[0], box[0], scaleX) : mask.origin[0]);
  const right = Math.ceil(moved ? edge(mask.origin[0] + width, maskBox[0], box[0], scaleX) : left + width);
  const top = Math.floor(moved ? edge(mask.origin[1], maskBox[1], box[1], scaleY) : mask.origin[1]);
  const bottom = Math.ceil(moved ? edge(mask.origin[1] + height, maskBox[1], box[1], scaleY) : top + height);
  for (let y = Math.max(0, top); y < Math.min(picture.height, bottom); y++) {
    const v = sourceY(y);
    for (let x = Math.max(0, left); x < Math.min(picture.width, right); x++) {
      const u = sourceX(x);
      if (!set(u, v)) continue;
      const border = !set(u - 1, v) || !set(u + 1, v) || !set(u, v - 1) || !set(u, v + 1);
      blendPixel(picture, x, y, colour, border ? 1 : MASK_ALPHA);
    }
  }
}
