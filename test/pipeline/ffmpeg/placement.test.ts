import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { InputForm } from '../../../operators/types.js';
import { placementFilter, placePicture } from '../../../pipeline/ffmpeg/placement.js';

const square = (fit: InputForm['fit']): InputForm => ({ width: 416, height: 416, fit, fill: 114 });

describe('placePicture', () => {
  test('is known by hand for 16:9, portrait and a stretched picture', () => {
    const wide = placePicture({ width: 1920, height: 1080 }, square('letterbox-center'));
    expect(wide).toMatchObject({ width: 416, height: 234, left: 0, top: 91 });
    expect(wide.placement).toEqual({ scaleX: 416 / 1920, scaleY: 234 / 1080, offsetX: 0, offsetY: 91 });
    const tall = placePicture({ width: 180, height: 320 }, square('letterbox-top-left'));
    expect(tall).toMatchObject({ width: 234, height: 416, left: 0, top: 0 });
    expect(placePicture({ width: 100, height: 50 }, square('stretch')).placement).toEqual({
      scaleX: 4.16,
      scaleY: 8.32,
      offsetX: 0,
      offsetY: 0,
    });
  });

  test('always lies inside the input and touches two opposite sides of it', () => {
    const side = fc.integer({ min: 1, max: 8192 });
    fc.assert(
      fc.property(side, side, side, side, (width, height, inWidth, inHeight) => {
        const input: InputForm = { width: inWidth, height: inHeight, fit: 'letterbox-center', fill: 0 };
        const placed = placePicture({ width, height }, input);
        expect(placed.width === inWidth || placed.height === inHeight).toBe(true);
        expect(placed.left + placed.width).toBeLessThanOrEqual(inWidth);
        expect(placed.top + placed.height).toBeLessThanOrEqual(inHeight);
        expect(Math.min(placed.width, placed.height, placed.left + 1, placed.top + 1)).toBeGreaterThanOrEqual(1);
      }),
      { seed: 11 },
    );
  });

  test.each([
    ['353x241', 'letterbox-center'],
    ['353x241', 'letterbox-top-left'],
    ['180x320', 'letterbox-center'],
    ['1919x1079', 'letterbox-center'],
    ['640x3', 'letterbox-center'],
    ['17x16', 'letterbox-center'],
    ['353x241', 'stretch'],
  ] as const)('is where ffmpeg puts a white %s picture, %s', (size, fit) => {
    const input = square(fit);
    const [width = 0, height = 0] = size.split('x').map(Number);
    const { stdout } = spawnSync(
      'ffmpeg',
      [
        ...[
          '-v',
          'error',
          '-nostdin',
          '-f',
          'lavfi',
          '-i',
          `color=c=white:s=${size}:r=1,format=gray`,
          '-frames:v',
          '1',
        ],
        ...['-vf', placementFilter(input), '-pix_fmt', 'rgb24', '-f', 'rawvideo', 'pipe:1'],
      ],
      { maxBuffer: 1 << 24 },
    );
    expect(stdout).toHaveLength(416 * 416 * 3);
    const { left, top, ...placed } = placePicture({ width, height }, input);
    let wrong = 0;
    for (let y = 0; y < 416; y++) {
      for (let x = 0; x < 416; x++) {
        const inside = x >= left && x < left + placed.width && y >= top && y < top + placed.height;
        // Grey, for the colour source would round odd sizes of 4:2:0 down. The filling is exact.
        const value = stdout[(y * 416 + x) * 3]!;
        if (inside ? value < 200 : value !== 114) wrong++;
      }
    }
    expect(wrong).toBe(0);
  });
});
