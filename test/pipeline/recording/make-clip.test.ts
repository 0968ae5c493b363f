import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TrackedFrame } from '../../../operators/types.js';
import { bestMoment } from '../../../pipeline/recording/best-moment.js';
import { type ClipJob, makeClip, NOT_RENDERED } from '../../../pipeline/recording/make-clip.js';
import { readSegmentFile, writeSegmentFile } from '../../../pipeline/recording/matroska/segment-file.js';
import { placeFrames, sidecarJsonSchema } from '../../../pipeline/recording/sidecar.js';
import { verifyClip } from '../../../pipeline/recording/verify-clip.js';
import {
  cutSegments,
  numberOf,
  readPictures,
  type squareOf,
  writeNumberedVideo,
} from '../../support/numbered-video.js';
import { squareInstance, TRACK, trackedFrame } from './frames.js';

const size = { width: 160, height: 120 };
let root: string;
let segments: string[];
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'maskcast-make-'));
  const source = join(root, 'source.mkv');
  const encoder = ['-c:v', 'libx264', '-preset', 'veryfast', '-g', '10', '-bf', '2'];
  await writeNumberedVideo(source, { ...size, times: { rate: '10', count: 40 }, encoder });
  segments = (await cutSegments(source, root, { camera: 'gate', segmentS: 1 })).map(({ path }) => path);
});
afterAll(() => rm(root, { recursive: true, force: true }));

async function job(name: string, more: Partial<ClipJob> = {}): Promise<ClipJob> {
  const folder = join(root, name);
  await mkdir(folder);
  return {
    folder,
    clip: name,
    event: TRACK,
    camera: 'gate',
    model: { name: 'test' },
    segments,
    pts0Time: 0,
    fromPts: 1,
    toPts: 3,
    anchorPts: 2,
    annotate: true,
    frames: Array.from({ length: 40 }, (_, i) => trackedFrame(i, i / 10, size)),
    ...more,
  };
}
const calm = (): AbortSignal => new AbortController().signal;

describe('makeClip', () => {
  it('gives up only the rendering when time is short, and says so', async () => {
    const short = await job('short');
    const result = await makeClip(short, AbortSignal.abort());
    expect(result).toMatchObject({ annotated: false, note: NOT_RENDERED });
    expect((await readdir(short.folder)).sort()).toEqual(['best.jpg', 'clip.mp4', 'tracks.json']);
    expect((await verifyClip(short.folder)).problems).toEqual([]);
  });

  it('uses what can be read of segments that are gone, broken or cut off', async () => {
    const broken = join(root, 'broken.mkv');
    const cutOff = join(root, 'cut-off.mkv');
    await writeFile(broken, 'not a video');
    await copyFile(segments[2]!, cutOff);
    await truncate(cutOff, Math.round((await readFile(cutOff)).length * 0.7));
    const damaged = await job('damaged', {
      segments: [join(root, 'gone.mkv'), broken, segments[1]!, cutOff],
      fromPts: 0,
      toPts: 4,
    });
    await makeClip(damaged, calm());
    const numbers = (await readPictures(join(damaged.folder, 'clip.mp4'))).map(({ picture }) => numberOf(picture));
    expect(numbers[0]).toBe(10);
    expect(numbers.length).toBeGreaterThan(10);
    expect(numbers.length).toBeLessThan(20);
    expect((await verifyClip(damaged.folder)).problems).toEqual([]);
  });

  it('refuses with a reason when nothing can be shown', async () => {
    await expect(makeClip(await job('none', { segments: [] }), calm())).rejects.toThrow(
      'no recorded segment shows the event',
    );
    const gone = await job('gone', { segments: [join(root, 'gone.mkv')] });
    await expect(makeClip(gone, calm())).rejects.toThrow(/no segment could be read: ENOENT/);
  });

  it('draws nothing while a track is lost, nor before and after it', async () => {
    const seen = (n: number): TrackedFrame['instances'] => {
      if (n < 14 || n > 25) return [];
      return [squareInstance(n, size, { state: n === 20 ? 'lost' : 'moving' })];
    };
    const frames = Array.from({ length: 20 }, (_, i) => trackedFrame(i * 2, i / 5, size, seen(i * 2)));
    const lost = await job('lost', { frames });
    await makeClip(lost, calm());
    const clip = await readPictures(join(lost.folder, 'clip.mp4'));
    const annotated = await readPictures(join(lost.folder, 'annotated.mp4'));
    const drawn = annotated
      .filter(({ picture }, i) => {
        const before = clip[i]!.picture;
        return picture.v.some((value, at) => Math.abs(value - before.v[at]!) > 40);
      })
      .map(({ picture }) => numberOf(picture));
    expect(drawn).toEqual([14, 15, 16, 17, 18, 22, 23, 24]);
  });

  it('is told broken by verify when a file is missing, damaged, or shows other pictures than the sidecar says', async () => {
    const good = await job('tampered');
    await makeClip(good, calm());
    const path = join(good.folder, 'tracks.json');
    const sidecar = JSON.parse(await readFile(path, 'utf8'));
    await writeFile(path, JSON.stringify({ ...sidecar, offset: sidecar.offset + 0.05 }));
    expect((await verifyClip(good.folder)).problems[0]).toMatch(/frames are not at pts = offset \+ t/);
    for (const frame of sidecar.frames) frame.t += 0.05;
    await writeFile(path, JSON.stringify(sidecar));
    expect((await verifyClip(good.folder)).problems.join()).toMatch(/have no picture, the first at t = 0.05/);
    await writeFile(path, '{"schema":1}');
    await writeFile(join(good.folder, 'best.jpg'), 'x');
    await rm(join(good.folder, 'clip.mp4'));
    const { problems } = await verifyClip(good.folder);
    expect(problems.map((problem) => problem.split(':')[0])).toEqual(['clip.mp4', 'tracks.json', 'best.jpg']);
  });
});

describe('a segment file', () => {
  it('read, written and read again holds the same packets', async () => {
    const file = readSegmentFile(await readFile(segments[1]!));
    expect(file.packets.length).toBe(10);
    const again = readSegmentFile(Buffer.concat([...writeSegmentFile(file, file.packets, new Map([[1100, 100]]))]));
    expect(again.tracks).toEqual(file.tracks);
    expect(again.packets.map(({ ptsMs, key, block }) => [ptsMs, key, Buffer.from(block).toString('hex')])).toEqual(
      file.packets.map(({ ptsMs, key, block }) => [ptsMs, key, Buffer.from(block).toString('hex')]),
    );
  });

  it('cut anywhere gives the packets before the cut', async () => {
    const bytes = await readFile(segments[1]!);
    const all = readSegmentFile(bytes).packets.map(({ ptsMs }) => ptsMs);
    for (let length = 60; length < bytes.length; length += 37) {
      const some = readSegmentFile(bytes.subarray(0, length)).packets.map(({ ptsMs }) => ptsMs);
      expect(some).toEqual(all.slice(0, some.length));
    }
  });
});

describe('placeFrames', () => {
  it('gives each frame its own picture, though times are rounded, and none to frames that the clip does not show', () => {
    const pictures = [0, 33, 67, 100, 133].map((ms) => ({ sourceMs: 5000 + ms, tS: ms / 1000 }));
    const frames = [4.99, 5, 5 + 1 / 30, 5 + 3 / 30, 5 + 4.5 / 30, 5.2].map((pts, i) => trackedFrame(i, pts, size));
    expect(placeFrames(frames, pictures).map(({ t }) => t)).toEqual([0, 0.033, 0.1]);
  });
});

describe('bestMoment', () => {
  it('prefers a sure, large and whole instance', () => {
    const source = { ...size, fps: 10 };
    const frames = [
      { score: 0.9, box: [50, 50, 60, 60] },
      { score: 0.8, box: [40, 20, 100, 110] },
      { score: 0.9, box: [0, 20, 70, 120] },
      { score: 0.2, box: [20, 10, 130, 110] },
    ].map(({ score, box }, i) => ({
      pts: i,
      t: i,
      instances: [squareInstance(0, size, { score, box: box as unknown as ReturnType<typeof squareOf> })],
    }));
    const sidecar = { source, frames } as unknown as Parameters<typeof bestMoment>[0];
    expect(bestMoment(sidecar, TRACK).tS).toBe(1);
    expect(bestMoment(sidecar, 'nobody')).toEqual({ tS: 0 });
  });
});

it('the JSON Schema in docs/schemas is that of the code', async () => {
  const file = new URL('../../../docs/schemas/sidecar.json', import.meta.url);
  expect(JSON.parse(await readFile(file, 'utf8'))).toEqual(JSON.parse(JSON.stringify(sidecarJsonSchema())));
});
