import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { toYuv, trackColour } from '../../../operators/drawing/colour.js';
import type { YuvPicture } from '../../../operators/drawing/picture.js';
import type { BoxXyxy, TrackedFrame } from '../../../operators/types.js';
import { type ClipJob, makeClip } from '../../../pipeline/recording/make-clip.js';
import { type Sidecar, sidecarSchema } from '../../../pipeline/recording/sidecar.js';
import { cutSegments, numberOf, readPictures, squareOf, writeNumberedVideo } from '../../support/numbered-video.js';
import { TRACK, trackedFrame } from './frames.js';

/** Frame-exact: what was found in picture n is drawn on picture n, whatever the rate, the codec and the container do. */

const size = { width: 320, height: 240 };
export const x264 = (...more: string[]): string[] => ['-c:v', 'libx264', '-preset', 'veryfast', '-crf', '12', ...more];
const jitter = [33, 100, 40, 250, 67, 33, 34, 20];

/** A generated video; without `rate` its pictures are a varying time apart. */
export interface FrameExactCase {
  readonly name: string;
  readonly rate?: string;
  readonly fps?: number;
  readonly encoder: readonly string[];
}

/** The law as a suite of tests for one kind of video. */
export function clipsAreFrameExact(one: FrameExactCase): void {
  describe(`a clip of ${one.name}`, () => {
    let root: string;
    const count = 160;
    const ptsMs: number[] = [];
    let segments: string[] = [];

    beforeAll(async () => {
      root = await mkdtemp(join(tmpdir(), 'maskcast-clip-'));
      const folder = join(root, 'source');
      await mkdir(folder);
      for (let i = 0, at = 0; i < count; i++) {
        ptsMs.push(one.fps ? (i * 1000) / one.fps : at);
        at += jitter[i % jitter.length]!;
      }
      const path = join(folder, 'source.mkv');
      const times = one.rate ? { rate: one.rate, count } : ptsMs;
      await writeNumberedVideo(path, { ...size, times, encoder: one.encoder });
      segments = (await cutSegments(path, folder, { camera: 'gate', segmentS: 1 })).map(({ path }) => path);
    });

    afterAll(() => rm(root, { recursive: true, force: true }));

    async function clipOf(frames: readonly TrackedFrame[], fromPts: number, toPts: number, name: string) {
      const folder = join(root, name);
      await mkdir(folder);
      const job: ClipJob = {
        folder,
        clip: name,
        event: TRACK,
        camera: 'gate',
        model: { name: 'test' },
        segments,
        pts0Time: 1_700_000_000_000,
        fromPts,
        toPts,
        anchorPts: (fromPts + toPts) / 2,
        annotate: true,
        frames,
      };
      const result = await makeClip(job, new AbortController().signal);
      expect(result.note).toBeUndefined();
      const sidecar: Sidecar = sidecarSchema.parse(JSON.parse(await readFile(join(folder, 'tracks.json'), 'utf8')));
      return {
        sidecar,
        clip: await readPictures(join(folder, 'clip.mp4')),
        annotated: await readPictures(join(folder, 'annotated.mp4')),
        result,
      };
    }

    it('shows at each t of the sidecar the very picture that was analysed, and the box sits on the square in every one', async () => {
      const fromPts = ptsMs[50]! / 1000;
      const toPts = ptsMs[110]! / 1000;
      const frames = ptsMs.map((ms, number) => trackedFrame(number, ms / 1000, size));
      const { sidecar, clip, annotated } = await clipOf(frames, fromPts, toPts, 'every');

      // Begins with a whole picture at or before the range, holds all of the range, has no hole, and ends soon after it.
      const numbers = clip.map(({ picture }) => numberOf(picture));
      expect(numbers[0]).toBeLessThanOrEqual(50);
      expect(numbers).toEqual(numbers.map((_, i) => numbers[0]! + i));
      expect(numbers.at(-1)).toBeGreaterThanOrEqual(109);
      expect(numbers.at(-1)).toBeLessThanOrEqual(114);
      expect(clip[0]!.tS).toBe(0);

      expect(sidecar.frames.length).toBe(clip.length);
      for (const [i, { t, pts, instances }] of sidecar.frames.entries()) {
        expect(Math.abs(clip[i]!.tS - t)).toBeLessThan(0.0006);
        expect(instances[0]!.box).toEqual([...squareOf(numbers[i]!, size)]);
        expect(Math.abs(sidecar.offset + t - pts)).toBeLessThan(0.0016);
      }
      expect(annotated.map(({ tS }) => tS)).toEqual(clip.map(({ tS }) => tS));
      for (const [i, { picture }] of annotated.entries()) {
        expect(numberOf(picture)).toBe(numbers[i]);
        expect(onSquare(picture, squareOf(numbers[i]!, size))).toBe(true);
        expect(onSquare(picture, squareOf(numbers[i]! + 1, size))).toBe(false);
      }
    });

    it('draws on the analysed pictures what was found there, and in between a box on its way', async () => {
      const frames = ptsMs.flatMap((ms, number) => (number % 3 ? [] : [trackedFrame(number, ms / 1000, size)]));
      const { sidecar, annotated } = await clipOf(frames, ptsMs[60]! / 1000, ptsMs[90]! / 1000, 'third');
      const analysed = new Set(sidecar.frames.map(({ t }) => Math.round(t * 1000)));
      expect(analysed.size).toBe(annotated.filter(({ picture }) => numberOf(picture) % 3 === 0).length);
      let between = 0;
      for (const { picture, tS } of annotated) {
        const number = numberOf(picture);
        expect(analysed.has(Math.round(tS * 1000))).toBe(number % 3 === 0);
        if (number % 3 === 0) expect(onSquare(picture, squareOf(number, size))).toBe(true);
        else {
          // The square moves the same way in every picture, times need not: on its way by time.
          const [a, b] = [number - (number % 3), number - (number % 3) + 3];
          // Nobody looked before the first and after the last analysed picture of the clip.
          if (a < numberOf(annotated[0]!.picture) || b > numberOf(annotated.at(-1)!.picture)) continue;
          const share = (ptsMs[number]! - ptsMs[a]!) / (ptsMs[b]! - ptsMs[a]!);
          const [from, to] = [squareOf(a, size), squareOf(b, size)];
          const box = from.map((edge, i) => edge + (to[i]! - edge) * share) as unknown as BoxXyxy;
          expect(onSquare(picture, box)).toBe(true);
          between++;
        }
      }
      expect(between).toBeGreaterThan(15);
    });
  });
}

/** Whether the four sides of the box have the track's colour: an encoder blurs, so most of it and its tint. */
function onSquare({ u, v, width }: YuvPicture, box: BoxXyxy): boolean {
  const wanted = toYuv(trackColour(TRACK), 'bt601');
  const [x1, y1, x2, y2] = box.map((edge) => Math.round(edge)) as [number, number, number, number];
  const near = (x: number, y: number): boolean => {
    const at = (y >> 1) * (width >> 1) + (x >> 1);
    return Math.hypot(u[at]! - wanted.u, v[at]! - wanted.v) < 40;
  };
  const sides: [number, number][][] = [[], [], [], []];
  for (let k = 8; k < x2 - x1 - 8; k += 2) {
    sides[0]!.push([x1 + k, y1 + 1]);
    sides[1]!.push([x1 + k, y2 - 1]);
    sides[2]!.push([x1 + 1, y1 + k]);
    sides[3]!.push([x2 - 1, y1 + k]);
  }
  return sides.every((points) => points.filter(([x, y]) => near(x, y)).length > points.length * 0.6);
}
