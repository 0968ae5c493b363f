import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { textOn, toRgb24, toYuv, trackColour } from '../../../operators/drawing/colour.js';
import { createInstanceDrawer, type DrawnInstance, plateText } from '../../../operators/drawing/draw-instances.js';
import { instancesAt } from '../../../operators/drawing/instances-at.js';
import { fillRect, yuvPicture } from '../../../operators/drawing/picture.js';
import { createLettering } from '../../../operators/drawing/text.js';
import { encodeRle } from '../../../operators/masks/rle.js';
import type { BoxXyxy, Instance } from '../../../operators/types.js';

const instance = (more: Partial<Instance> = {}): Instance => ({
  id: 'gate-1-7',
  label: 'person',
  score: 0.87,
  box: [20, 40, 60, 90],
  state: 'moving',
  zones: [],
  age: 0,
  velocity: [0, 0],
  ...more,
});
const blank = (width = 120, height = 100) =>
  yuvPicture(new Uint8Array((width * height * 3) / 2).fill(128), { width, height });

describe('pictures', () => {
  it('are filled exactly in luma, and never outside of themselves', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -30, max: 130 }), { minLength: 4, maxLength: 4 }), ([x0, y0, x1, y1]) => {
        const picture = blank();
        fillRect(picture, x0!, y0!, x1!, y1!, { y: 200, u: 10, v: 20 });
        const width = Math.max(0, Math.min(120, x1!) - Math.max(0, x0!));
        const height = Math.max(0, Math.min(100, y1!) - Math.max(0, y0!));
        expect(picture.y.filter((value) => value === 200).length).toBe(width * height);
      }),
      { seed: 11, numRuns: 200 },
    );
    expect(() => yuvPicture(new Uint8Array(10), { width: 3, height: 2 })).toThrow(/no yuv420p picture of 3 × 2/);
  });

  it('show a filled colour as that colour again', () => {
    for (const matrix of ['bt601', 'bt709'] as const) {
      for (const rgb of [
        [255, 0, 0],
        [0, 255, 0],
        [10, 90, 250],
        [255, 255, 255],
        [0, 0, 0],
      ] as const) {
        const picture = blank(4, 4);
        fillRect(picture, 0, 0, 4, 4, toYuv(rgb, matrix));
        const back = toRgb24(picture, 3, 3, matrix);
        for (let i = 0; i < 3; i++) expect(Math.abs(back[i]! - rgb[i]!)).toBeLessThanOrEqual(3);
        expect(back.length).toBe(27);
      }
    }
  });
});

describe('colours', () => {
  it('of tracks that follow each other are far apart, and their text can be read', () => {
    const luma = ([r, g, b]: readonly [number, number, number]): number => 0.2126 * r + 0.7152 * g + 0.0722 * b;
    for (let n = 0; n < 500; n++) {
      const [a, b] = [trackColour(`gate-x-${n}`), trackColour(`gate-x-${n + 1}`)];
      expect(Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2])).toBeGreaterThan(100);
      expect(Math.abs(luma(textOn(a)) - luma(a))).toBeGreaterThan(60);
    }
    expect(trackColour('gate-x-3')).toEqual(trackColour('gate-x-3'));
  });
});

describe('letters', () => {
  it('are as they were drawn at scale 1', () => {
    const { width, height, alpha } = createLettering(1)('i7');
    const rows = Array.from({ length: height }, (_, y) =>
      [...alpha.subarray(y * width, (y + 1) * width)].map((value) => (value ? '#' : '.')).join(''),
    );
    expect(rows).toEqual([
      '#.#####',
      '......#',
      '#....#.',
      '#....#.',
      '#...#..',
      '#...#..',
      '#...#..',
      '.......',
      '.......',
    ]);
  });

  it('keep their weight when enlarged, and what we have no letter for is a question mark', () => {
    const weight = (scale: number): number => createLettering(scale)('person #12 0.93').alpha.reduce((a, b) => a + b);
    for (const scale of [2, 3, 5]) expect(weight(scale) / scale ** 2 / weight(1)).toBeCloseTo(1, 0);
    expect(createLettering(2)('門')).toEqual(createLettering(2)('?'));
    expect(createLettering(2)('')).toMatchObject({ width: 0 });
  });
});

describe('instances', () => {
  it('are drawn as a line along the inner side of the box, a plate above it, and nothing else', () => {
    const picture = blank();
    const [x1, y1, x2, y2] = [20, 40, 60, 90];
    createInstanceDrawer(100, 'bt601')(picture, [instance()]);
    const colour = toYuv(trackColour('gate-1-7'), 'bt601');
    for (let y = y1; y < y2; y++) {
      for (let x = x1; x < x2; x++) {
        const inner = x >= x1 + 2 && x < x2 - 2 && y >= y1 + 2 && y < y2 - 2;
        expect(picture.y[y * 120 + x]).toBe(inner ? 128 : colour.y);
      }
    }
    // The plate: 11 rows above the box, from its left edge.
    expect(picture.y[(y1 - 11) * 120 + x1]).toBe(colour.y);
    expect(picture.y[(y1 - 12) * 120 + x1]).toBe(128);
    expect(picture.y[(y2 + 1) * 120 + x1]).toBe(128);
  });

  it('that are lost are not drawn', () => {
    const picture = blank();
    createInstanceDrawer(100, 'bt601')(picture, [instance({ state: 'lost' })]);
    expect(picture.y.every((value) => value === 128)).toBe(true);
  });

  it('anywhere, of any size, are drawn without an error', () => {
    const coordinate = fc.double({ min: -50, max: 200, noNaN: true });
    fc.assert(
      fc.property(fc.tuple(coordinate, coordinate, coordinate, coordinate), fc.string(), ([a, b, c, d], label) => {
        const box: BoxXyxy = [Math.min(a, c), Math.min(b, d), Math.max(a, c), Math.max(b, d)];
        createInstanceDrawer(100, 'bt709')(blank(16, 16), [instance({ box, label })]);
      }),
      { seed: 11, numRuns: 200 },
    );
  });

  it('with a mask have a veil on its pixels and a line on its border, and it moves with the box', () => {
    const bits = new Uint8Array(20 * 10).fill(1);
    const mask = { size: [20, 10] as const, origin: [30, 50] as const, counts: encodeRle(bits, 20, 10) };
    const at = (drawn: DrawnInstance, x: number, y: number): number => {
      const picture = blank();
      createInstanceDrawer(100, 'bt601')(picture, [drawn]);
      return picture.y[y * 120 + x]!;
    };
    const colour = toYuv(trackColour('gate-1-7'), 'bt601');
    const found = instance({ mask });
    expect([at(found, 30, 50), at(found, 29, 50), at(found, 40, 50)]).toEqual([colour.y, 128, 128]);
    const veil = at(found, 35, 60);
    expect(veil).toBe(Math.floor(128 + (colour.y - 128) * 0.4 + 0.5));
    const moved: DrawnInstance = { ...found, box: [26, 43, 66, 93], maskBox: found.box };
    expect([at(moved, 36, 53), at(moved, 35, 53), at(moved, 41, 63)]).toEqual([colour.y, 128, veil]);
  });

  it('are named by label, number and score', () => {
    expect(plateText(instance())).toBe('person #7 0.87');
    expect(plateText(instance({ state: 'stationary', id: 'odd' }))).toBe('person 0.87 still');
  });
});

describe('instancesAt', () => {
  const at = (tMs: number, ...instances: Instance[]) => ({ tMs, instances });
  const box = (x: number, more: Partial<Instance> = {}) => instance({ box: [x, 0, x + 10, 10], ...more });

  it('gives what was found on an analysed frame, whatever was lost or new there', () => {
    const frames = [at(0, box(0)), at(100, box(10, { state: 'lost' }), box(50, { id: 'b' }))];
    expect(instancesAt(frames, 0)).toBe(frames[0]!.instances);
    expect(instancesAt(frames, 100.4)).toBe(frames[1]!.instances);
  });

  it('moves evenly from one observation to the next, inside the two', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 99 }), fc.integer({ min: -200, max: 200 }), (t, x) => {
        const [drawn] = instancesAt([at(0, box(0)), at(100, box(x))], t);
        expect(drawn!.box[0]).toBeCloseTo((x * t) / 100, 9);
      }),
      { seed: 11 },
    );
  });

  it('draws nothing before the first, after the last, over a gap, and around a loss', () => {
    expect(instancesAt([], 5)).toEqual([]);
    expect(instancesAt([at(100, box(0))], 50)).toEqual([]);
    expect(instancesAt([at(100, box(0))], 150)).toEqual([]);
    expect(instancesAt([at(0, box(0)), at(30_000, box(0))], 15_000)).toEqual([]);
    expect(instancesAt([at(0, box(0)), at(100, box(0, { state: 'lost' }))], 50)).toEqual([]);
    expect(instancesAt([at(0, box(0, { state: 'lost' })), at(100, box(0))], 50)).toEqual([]);
    expect(instancesAt([at(0, box(0)), at(100)], 50)).toEqual([]);
  });
});
