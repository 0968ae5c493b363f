import { stepCamera } from '../../operators/camera/step-camera.js';
import { makeThumbnail } from '../../operators/camera/thumbnail.js';
import type { Thumbnail } from '../../operators/types.js';
import { look, lookMoved, wallOf } from '../operators/camera/world.js';
import { type Bench, type BenchRow, interleave } from './harness.js';

const SOURCE = { width: 1920, height: 1080 };
/** One measured run is so many comparisons: a clock does not tell one apart. */
const REPEAT = 20;

/** A picture of 640 × 360 as a worker holds it. */
function pixelsOf(): Uint8Array {
  const pixels = new Uint8Array(new SharedArrayBuffer(640 * 360 * 3));
  for (let at = 0; at < pixels.length; at++) pixels[at] = (at * 2_654_435_761) >>> 24;
  return pixels;
}

const noisy = (picture: Thumbnail, index: number): Thumbnail => ({
  ...picture,
  luma: picture.luma.map((value, at) => value + (((at * 7 + index) * 2_654_435_761) >>> 31)),
});

/** The wall with a board before it that moves by itself, a sixth of the picture wide. */
const walkedPast = (x: number): Thumbnail =>
  look((u, v) => (u > x && u < x + 320 ? wallOf(9)(u - x, v) : wallOf(1)(u, v)));

/** `npm run bench -- camera`: what it costs to watch a camera, ms per frame. */
export const bench: Bench = {
  about: 'thumbnail of a frame (in the worker) and its comparison with the one before (main thread), ms a frame',
  async run(): Promise<readonly BenchRow[]> {
    const pixels = pixelsOf();
    const placement = { scaleX: 1 / 3, scaleY: 1 / 3, offsetX: 0, offsetY: 0 };
    const here = look(wallOf(1));
    const pairs: Readonly<Record<string, readonly [Thumbnail, Thumbnail]>> = {
      'nothing moves': [here, noisy(here, 1)],
      'somebody walks past': [walkedPast(400), walkedPast(460)],
      'pan by two cells': [here, lookMoved(wallOf(1), 40, 10)],
      'pan by a fifth': [here, lookMoved(wallOf(1), 380, 60)],
      'turn and zoom': [here, lookMoved(wallOf(1), 60, 0, 0.05, 1.03)],
      'hard cut': [here, look(wallOf(2))],
    };
    const rows = await interleave(
      [
        {
          case: '640 x 360',
          variant: 'makeThumbnail',
          run: () => {
            for (let run = 0; run < REPEAT; run++) makeThumbnail(pixels, 640, placement, SOURCE);
          },
        },
        ...Object.entries(pairs).map(([name, [before, after]]) => ({
          case: name,
          variant: 'stepCamera',
          run: () => {
            // A camera's state holds what the comparison before has made of its picture.
            const { state } = stepCamera(stepCamera(undefined, after).state, before);
            for (let run = 0; run < REPEAT; run++) stepCamera(state, after);
          },
        })),
      ],
      { rounds: 40, warmUp: 5 },
    );
    return rows.map((row) => ({ ...row, medianMs: row.medianMs / REPEAT, minMs: row.minMs / REPEAT }));
  },
};
