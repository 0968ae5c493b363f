import type { Size } from '../../operators/types.js';
import type { Light } from './light.js';
import { partSeed, seededRandom } from './random.js';

/** Grey levels of a table of light, and the largest light in it. */
const TONES = 4096;
const BRIGHTEST = 4;
const GRAINS = 1 << 16;

/**
 * Turns light into a picture as a small camera does: mean over the points of a pixel, a lens that is a little soft and
 * darker in the corners, a sensor's curve and noise.
 *
 * @returns light `[height·samples, width·samples, 3]` and the picture's number → `[height, width, 3]` rgb24
 */
export function developer(
  light: Light,
  { width, height }: Size,
  samples: number,
  seed: number,
): (colour: Float32Array, number: number) => Uint8Array {
  const tones = Uint8Array.from({ length: TONES + 1 }, (_, i) => tone((i / TONES) * BRIGHTEST * light.exposure));
  const grain = grains(seededRandom(partSeed(seed, -3)));
  const mean = new Float32Array(width * height * 3);
  const soft = new Float32Array(width * height * 3);
  return (colour, number) => {
    average(colour, mean, width, height, samples);
    soften(mean, soft, width, height);
    const pixels = new Uint8Array(width * height * 3);
    let at = (partSeed(seed, number) >>> 3) % GRAINS;
    for (let row = 0, i = 0; row < height; row++) {
      for (let column = 0; column < width; column++) {
        const dx = (column - width / 2) / width;
        const dy = (row - height / 2) / width;
        const vignette = 1 - 0.55 * (dx * dx + dy * dy);
        const bright = grain[at]! * light.noise;
        for (let c = 0; c < 3; c++, i++) {
          at = (at + 1) & (GRAINS - 1);
          const level = Math.min(TONES, Math.round((soft[i]! * vignette * TONES) / BRIGHTEST));
          pixels[i] = Math.min(255, Math.max(0, tones[level]! + bright + grain[at]! * light.noise * 0.45 + 0.5));
        }
        // A step of another length each row, else the table's repetition would show as stripes.
        if (column === width - 1) at = (at * 5 + number * 7919 + row * 31) & (GRAINS - 1);
      }
    }
    return pixels;
  };
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

function average(colour: Float32Array, mean: Float32Array, width: number, height: number, samples: number): void {
  const stride = width * samples * 3;
  const share = 1 / (samples * samples);
  for (let row = 0, i = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const first = row * samples * stride + column * samples * 3;
      for (let c = 0; c < 3; c++, i++) {
        let sum = 0;
        for (let v = 0; v < samples; v++) {
          for (let u = 0; u < samples; u++) sum += Math.min(3, colour[first + v * stride + u * 3 + c]!);
        }
        mean[i] = sum * share;
      }
    }
  }
}

/** Each pixel takes an eighth from either neighbour, along rows and then along columns. */
function soften(picture: Float32Array, out: Float32Array, width: number, height: number): void {
  const row = width * 3;
  for (let y = 0; y < height; y++) {
    for (let i = y * row; i < (y + 1) * row; i++) {
      const left = i - 3 >= y * row ? picture[i - 3]! : picture[i]!;
      const right = i + 3 < (y + 1) * row ? picture[i + 3]! : picture[i]!;
      out[i] = picture[i]! * 0.74 + (left + right) * 0.13;
    }
  }
  picture.set(out);
  for (let y = 0; y < height; y++) {
    for (let i = y * row; i < (y + 1) * row; i++) {
      const above = y > 0 ? picture[i - row]! : picture[i]!;
      const below = y < height - 1 ? picture[i + row]! : picture[i]!;
      out[i] = picture[i]! * 0.74 + (above + below) * 0.13;
    }
  }
}
