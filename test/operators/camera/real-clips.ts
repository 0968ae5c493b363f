import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { type CameraState, stepCamera } from '../../../operators/camera/step-camera.js';
import { makeThumbnail } from '../../../operators/camera/thumbnail.js';
import { warpPoint } from '../../../operators/geometry/affine.js';
import type { Size, Thumbnail } from '../../../operators/types.js';

const MEDIA = '../shared/media';
const DATASETS = '../shared/datasets';

/** Clips of the test media from cameras that stand, with their rates. */
export const CLIPS = [
  { name: 'Retail02_short', fps: 30, width: 1920, height: 1080 },
  { name: 'one-by-one-person-detection', fps: 10, width: 768, height: 432 },
  { name: 'person-bicycle-car-detection', fps: 12, width: 768, height: 432 },
  { name: 'traffic', fps: 24, width: 640, height: 360 },
  { name: 'mot/PETS09-S2L1-first400', fps: 10, width: 768, height: 576 },
  { name: 'mot/TUD-Stadtmitte', fps: 25, width: 640, height: 480 },
] as const;
export type Clip = (typeof CLIPS)[number];

export const absent = [...CLIPS.map(({ name }) => join(MEDIA, `${name}.mp4`)), DATASETS].filter(
  (file) => !existsSync(file),
);

/** What workers see of a clip's frames: the form of a model whose input is as wide as it is here. */
const INPUT: Size = { width: 640, height: 360 };

/**
 * Thumbnails of the first frames of a clip, decoded by ffmpeg to 640 × 360.
 *
 * @param source  size that the thumbnails speak of
 * @param filter  ffmpeg filter before the scaling
 * @param file    what is decoded in the clip's place; may be damaged
 */
export async function thumbnailsOf(
  clip: Clip,
  frames = Number.POSITIVE_INFINITY,
  { source = clip as Size, filter = 'null', file = join(MEDIA, `${clip.name}.mp4`) } = {},
): Promise<Thumbnail[]> {
  const limit = Number.isFinite(frames) ? ['-frames:v', String(frames)] : [];
  const scale = `format=rgb24,${filter},scale=${INPUT.width}:${INPUT.height}:flags=bilinear`;
  const decode = spawn(
    'ffmpeg',
    [
      ...['-v', 'fatal', '-threads', '1', '-i', file, '-vf', scale, ...limit],
      ...['-pix_fmt', 'rgb24', '-f', 'rawvideo', 'pipe:1'],
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const closed = once(decode, 'close');
  const picture = Buffer.alloc(INPUT.width * INPUT.height * 3);
  const placement = {
    scaleX: INPUT.width / source.width,
    scaleY: INPUT.height / source.height,
    offsetX: 0,
    offsetY: 0,
  };
  const thumbnails: Thumbnail[] = [];
  let filled = 0;
  for await (const chunk of decode.stdout as AsyncIterable<Buffer>) {
    for (let at = 0; at < chunk.length; ) {
      const copied = chunk.copy(picture, filled, at);
      at += copied;
      filled += copied;
      if (filled < picture.length) continue;
      thumbnails.push(makeThumbnail(picture, INPUT.width, placement, source));
      filled = 0;
    }
  }
  const [code] = (await closed) as [number];
  if (code !== 0) throw new Error(`ffmpeg ended with ${code}`);
  return thumbnails;
}

/**
 * The clip as a camera with a keyframe every fifty pictures would send it, with bytes of its packets overwritten on the way.
 *
 * @param amount  ffmpeg's `noise` bitstream filter: how rarely a byte of packet n is overwritten; 0 never
 */
export function damagedClip(clip: Clip, into: string, amount: string): string {
  const input = ['-i', join(MEDIA, `${clip.name}.mp4`), '-frames:v', '200', '-an'];
  const camera = ['-c:v', 'libx264', '-preset', 'veryfast', '-g', '50', '-keyint_min', '50', '-bf', '0', '-crf', '26'];
  const damage = ['-bsf:v', `noise=amount='${amount}'`];
  execFileSync('ffmpeg', ['-v', 'error', '-y', ...input, ...camera, '-sc_threshold', '0', ...damage, into]);
  return into;
}

/** Thumbnails of a few hundred photographs, each of another place, cropped to the form of the clips. */
export async function pictureThumbnails(): Promise<Thumbnail[]> {
  const thumbnails: Thumbnail[] = [];
  for (const set of ['coco-val-mini', 'train-coco']) {
    const folder = join(DATASETS, set, 'images');
    for (const name of readdirSync(folder).sort().slice(0, 300)) {
      const crop = sharp(join(folder, name)).resize(INPUT.width, INPUT.height, { fit: 'cover' });
      const pixels = await crop.removeAlpha().toColourspace('srgb').raw().toBuffer();
      const placement = { scaleX: 1, scaleY: 1, offsetX: 0, offsetY: 0 };
      thumbnails.push(makeThumbnail(pixels, INPUT.width, placement, INPUT));
    }
  }
  return thumbnails;
}

/** What is told of a series of pictures: by how many cells at most each moved, and where a cut is. */
export function toldOf(pictures: readonly Thumbnail[]): { readonly moved: number[]; readonly cuts: number[] } {
  const [moved, cuts]: [number[], number[]] = [[], []];
  let state: CameraState | undefined;
  for (const [index, picture] of pictures.entries()) {
    const step = stepCamera(state, picture);
    state = step.state;
    if (step.cut) cuts.push(index);
    if (!step.motion) continue;
    const { width, height, cellWidth, cellHeight } = picture;
    const reach = [0, width * cellWidth].flatMap((x) =>
      [0, height * cellHeight].map((y) => {
        const [toX, toY] = warpPoint(step.motion!, x, y);
        return Math.hypot((toX - x) / cellWidth, (toY - y) / cellHeight);
      }),
    );
    moved.push(Math.max(...reach));
  }
  return { moved, cuts };
}

/** Every so many-th picture. */
export const thinned = (pictures: readonly Thumbnail[], step: number): Thumbnail[] =>
  pictures.filter((_, index) => index % step === 0);

/** Share of the clip's sides that a moving window shows. */
const WINDOW = 0.7;

export interface PanErrors {
  /** Pairs of pictures, and those of which a motion was told. */
  readonly pairs: number;
  readonly told: number;
  readonly cuts: number;
  /** Source pixels by which told motions miss the middle of the picture, ascending. */
  readonly errorsPx: readonly number[];
  /** Source pixels of a cell. */
  readonly cellPx: number;
}

/** A pan over a clip: a window that swings over it; every picture is compared with the one `step` before it. */
export async function panErrors(clip: Clip, frames: number, steps: readonly number[]): Promise<PanErrors[]> {
  const [width, height] = [Math.round(clip.width * WINDOW), Math.round(clip.height * WINDOW)];
  // The expressions for ffmpeg and the same in arithmetic.
  const across = (n: number): number => Math.floor(clip.width * 0.15 * (1 + Math.sin(n / 7)));
  const down = (n: number): number => Math.floor(clip.height * 0.15 * (1 + Math.sin(n / 5 + 1)));
  const x = `floor(${clip.width}*0.15*(1+sin(n/7)))`;
  const y = `floor(${clip.height}*0.15*(1+sin(n/5+1)))`;
  const pictures = await thumbnailsOf(clip, frames, {
    source: { width, height },
    filter: `crop=w=${width}:h=${height}:x='${x}':y='${y}':exact=1`,
  });
  return steps.map((step) => {
    const errorsPx: number[] = [];
    let cuts = 0;
    for (let n = 0; n + step < pictures.length; n++) {
      const { motion, cut } = stepCamera({ thumbnail: pictures[n]! }, pictures[n + step]!);
      if (cut) cuts++;
      if (!motion) continue;
      const [toX, toY] = warpPoint(motion, width / 2, height / 2);
      const [dx, dy] = [across(n) - across(n + step), down(n) - down(n + step)];
      errorsPx.push(Math.hypot(toX - width / 2 - dx, toY - height / 2 - dy));
    }
    errorsPx.sort((a, b) => a - b);
    return {
      pairs: pictures.length - step,
      told: errorsPx.length,
      cuts,
      errorsPx,
      cellPx: pictures[0]!.cellWidth,
    };
  });
}
