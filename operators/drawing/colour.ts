import type { Yuv, YuvPicture } from './picture.js';

/** Which weights the luma of a picture has: BT.601 (small pictures) or BT.709. */
export type Matrix = 'bt601' | 'bt709';

/** Red, green, blue, 0…255. */
export type Rgb = readonly [number, number, number];

const WEIGHTS = { bt601: { r: 0.299, b: 0.114 }, bt709: { r: 0.2126, b: 0.0722 } } as const;

/** To limited range, as nearly all video is. */
export function toYuv([r, g, b]: Rgb, matrix: Matrix): Yuv {
  const w = WEIGHTS[matrix];
  const luma = w.r * r + (1 - w.r - w.b) * g + w.b * b;
  return {
    y: Math.round(16 + (luma * 219) / 255),
    u: Math.round(128 + ((b - luma) / (2 - 2 * w.b)) * (224 / 255)),
    v: Math.round(128 + ((r - luma) / (2 - 2 * w.r)) * (224 / 255)),
  };
}

/** A whole picture to rgb24, `[height, width, 3]`; only its top left part of the given size. */
export function toRgb24(picture: YuvPicture, width: number, height: number, matrix: Matrix): Uint8ClampedArray {
  const w = WEIGHTS[matrix];
  const g = 1 - w.r - w.b;
  const out = new Uint8ClampedArray(width * height * 3);
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0; x < width; x++, to += 3) {
      const chroma = (y >> 1) * (picture.width >> 1) + (x >> 1);
      const luma = (picture.y[y * picture.width + x]! - 16) * (255 / 219);
      const red = luma + (picture.v[chroma]! - 128) * (255 / 224) * (2 - 2 * w.r);
      const blue = luma + (picture.u[chroma]! - 128) * (255 / 224) * (2 - 2 * w.b);
      out[to] = red;
      out[to + 1] = (luma - w.r * red - w.b * blue) / g;
      out[to + 2] = blue;
    }
  }
  return out;
}

/** The golden angle: hues of ids that follow each other are as far apart as can be, for any number of them. */
const GOLDEN_DEGREES = 137.508;

/** Colour of a track: always the same for an id, and well apart from that of the ids next to it. */
export function trackColour(id: string): Rgb {
  const number = Number(/(\d+)$/.exec(id)?.[1] ?? hash(id));
  return fromHsl((number * GOLDEN_DEGREES + 200) % 360, 0.9, number % 2 ? 0.6 : 0.5);
}

/** Black or white, whichever is read better on `background` (Rec. 709 luma, gamma left in). */
export function textOn([r, g, b]: Rgb): Rgb {
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 110 ? [0, 0, 0] : [255, 255, 255];
}

function fromHsl(hueDegrees: number, saturation: number, lightness: number): Rgb {
  const channel = (shift: number): number => {
    const k = (shift + hueDegrees / 30) % 12;
    const edge = Math.max(-1, Math.min(k - 3, 9 - k, 1));
    return Math.round(255 * (lightness - saturation * Math.min(lightness, 1 - lightness) * edge));
  };
  return [channel(0), channel(8), channel(4)];
}

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193) >>> 0;
  return value;
}
