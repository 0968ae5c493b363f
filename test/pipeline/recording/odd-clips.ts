import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Instance, Size } from '../../../operators/types.js';
import { probeClip } from '../../../pipeline/ffmpeg/media-jobs.js';
import { makeClip } from '../../../pipeline/recording/make-clip.js';
import { verifyClip } from '../../../pipeline/recording/verify-clip.js';
import { cutSegments, numberOf, readPictures } from '../../support/numbered-video.js';
import { trackedFrame } from './frames.js';

/** Unusual pictures, recorded by copying, make clips and annotated videos that look as they should. */

const odd = fileURLToPath(new URL('../../../../shared/media/odd/', import.meta.url));
/** A file of `shared/media/odd` and what its clip must be. */
export interface Odd {
  readonly file: string;
  readonly shown: Size;
  /** Of annotated.mp4, when it differs. */
  readonly annotated?: Size;
  readonly pictures: number;
  /** Number of the first one, when it is not 0. */
  readonly first?: number;
  readonly sourceMs: (index: number) => number;
  readonly aspect?: string;
  readonly best?: Size;
}

/** Ten pictures a second. */
export const tenth = (index: number): number => index * 100;
export const usual: Size = { width: 320, height: 180 };
/** Times of vfr-gap.mp4. */
export const gap = (index: number): number => {
  if (index < 30) return index * 100;
  const steps = [33, 100, 250, 40, 67];
  return Array.from({ length: index - 30 }, (_, i) => steps[i % 5]!).reduce((sum, step) => sum + step, 32_900);
};
/** The suite of tests for such files. */
export function oddFilesBecomeClips(files: readonly Odd[]): void {
  let root: string;
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'maskcast-odd-'));
  });
  afterAll(() => rm(root, { recursive: true, force: true }));

  it.for(files)('$file becomes a clip', async (one, ctx) => {
    if (!existsSync(join(odd, one.file))) {
      console.warn(`SKIPPED: ${join(odd, one.file)} is not here`);
      return ctx.skip();
    }
    const folder = join(root, one.file.replace(/\W/g, '-'));
    await mkdir(join(folder, 'segments'), { recursive: true });
    await mkdir(join(folder, 'clip'));
    const segments = await cutSegments(join(odd, one.file), join(folder, 'segments'), { camera: 'gate' });
    const { width, height } = one.shown;
    const box = [width * 0.4, height * 0.3, width * 0.7, height * 0.9] as const;
    const instance: Instance = {
      id: 'gate-mb2k9c-1',
      label: 'person',
      score: 0.9,
      box,
      state: 'moving',
      zones: [],
      age: 0,
      velocity: [0, 0],
    };
    const frames = Array.from({ length: one.pictures }, (_, index) =>
      trackedFrame(index, one.sourceMs(index) / 1000, one.shown, [instance]),
    );
    const result = await makeClip(
      {
        folder: join(folder, 'clip'),
        clip: 'odd',
        event: instance.id,
        camera: 'gate',
        model: { name: 'test' },
        segments: segments.map(({ path }) => path),
        pts0Time: 0,
        fromPts: frames[0]!.pts,
        toPts: frames.at(-1)!.pts + 1,
        anchorPts: frames[0]!.pts,
        annotate: true,
        frames,
      },
      new AbortController().signal,
    );
    expect(result.annotated).toBe(true);
    const report = await verifyClip(join(folder, 'clip'));
    expect(report).toEqual({
      pictures: one.pictures,
      decoded: one.pictures,
      analysed: one.pictures,
      annotated: true,
      problems: [],
    });
    const annotated = join(folder, 'clip', 'annotated.mp4');
    const probe = await probeClip(annotated);
    expect(probe.size).toEqual(one.annotated ?? one.shown);
    expect(probe.codec).toBe('h264');
    expect(probe.pixelAspect).toBe(one.aspect);
    const pictures = await readPictures(annotated);
    expect(pictures.map(({ picture }) => numberOf(picture))).toEqual(
      Array.from({ length: one.pictures }, (_, i) => i + (one.first ?? 0)),
    );
    // The cells are drawn black and white: limited range and not washed out, whatever the source had.
    const { picture } = pictures[0]!;
    expect(picture.y[4 * picture.width + 4]!).toBeGreaterThan(220);
    expect(picture.y[4 * picture.width + 92]!).toBeLessThan(32);
    const best = await sharp(await readFile(join(folder, 'clip', 'best.jpg'))).metadata();
    expect({ width: best.width, height: best.height }).toEqual(one.best ?? one.shown);
  });
}
