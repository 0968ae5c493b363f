import { AT_REST, type Similarity } from './similarity.js';
import type { Structure } from './structure.js';

/** In `refineTurn` a difference this large (in spreads of the surroundings) counts a quarter: it is something that moves by itself. */
const STRAY = 0.4;
const ROUNDS = 6;
/** A round that moves the corner of the picture by less than this many cells is the last. */
const SETTLED = 0.01;
/** Least determinant, as a share of the squared trace: where all edges run one way, nothing tells a shift along them. */
const SINGULAR = 0.01;
/** A shift that leaves less than this share of a side in view has run away. */
const LEAST_IN_VIEW = 0.35;
/** No camera turns or zooms further between two frames that are worth comparing. */
const MOST_TURN = 0.25;

/**
 * Gauss–Newton on the squared difference, inverse compositional (Baker & Matthews, Lucas–Kanade 20 Years On, IJCV 2004, §3.2;
 * Lucas & Kanade 1981), each cell weighed by how well it agrees (Geman & McClure), so that what moves by itself has little say.
 * A shift has the same fractions in every cell, which makes this several times faster than `refineTurn`.
 *
 * @param stray     difference that counts a quarter
 * @param everyRow  only every so many-th row is looked at
 * @returns undefined where the pictures hold too little, or it runs away
 */
export function refineShift(
  a: Structure,
  b: Structure,
  start: Similarity,
  stray: number,
  everyRow: number,
): Similarity | undefined {
  const { width, height, values } = a;
  const next = b.values;
  const strayOver = 1 / stray ** 2;
  let { shiftX, shiftY } = start;
  for (let round = 0; round < ROUNDS; round++) {
    const [wholeX, wholeY] = [Math.floor(shiftX), Math.floor(shiftY)];
    const [fx, fy] = [shiftX - wholeX, shiftY - wholeY];
    const [x1, x2] = [Math.max(1, -wholeX), Math.min(width - 1, width - 1 - wholeX)];
    const [y1, y2] = [Math.max(1, -wholeY), Math.min(height - 1, height - 1 - wholeY)];
    const [q11, q12, q21, q22] = [(1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy];
    let [xx, xy, yy, bx, by] = [0, 0, 0, 0, 0];
    for (let y = y1; y < y2; y += everyRow) {
      const end = y * width + x2;
      for (let at = y * width + x1, to = at + wholeY * width + wholeX; at < end; at++, to++) {
        const value = q11 * next[to]! + q12 * next[to + 1]! + q21 * next[to + width]! + q22 * next[to + width + 1]!;
        const difference = value - values[at]!;
        const gx = (values[at + 1]! - values[at - 1]!) / 2;
        const gy = (values[at + width]! - values[at - width]!) / 2;
        const trust = 1 / (1 + difference * difference * strayOver);
        const weight = trust * trust;
        xx += weight * gx * gx;
        xy += weight * gx * gy;
        yy += weight * gy * gy;
        bx += weight * gx * difference;
        by += weight * gy * difference;
      }
    }
    const determinant = xx * yy - xy * xy;
    if (!(determinant > SINGULAR * (xx + yy) ** 2)) return undefined;
    const stepX = (yy * bx - xy * by) / determinant;
    const stepY = (xx * by - xy * bx) / determinant;
    shiftX -= stepX;
    shiftY -= stepY;
    if (Math.abs(shiftX) > width * (1 - LEAST_IN_VIEW) || Math.abs(shiftY) > height * (1 - LEAST_IN_VIEW)) {
      return undefined;
    }
    if (Math.hypot(stepX, stepY) < SETTLED) break;
  }
  return { ...AT_REST, shiftX, shiftY };
}

/**
 * The same with turn and scale.
 *
 * @param stride  only every so many-th cell is looked at, both ways: four numbers need few
 */
export function refineTurn(a: Structure, b: Structure, start: Similarity, stride: number): Similarity | undefined {
  const { width, height, values } = a;
  const next = b.values;
  const strayOver = 1 / STRAY ** 2;
  const middleX = (width - 1) / 2;
  const middleY = (height - 1) / 2;
  const reach = Math.hypot(middleX, middleY);
  let motion = start;
  for (let round = 0; round < ROUNDS; round++) {
    const { shiftX, shiftY, re, im } = motion;
    let [xx, xy, xs, xt, yy, ys, yt, ss, st, tt] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let [bx, by, bs, bt] = [0, 0, 0, 0];
    for (let y = 1; y < height - 1; y += stride) {
      const v = (y - middleY) / reach;
      let toX = middleX + shiftX - re * (middleX - 1) - im * (y - middleY);
      let toY = middleY + shiftY - im * (middleX - 1) + re * (y - middleY);
      for (let x = 1; x < width - 1; x += stride, toX += stride * re, toY += stride * im) {
        if (!(toX >= 0 && toY >= 0 && toX < width - 1 && toY < height - 1)) continue;
        const at = y * width + x;
        const left = toX | 0;
        const top = toY | 0;
        const fx = toX - left;
        const to = top * width + left;
        const above = next[to]! + fx * (next[to + 1]! - next[to]!);
        const below = next[to + width]! + fx * (next[to + width + 1]! - next[to + width]!);
        const difference = above + (toY - top) * (below - above) - values[at]!;
        const gx = (values[at + 1]! - values[at - 1]!) / 2;
        const gy = (values[at + width]! - values[at - width]!) / 2;
        const u = (x - middleX) / reach;
        const scale = gx * u + gy * v;
        const turn = gy * u - gx * v;
        const trust = 1 / (1 + difference * difference * strayOver);
        const weight = trust * trust;
        const wx = weight * gx;
        const wy = weight * gy;
        const ws = weight * scale;
        const wt = weight * turn;
        xx += wx * gx;
        xy += wx * gy;
        xs += wx * scale;
        xt += wx * turn;
        yy += wy * gy;
        ys += wy * scale;
        yt += wy * turn;
        ss += ws * scale;
        st += ws * turn;
        tt += wt * turn;
        bx += wx * difference;
        by += wy * difference;
        bs += ws * difference;
        bt += wt * difference;
      }
    }
    const step = solve([xx, xy, xs, xt, yy, ys, yt, ss, st, tt], [bx, by, bs, bt]);
    if (!step) return undefined;
    const [dx, dy, ds, dt] = [step[0]!, step[1]!, step[2]! / reach, step[3]! / reach];
    motion = undo(motion, { shiftX: dx, shiftY: dy, re: 1 + ds, im: dt });
    if (Math.hypot(motion.re - 1, motion.im) > MOST_TURN) return undefined;
    if (Math.hypot(dx, dy) + reach * Math.hypot(ds, dt) < SETTLED) break;
  }
  return motion;
}

/** `motion` after the inverse of `step`. */
function undo(motion: Similarity, step: Similarity): Similarity {
  const size = step.re ** 2 + step.im ** 2;
  const re = (motion.re * step.re + motion.im * step.im) / size;
  const im = (motion.im * step.re - motion.re * step.im) / size;
  return {
    shiftX: motion.shiftX - re * step.shiftX + im * step.shiftY,
    shiftY: motion.shiftY - im * step.shiftX - re * step.shiftY,
    re,
    im,
  };
}

/** Solves the symmetric 4 × 4 system by Cholesky's method; undefined when it is as good as singular. */
function solve(upper: readonly number[], right: readonly number[]): Float64Array | undefined {
  const n = 4;
  const lower = new Float64Array(n * n);
  const at = (row: number, column: number): number => upper[row * n - (row * (row + 1)) / 2 + column]!;
  for (let column = 0; column < n; column++) {
    for (let row = column; row < n; row++) {
      let sum = at(column, row);
      for (let k = 0; k < column; k++) sum -= lower[row * n + k]! * lower[column * n + k]!;
      if (row > column) lower[row * n + column] = sum / lower[column * n + column]!;
      else if (sum > 1e-6 * at(column, column) && sum > 1e-9) lower[row * n + column] = Math.sqrt(sum);
      else return undefined;
    }
  }
  const x = Float64Array.from(right);
  for (let row = 0; row < n; row++) {
    for (let k = 0; k < row; k++) x[row]! -= lower[row * n + k]! * x[k]!;
    x[row]! /= lower[row * n + row]!;
  }
  for (let row = n - 1; row >= 0; row--) {
    for (let k = row + 1; k < n; k++) x[row]! -= lower[k * n + row]! * x[k]!;
    x[row]! /= lower[row * n + row]!;
  }
  return x;
}
