import sharp, { type Sharp } from 'sharp';
import { expect, test } from 'vitest';
import { InputError } from '../../../config/errors.js';
import { frameFromImage } from '../../../pipeline/inference/frame-from-image.js';

const input = { width: 64, height: 48, fit: 'letterbox-center', fill: 114 } as const;
const picture = (): Sharp => sharp({ create: { width: 40, height: 20, channels: 3, background: '#c86432' } });

test.each<[string, Sharp, [number, number, number]]>([
  ['grey', picture().greyscale().jpeg(), [128, 128, 128]],
  ['one channel', picture().toColourspace('b-w').png(), [128, 128, 128]],
  ['with alpha', picture().ensureAlpha().png(), [200, 100, 50]],
  ['of 16 bits', picture().toColourspace('rgb16').png(), [200, 100, 50]],
  ['of a palette', picture().png({ palette: true }), [200, 100, 50]],
  ['turned by its tag, as COCO tools see it', picture().withMetadata({ orientation: 6 }).jpeg(), [200, 100, 50]],
])('a picture %s becomes red, green, blue in the middle of the filling', async (_what, encoded, colour) => {
  const frame = await frameFromImage(await encoded.toBuffer(), input);
  expect(frame.source).toEqual({ width: 40, height: 20 });
  expect(frame.placement).toEqual({ scaleX: 1.6, scaleY: 1.6, offsetX: 0, offsetY: 8 });
  expect(frame.pixels).toHaveLength(64 * 48 * 3);
  expect(frame.pixels.buffer).toBeInstanceOf(SharedArrayBuffer);
  const at = (x: number, y: number): number[] => [...frame.pixels.subarray((y * 64 + x) * 3, (y * 64 + x) * 3 + 3)];
  for (const [i, level] of at(32, 24).entries()) expect(Math.abs(level - colour[i]!)).toBeLessThanOrEqual(2);
  expect(at(0, 0)).toEqual([114, 114, 114]);
  expect(at(63, 7)).toEqual([114, 114, 114]);
  expect(at(63, 8)).not.toEqual([114, 114, 114]);
});

test('what is no picture is refused by name', async () => {
  await expect(frameFromImage(new Uint8Array(100), input)).rejects.toThrow(InputError);
  await expect(frameFromImage('/nowhere/x.jpg', input)).rejects.toThrow('/nowhere/x.jpg: is not a picture');
});
