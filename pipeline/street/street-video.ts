import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Size } from '../../operators/types.js';
import { startEncodePictures } from '../ffmpeg/media-jobs.js';
import type { Daylight } from './light.js';
import { planStreet } from './plan.js';
import { openPainter } from './street-picture.js';
import { type StreetTruth, type TruthFrame, truthFigures, truthLines } from './street-truth.js';

export interface StreetVideoOptions extends Size {
  readonly seed: number;
  readonly fps: number;
  readonly seconds: number;
  /** Left out: by the seed. */
  readonly daylight?: Daylight;
}

/** Changes with every change of the drawing: videos of another number are drawn anew. */
const DRAWING = 5;

/**
 * Draws a street and encodes it: `file` (H.264, a key picture a second, no B-frames) and its ground truth beside it as
 * `.json`. Its last picture leads on to its first, so it can be played round and round. Both appear only once whole.
 *
 * @param onFrame  called with the pictures done and in all
 * @throws Error when ffmpeg fails
 */
export async function writeStreetVideo(
  file: string,
  options: StreetVideoOptions,
  onFrame: (done: number, all: number) => void = () => {},
): Promise<StreetTruth> {
  const { width, height, fps, seconds, seed, daylight } = options;
  await mkdir(dirname(file), { recursive: true });
  const plan = planStreet({ seed, periodS: seconds, ...(daylight && { daylight }) });
  const painter = openPainter(plan, { width, height });
  const partial = `${file}.partial`;
  const encode = startEncodePictures(partial, { width, height }, fps);
  const all = Math.round(seconds * fps);
  const frames: TruthFrame[] = [];
  try {
    for (let number = 0; number < all; number++) {
      const { pixels, seen } = painter.paint(number / fps, number);
      frames.push({ t: number / fps, figures: truthFigures(seen) });
      if (!encode.stdin.write(pixels)) {
        // A process that has ended drains nothing; its own error tells why.
        await Promise.race([once(encode.stdin, 'drain'), encode.done]);
      }
      onFrame(number + 1, all);
      // Drawing blocks the thread: signals and pipes get their turn here.
      await new Promise((resolve) => setImmediate(resolve));
    }
    encode.stdin.end();
    await encode.done;
  } catch (cause) {
    encode.kill();
    await rm(partial, { force: true });
    throw cause;
  }
  const truth: StreetTruth = {
    schema: 1,
    seed,
    width,
    height,
    fps,
    seconds,
    daylight: plan.daylight,
    frames,
    ...truthLines(plan, { width, height }),
  };
  await writeFile(`${truthFile(file)}.partial`, JSON.stringify(truth));
  await rename(`${truthFile(file)}.partial`, truthFile(file));
  await rename(partial, file);
  return truth;
}

/** Where the ground truth of a drawn video lies. */
export const truthFile = (video: string): string => video.replace(/\.mp4$/, '.json');

/**
 * The drawn street from a folder, drawn first if it is not there yet.
 *
 * @returns the video file
 */
export async function cachedStreetVideo(
  folder: string,
  options: StreetVideoOptions,
  onFrame?: (done: number, all: number) => void,
): Promise<string> {
  const { seed, width, height, fps, seconds, daylight = 'any' } = options;
  const file = join(folder, `street-${seed}-${daylight}-${width}x${height}-${fps}fps-${seconds}s-v${DRAWING}.mp4`);
  if (!existsSync(file)) await writeStreetVideo(file, options, onFrame);
  return file;
}
