import type { Size } from '../../operators/types.js';
import type { Light } from './light.js';
import { partSeed, seededRandom } from './random.js';
import type { Touched } from './raster.js';

/** Grey levels of a table of light, and the largest light in it. */
const TONES = 4096;
const BRIGHTEST = 4;
const GRAINS = 1 << 16;

/**
 * Turns light into a picture as a small camera does: mean over the points of a pixel, a lens that is a little soft and
 * darker in the corners, a sensor's curve and noise.
 *
 * @param still  light of the street without figures, `[height·samples, width·samples, 3]`
 * @returns light of a moment, the picture's number, and where the light differs from `still` (in points) → `[height, width, 3]`
 *          rgb24
 */
export function developer(
  light: Light,
  { width, height }: Size,
  samples: number,
  seed: number,
  still: Float32Array,
): (colour: Float32Array, number: number, changed: readonly Touched[]) => Uint8Array {
  const tones = Uint8Array.from({ length: TONES + 1 }, (_, i) => tone((i / TONES) * BRIGHTEST * light.exposure));
  const grain = grains(seededRandom(partSeed(seed, -3)));
  const whole: Touched = { x1: 0, y1: 0, x2: width, y2: height };
  const mean = new Float32Array(width * height * 3);
  const soft = new Float32Array(width * height * 3);
  average(still, mean, width, samples, whole);
  soften(mean, soft, width, height, whole);
  const stillMean = mean.slice();
  const stillSoft = soft.slice();
  return (colour, number, changed) => {
    const parts = changed.filter(({ x1, x2 }) => x2 > x1).map((points) => inPixels(points, samples, 0, width, height));
    const wider = changed.filter(({ x1, x2 }) => x2 > x1).map((points) => inPixels(points, samples, 1, width, height));
    for (const part of parts) average(colour, mean, width, samples, part);
    for (const part of wider) soften(mean, soft, width, height, part);
    const pixels = expose(number);
    for (const part of parts) copy(stillMean, mean, width, part);
    for (const part of wider) copy(stillSoft, soft, width, part);
    return pixels;
  };

  function expose(number: number): Uint8Array {
    const pixels = new Uint8Array(width * height * 3);
    let at = (partSeed(seed, number) >>> 3) % GRAINS;
    for (let row = 0, i = 0; row < height; row++) {
      for (let column = 0; column < width; column++) {
        const dx = (column - width / 2) / width;
        const dy = (row - height / 2) / width;
        const vignette = (1 - 0.55 * (dx * dx + dy * dy)) * (TONES / BRIGHTEST);
        const bright = grain[at]! * light.noise + 0.5;
        for (let c = 0; c < 3; c++, i++) {
          at = (at + 1) & (GRAINS - 1);
          const level = Math.min(TONES, (soft[i]! * vignette + 0.5) | 0);
          pixels[i] = Math.min(255, Math.max(0, tones[level]! + bright + grain[at]! * light.noise * 0.45));
        }
      }
      // A step of another length each row, else the table's repetition would show as stripes.
      at = (at * 5 + number * 7919 + row * 31) & (GRAINS - 1);
    }
    return pixels;
  }
}

/** Points to the pixels that hold them, and `margin` more on every side. */
function inPixels(
  { x1, y1, x2, y2 }: Touched,
  samples: number,
  margin: number,
  width: number,
  height: number,
): Touched {
  return {
    x1: Math.max(0, Math.floor(x1 / samples) - margin),
    y1: Math.max(0, Math.floor(y1 / samples) - margin),
    x2: Math.min(width, Math.ceil(x2 / samples) + margin),
    y2: Math.min(height, Math.ceil(y2 / samples) + margin),
  };
}

function copy(from: Float32Array, to: Float32Array, width: number, { x1, y1, x2, y2 }: Touched): void {
  for (let row = y1; row < y2; row++) {
    const first = (row * width + x1) * 3;
    to.set(from.subarray(first, (row * width + x2) * 3), first);
  }
}

/** sRGB with a shoulder: highlights bend instead of being cut off. */
function tone(light: number): number {
  const bent = light < 0.7 ? light : 0.7 + 0.3 * (1 - Math.exp(-(light - 0.7) / 0.3));
  return 255 * (bent <= 0.0031308 ? 12.92 * bent : 1.055 * bent ** (1 / 2.4) - 0.055);
}

/** Normally distributed, by Box and Muller. */
function grains(random: () => number): Float32Array {
  return Float32Array.from(
    { length: GRAINS },
    () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random()),
  );
}

function average(colour: Float32Array, mean: Float32Array, width: number, samples: number, part: Touched): void {
  const stride = width * samples * 3;
  const share = 1 / (samples * samples);
  for (let row = part.y1; row < part.y2; row++) {
    for (let column = part.x1; column < part.x2; column++) {
      const first = row * samples * stride + column * samples * 3;
      for (let c = 0; c < 3; c++) {
        let sum = 0;
        for (let v = 0; v < samples; v++) {
          for (let u = 0; u < samples; u++) sum += Math.min(3, colour[first + v * stride + u * 3 + c]!);
        }
        mean[(row * width + column) * 3 + c] = sum * share;
      }
    }
  }
}

/** Share of its light that a pixel keeps along rows, and along columns; each neighbour gives half of the rest. */
const KEPT = 0.74;

function soften(picture: Float32Array, out: Float32Array, width: number, height: number, part: Touched): void {
  const given = (1 - KEPT) / 2;
  for (let row = part.y1; row < part.y2; row++) {
    const here = row * width * 3;
    const above = Math.max(0, row - 1) * width * 3;
    const below = Math.min(height - 1, row + 1) * width * 3;
    for (let column = part.x1; column < part.x2; column++) {
      const middle = column * 3;
      const left = Math.max(0, column - 1) * 3;
      const right = Math.min(width - 1, column + 1) * 3;
      for (let c = 0; c < 3; c++) {
        const along = (line: number): number =>
          picture[line + middle + c]! * KEPT + (picture[line + left + c]! + picture[line + right + c]!) * given;
        out[here + middle + c] = along(here) * KEPT + (along(above) + along(below)) * given;
      }
    }
  }
}
