import type { Light } from './light.js';
import { dim, type Rgb, type Surface, srgb } from './material.js';
import { cellNoise, cloudNoise, smoothNoise } from './noise.js';
import { between, pick, type Random } from './random.js';

/** One house of a row. */
export interface House {
  readonly x1: number;
  readonly x2: number;
  readonly heightM: number;
  readonly surface: Surface;
  /** Colour of its shop's awning; undefined without. */
  readonly awning: Rgb | undefined;
}

const WALLS = [
  '#b8a890',
  '#c9bda8',
  '#a08c78',
  '#8a4b3a',
  '#96604a',
  '#7c4438',
  '#b5b2ab',
  '#d5cdbd',
  '#8c8f92',
  '#c2a98c',
  '#6e6a66',
];
const SHOPS = ['#1d2a3a', '#7c1f1f', '#1f4a35', '#2b2b2b', '#c8c2b4', '#8a5a1c', '#31507a', '#5a2a4a', '#e0ddd4'];
const GOODS = ['#c9a06a', '#8a3a2a', '#e0d8c8', '#3a5a7a', '#5a7a4a', '#d0b040', '#a05070', '#404040'];

/** Houses side by side from `from` to `to`, m. */
export function rowOfHouses(random: Random, light: Light, from: number, to: number): House[] {
  const houses: House[] = [];
  for (let x1 = from; x1 < to; ) {
    const x2 = x1 + between(random, 7, 16);
    houses.push(house(random, light, x1, x2));
    x1 = x2;
  }
  return houses;
}

function house(random: Random, light: Light, x1: number, x2: number): House {
  const wall = dim(srgb(pick(random, WALLS)), between(random, 0.75, 1));
  const brick = random() < 0.4;
  const shop = random() < 0.75 ? srgb(pick(random, SHOPS)) : undefined;
  const storeyM = between(random, 3, 3.5);
  const storeys = Math.floor(between(random, 2, 5));
  const groundM = shop ? 3.7 : storeyM;
  const heightM = groundM + storeys * storeyM + 0.8;
  const bays = Math.max(2, Math.round((x2 - x1) / between(random, 2.3, 3.4)));
  const bayM = (x2 - x1) / bays;
  const seed = Math.floor(random() * 1e6);
  const [left, right] = [between(random, 0.24, 0.32), between(random, 0.68, 0.76)];
  const frame: Rgb = random() < 0.6 ? [0.6, 0.6, 0.57] : [0.08, 0.07, 0.065];
  const put = (out: Float64Array, [r, g, b]: Rgb, f: number, mirror: number): void => {
    out[0] = r * f;
    out[1] = g * f;
    out[2] = b * f;
    out[3] = mirror;
    out[4] = out[5] = out[6] = 0;
  };
  const glow = (out: Float64Array, [r, g, b]: Rgb, f: number): void => {
    out[4] = r * f;
    out[5] = g * f;
    out[6] = b * f;
  };

  const plain = (x: number, z: number, out: Float64Array): void => {
    let f =
      0.82 +
      0.3 * cloudNoise(x * 0.5, z * 0.5, seed) +
      0.1 * (cellNoise(Math.floor(x * 30), Math.floor(z * 30), seed) - 0.5);
    if (brick) {
      const row = Math.floor(z / 0.085);
      const joint = (z / 0.085) % 1 < 0.14 || (((x / 0.25 + (row % 2) * 0.5) % 1) + 1) % 1 < 0.05;
      f *= joint ? 1.12 : 0.85 + 0.3 * cellNoise(Math.floor(x / 0.25 + (row % 2) * 0.5), row, seed);
    }
    // Rain leaves streaks, and the foot of a wall is dirty.
    f *= 1 - 0.12 * smoothNoise(x * 5, z * 0.3, seed + 3) - 0.18 * Math.max(0, 1 - z / 0.9);
    put(out, wall, f, 0);
  };
  const windowAt = (
    x: number,
    z: number,
    a: number,
    b: number,
    bay: number,
    storey: number,
    out: Float64Array,
  ): void => {
    const border =
      a < left + 0.03 ||
      a > right - 0.03 ||
      b < 0.24 ||
      b > 0.79 ||
      Math.abs(a - (left + right) / 2) < 0.012 ||
      Math.abs(b - 0.6) < 0.01;
    if (border) {
      put(out, frame, 0.8, 0.02);
      return;
    }
    const shade = b > 0.72 ? 0.4 : 1;
    const kind = cellNoise(bay, storey, seed + 11);
    const curtain = kind > 0.6 && (a - left < 0.13 || right - a < 0.13 || kind > 0.85);
    if (curtain) put(out, [0.42, 0.4, 0.36], shade * (0.6 + 0.25 * Math.sin(x * 40)), 0.05);
    else put(out, [0.03, 0.034, 0.04], shade * (0.6 + 0.7 * smoothNoise(x * 3, z * 3, seed + 5)), 0.16);
    if (light.lamps && cellNoise(bay, storey, seed + 12) > 0.62) glow(out, [1, 0.72, 0.38], curtain ? 0.2 : 0.3);
  };
  const shopAt = (x: number, z: number, bay: number, a: number, out: Float64Array, front: Rgb): void => {
    if (z > 3.35) {
      put(out, wall, 0.75, 0);
    } else if (z > 2.75) {
      // A signboard with something like letters.
      const along = (x - x1) / 0.34;
      const letter = Math.floor(along);
      const written = x - x1 > 1 && x2 - x > 1 && cellNoise(letter, 0, seed + 20) > 0.25;
      const stroke =
        written &&
        z > 2.88 &&
        z < 3.2 &&
        cellNoise(Math.floor(along * 3), Math.floor((z - 2.88) / 0.107), seed + 21) > 0.42;
      const bright = front[0] + front[1] + front[2] > 1;
      put(out, stroke ? (bright ? [0.05, 0.05, 0.05] : [0.8, 0.78, 0.7]) : front, 1, 0.03);
      if (stroke && light.lamps && !bright) glow(out, [0.9, 0.85, 0.7], 0.8);
    } else if (z < 0.45 || a < 0.06 || a > 0.94 || Math.abs(z - 2.1) < 0.03) {
      put(out, front, 0.7, 0.03);
    } else if (bay === 1 && (a < 0.12 || a > 0.62)) {
      put(out, front, 0.5, 0.03);
    } else {
      const gx = Math.floor(x * 2.3);
      const gz = Math.floor(z * 2.7);
      const goods = z < 1.9 && cellNoise(gx, gz, seed + 30) > 0.62;
      const inside = srgb(pick(() => cellNoise(gx, gz, seed + 31), GOODS));
      const depth = 0.25 + 0.5 * smoothNoise(x * 1.3, z * 1.3, seed + 32);
      put(out, goods ? inside : [0.06, 0.055, 0.05], goods ? 0.35 * depth : depth, 0.12);
      if (light.lamps) glow(out, goods ? inside : [0.3, 0.24, 0.16], 0.3 * depth + 0.06);
      else if (cellNoise(0, 1, seed) > 0.4) glow(out, [0.3, 0.26, 0.2], 0.14 * depth);
    }
  };
  return {
    x1,
    x2,
    heightM,
    awning: shop && random() < 0.35 ? dim(shop, 1.2) : undefined,
    surface: (x, _y, z, out) => {
      const bay = Math.floor((x - x1) / bayM);
      const a = (x - x1) / bayM - bay;
      if (shop && z < groundM) {
        shopAt(x, z, bay, a, out, shop);
        return;
      }
      const storey = shop ? Math.floor((z - groundM) / storeyM) : Math.floor(z / storeyM) - 1;
      const b = (shop ? z - groundM : z) / storeyM - (shop ? storey : storey + 1);
      if (a > left && a < right && b > 0.2 && b < 0.82 && z < heightM - 0.7) {
        windowAt(x, z, a, b, bay, storey, out);
        return;
      }
      plain(x, z, out);
      const sill = a > left - 0.03 && a < right + 0.03 && (b > 0.82 || b < 0.2);
      if (sill && (b < 0.205 || b > 0.82) && (b > 0.82 ? b < 0.88 : b > 0.15)) put(out, dim(wall, 1.25), 1, 0);
      if (b < 0.06 && storey >= 0) put(out, dim(wall, 1.12), 0.95, 0);
      if (z > heightM - 0.5) put(out, dim(wall, 1.15), z > heightM - 0.2 ? 1 : 0.8, 0);
    },
  };
}
