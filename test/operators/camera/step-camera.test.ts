import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CameraStep, stepCamera } from '../../../operators/camera/step-camera.js';
import { shiftBy, warpPoint } from '../../../operators/geometry/affine.js';
import type { Thumbnail } from '../../../operators/types.js';
import { seeded } from '../tracking/scene.js';
import { changed, cornersAfter, GRID, look, lookMoved, MIDDLE, type World, wallOf } from './world.js';

const compare = (before: Thumbnail, after: Thumbnail): CameraStep => stepCamera({ thumbnail: before }, after);
/** Fast-check's generator is seeded, so a red run is red again. */
const law = <T>(inputs: fc.Arbitrary<T>, holds: (input: T) => void, numRuns = 30): void =>
  fc.assert(fc.property(inputs, holds), { seed: 31, numRuns });
const seeds = fc.integer({ min: 1, max: 100_000 });
const { cellWidth: CELL } = GRID;
const noisy = (picture: Thumbnail, seed: number, spread: number): Thumbnail => {
  const random = seeded(seed);
  // Sum of twelve: near enough to a normal distribution.
  const noise = (): number => Array.from({ length: 12 }, random).reduce((sum, one) => sum + one, -6);
  return changed(picture, (value) => value + spread * noise());
};

describe('stepCamera', () => {
  it('tells a shift to a fifth of a cell, four pixels of a picture 1920 wide', () => {
    const shifts = fc.record({
      seed: seeds,
      dx: fc.double({ min: -500, max: 500, noNaN: true }),
      dy: fc.double({ min: -250, max: 250, noNaN: true }),
    });
    law(shifts, ({ seed, dx, dy }) => {
      fc.pre(Math.hypot(dx, dy) > CELL / 2);
      const { motion, cut } = compare(look(wallOf(seed)), lookMoved(wallOf(seed), dx, dy));
      expect(cut).toBe(false);
      expect(motion, `shift by ${dx}, ${dy} of wall ${seed}`).toBeDefined();
      const [x, y] = warpPoint(motion!, ...MIDDLE);
      expect(Math.hypot(x - MIDDLE[0] - dx, y - MIDDLE[1] - dy)).toBeLessThan(CELL / 5);
    });
  });

  it('tells a turn up to four degrees and a scale up to five hundredths, at the corners to half a cell', () => {
    const motions = fc.record({
      seed: seeds,
      turn: fc.double({ min: -0.07, max: 0.07, noNaN: true }),
      scale: fc.double({ min: 0.95, max: 1.05, noNaN: true }),
      dx: fc.double({ min: -100, max: 100, noNaN: true }),
    });
    law(motions, ({ seed, turn, scale, dx }) => {
      fc.pre(Math.abs(turn) + Math.abs(scale - 1) > 0.01);
      const { motion } = compare(look(wallOf(seed)), lookMoved(wallOf(seed), dx, 0, turn, scale));
      expect(motion, `turn ${turn}, scale ${scale}, shift ${dx} of wall ${seed}`).toBeDefined();
      const [cos, sin] = [scale * Math.cos(turn), scale * Math.sin(turn)];
      const want = cornersAfter([
        cos,
        -sin,
        MIDDLE[0] + dx - cos * MIDDLE[0] + sin * MIDDLE[1],
        sin,
        cos,
        MIDDLE[1] - sin * MIDDLE[0] - cos * MIDDLE[1],
      ]);
      cornersAfter(motion!).forEach(([x, y], corner) => {
        expect(Math.hypot(x - want[corner]![0], y - want[corner]![1])).toBeLessThan(CELL / 2);
      });
    });
  });

  it('the motion back is the inverse of the motion there', () => {
    law(
      fc.record({ seed: seeds, dx: fc.integer({ min: 30, max: 300 }), dy: fc.integer({ min: -150, max: 150 }) }),
      ({ seed, dx, dy }) => {
        const [before, after] = [look(wallOf(seed)), lookMoved(wallOf(seed), dx, dy)];
        const there = compare(before, after).motion!;
        const back = compare(after, before).motion!;
        cornersAfter(shiftBy(0, 0)).forEach(([x, y]) => {
          const [backX, backY] = warpPoint(back, ...warpPoint(there, x, y));
          expect(Math.hypot(backX - x, backY - y)).toBeLessThan(CELL / 3);
        });
      },
    );
  });

  it('tells nothing of equal pictures, of one a sixteenth of a cell aside, and of the noise of a sensor', () => {
    law(fc.record({ seed: seeds, spread: fc.double({ min: 0, max: 3, noNaN: true }) }), ({ seed, spread }) => {
      const picture = look(wallOf(seed));
      const nothing = { motion: undefined, cut: false };
      expect(compare(picture, picture)).toMatchObject({ cut: false });
      for (const after of [picture, lookMoved(wallOf(seed), CELL / 16, 0), noisy(picture, seed, spread)]) {
        const { motion, cut } = compare(picture, after);
        expect({ motion, cut }).toEqual(nothing);
      }
    });
  });

  it('tells nothing of noise in the dark', () => {
    law(fc.record({ seed: seeds, spread: fc.double({ min: 0, max: 4, noNaN: true }) }), ({ seed, spread }) => {
      const dark = changed(look(wallOf(seed)), (value) => 8 + 0.06 * value);
      const { motion, cut } = compare(noisy(dark, seed, spread), noisy(dark, seed + 1, spread));
      expect({ motion, cut }).toEqual({ motion: undefined, cut: false });
    });
  });

  it('light that goes on or off, all over, from one side or from a lamp, is neither motion nor cut', () => {
    const lights = fc.record({
      seed: seeds,
      gain: fc.double({ min: 0.15, max: 1.8, noNaN: true }),
      offset: fc.double({ min: -30, max: 60, noNaN: true }),
      lamp: fc.double({ min: 0, max: 1, noNaN: true }),
      side: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    law(lights, ({ seed, gain, offset, lamp, side }) => {
      const picture = changed(look(wallOf(seed)), (value) => value / 2 + 20);
      const lit = changed(picture, (value, column, row) => {
        const near = Math.exp(-((column - 30) ** 2 + (row - 20) ** 2) / 200);
        return value * (gain + lamp * near) * (1 - (side * 0.6 * column) / GRID.width) + offset;
      });
      for (const [before, after] of [
        [picture, lit],
        [lit, picture],
      ] as const) {
        const { motion, cut } = compare(before, after);
        expect({ motion, cut }).toEqual({ motion: undefined, cut: false });
      }
    });
  });

  /** What moves by itself before a wall: a board with a picture of its own, `share` of the frame wide. */
  const withBoard =
    (wall: World, board: World, share: number, boardX: number): World =>
    (x, y) => {
      const left = boardX - (share * 2 * MIDDLE[0]) / 2;
      return x > left && x < left + share * 2 * MIDDLE[0] ? board(x - boardX, y) : wall(x, y);
    };

  it('a third of the picture that moves by itself is not the camera', () => {
    const scenes = fc.record({
      seed: seeds,
      share: fc.double({ min: 0.05, max: 1 / 3, noNaN: true }),
      at: fc.double({ min: 0.2, max: 0.8, noNaN: true }),
      step: fc.integer({ min: 5, max: 300 }),
    });
    law(scenes, ({ seed, share, at, step }) => {
      const see = (x: number): Thumbnail => look(withBoard(wallOf(seed), wallOf(seed + 1), share, x));
      const { motion, cut } = compare(see(at * 2 * MIDDLE[0]), see(at * 2 * MIDDLE[0] + step));
      expect({ motion, cut }).toEqual({ motion: undefined, cut: false });
    });
  });

  it('a tenth of the picture that moves by itself, or not at all, does not hide the motion of the camera', () => {
    const scenes = fc.record({
      seed: seeds,
      share: fc.double({ min: 0.02, max: 0.1, noNaN: true }),
      at: fc.double({ min: 0.2, max: 0.8, noNaN: true }),
      step: fc.integer({ min: 0, max: 250 }),
      dx: fc.integer({ min: 40, max: 200 }),
    });
    law(scenes, ({ seed, share, at, step, dx }) => {
      const scene = (x: number): World => withBoard(wallOf(seed), wallOf(seed + 1), share, x);
      const x = at * 2 * MIDDLE[0];
      const { motion } = compare(look(scene(x)), lookMoved(scene(x + step), -dx, 0));
      expect(motion, JSON.stringify({ seed, share, at, step, dx })).toBeDefined();
      const [toX, toY] = warpPoint(motion!, ...MIDDLE);
      expect(Math.hypot(toX - MIDDLE[0] + dx, toY - MIDDLE[1])).toBeLessThan(CELL / 3);
    });
  });

  it('something that fills three quarters of the picture at once is neither motion nor cut', () => {
    law(fc.record({ seed: seeds, share: fc.double({ min: 0.4, max: 0.75, noNaN: true }) }), ({ seed, share }) => {
      const wall = wallOf(seed);
      const lorry = look(withBoard(wall, wallOf(seed + 1), share, share * MIDDLE[0]));
      for (const [before, after] of [
        [look(wall), lorry],
        [lorry, look(wall)],
      ] as const) {
        const { motion, cut } = compare(before, after);
        expect({ motion, cut }).toEqual({ motion: undefined, cut: false });
      }
    });
  });

  it('tells nothing of a shift along edges that all run that way', () => {
    law(
      fc.record({ seed: seeds, dx: fc.integer({ min: 20, max: 200 }), dy: fc.integer({ min: 0, max: 60 }) }),
      ({ seed, dx, dy }) => {
        const road: World = (_x, y) => wallOf(seed)(0, y);
        expect(compare(look(road), lookMoved(road, dx, dy)).motion).toBeUndefined();
      },
    );
  });

  it('another picture is a cut, nine times out of ten', () => {
    let cuts = 0;
    law(
      seeds,
      (seed) => {
        const { motion, cut } = compare(look(wallOf(seed)), look(wallOf(seed + 1)));
        expect(motion).toBeUndefined();
        if (cut) cuts++;
      },
      60,
    );
    // Not each: two walls may happen to have light and dark in like places, and a false cut costs more than a missed one.
    expect(cuts).toBeGreaterThanOrEqual(54);
  });

  it('passes over blank pictures: the same scene after them is no cut, another one is', () => {
    const [picture, other] = [look(wallOf(5)), look(wallOf(6))];
    const black = noisy(
      changed(picture, () => 10),
      5,
      0.5,
    );
    const through = (last: Thumbnail): CameraStep =>
      [picture, black, black, last].reduce<CameraStep>((step, next) => stepCamera(step.state, next), {
        state: undefined,
        cut: false,
      });
    expect(through(picture)).toMatchObject({ cut: false });
    expect(through(lookMoved(wallOf(5), 100, 0)).motion?.[2]).toBeCloseTo(100, -1);
    expect(through(other)).toMatchObject({ cut: true });
  });

  it('a picture of another size, or of a few cells only, begins anew', () => {
    const picture = look(wallOf(3));
    const narrow = { ...picture, width: 51, height: 91 };
    expect(compare(picture, narrow)).toEqual({ state: { thumbnail: narrow }, cut: false });
    const small = (seed: number): Thumbnail => ({
      ...GRID,
      width: 10,
      height: 10,
      luma: look(wallOf(seed)).luma.slice(0, 100),
    });
    expect(compare(small(1), small(2))).toMatchObject({ cut: false });
    const empty = { ...GRID, width: 0, height: 0, luma: new Float32Array(0) };
    expect(compare(picture, empty)).toEqual({ state: { thumbnail: picture }, cut: false });
  });

  it('keeps what it was given as it was', () => {
    const [before, after] = [look(wallOf(8)), lookMoved(wallOf(8), 60, 30)];
    const kept = [before.luma.slice(), after.luma.slice()];
    compare(before, after);
    expect([before.luma, after.luma]).toEqual(kept);
  });
});
