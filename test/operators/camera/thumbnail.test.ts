import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { makeThumbnail } from '../../../operators/camera/thumbnail.js';
import type { InputForm, Size } from '../../../operators/types.js';
import { placePicture } from '../../../pipeline/ffmpeg/placement.js';

const FITS = ['stretch', 'letterbox-top-left', 'letterbox-center'] as const;
/** A picture of one brightness per pixel, laid into an input whose filling would be seen at once. */
function inputOf(source: Size, form: InputForm, grey: (x: number, y: number) => number): Uint8Array {
  const { left, top, width, height } = placePicture(source, form);
  const pixels = new Uint8Array(form.width * form.height * 3).fill(form.fill);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = 3 * ((top + y) * form.width + left + x);
      pixels.fill(grey(x, y), at, at + 3);
    }
  }
  return pixels;
}

describe('makeThumbnail', () => {
  const places = fc.record({
    source: fc.record({ width: fc.integer({ min: 1, max: 2000 }), height: fc.integer({ min: 1, max: 2000 }) }),
    input: fc.record({ width: fc.integer({ min: 8, max: 300 }), height: fc.integer({ min: 8, max: 300 }) }),
    fit: fc.constantFrom(...FITS),
  });

  it('sees the picture and nothing of the filling, in at most 96 cells a side that are all inside the source', () => {
    fc.assert(
      fc.property(places, ({ source, input, fit }) => {
        const form = { ...input, fit, fill: 255 };
        const { placement } = placePicture(source, form);
        const { width, height, cellWidth, cellHeight, luma } = makeThumbnail(
          inputOf(source, form, () => 40),
          form.width,
          placement,
          source,
        );
        expect(luma).toHaveLength(width * height);
        for (const value of luma) expect(value).toBe(40);
        expect(Math.max(width, height)).toBeLessThanOrEqual(96);
        expect(width * cellWidth).toBeLessThanOrEqual(source.width + 1e-6);
        expect(height * cellHeight).toBeLessThanOrEqual(source.height + 1e-6);
      }),
      { seed: 5, numRuns: 200 },
    );
  });

  it('each cell is the mean of its pixels', () => {
    const source = { width: 384, height: 192 };
    const form = { width: 200, height: 200, fit: 'letterbox-center', fill: 0 } as const;
    const placed = placePicture(source, form);
    const thumbnail = makeThumbnail(
      inputOf(source, form, (x, y) => x + y),
      form.width,
      placed.placement,
      source,
    );
    expect(thumbnail).toMatchObject({ width: 66, height: 33, cellWidth: 5.76, cellHeight: 5.76 });
    // Three by three pixels around (3·10 + 1, 3·20 + 1).
    expect(thumbnail.luma[20 * 66 + 10]).toBeCloseTo(31 + 61, 5);
  });

  it('weighs colours as BT.601 does', () => {
    const grey = (rgb: readonly number[]): number =>
      makeThumbnail(Uint8Array.from(rgb), 1, { scaleX: 1, scaleY: 1, offsetX: 0, offsetY: 0 }, { width: 1, height: 1 })
        .luma[0]!;
    expect(grey([255, 0, 0])).toBeCloseTo(0.299 * 255, 0);
    expect(grey([0, 255, 0])).toBeCloseTo(0.587 * 255, 0);
    expect(grey([0, 0, 255])).toBeCloseTo(0.114 * 255, 0);
    expect(grey([255, 255, 255])).toBe(255);
  });

  it('has square cells in the source also where the input is stretched', () => {
    const source = { width: 1920, height: 1080 };
    const form = { width: 640, height: 640, fit: 'stretch', fill: 0 } as const;
    const { cellWidth, cellHeight } = makeThumbnail(
      inputOf(source, form, () => 1),
      640,
      placePicture(source, form).placement,
      source,
    );
    expect(cellHeight / cellWidth).toBeGreaterThan(0.9);
    expect(cellHeight / cellWidth).toBeLessThan(1.1);
  });
});
