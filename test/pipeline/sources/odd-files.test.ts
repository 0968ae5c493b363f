import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { InputError } from '../../../config/errors.js';
import { type Collected, collect, missingMedia, ODD, segmentTimes } from './collect.js';

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);
/** One frame of 0.1 s. */
const MS = 0.001;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'maskcast-odd-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Each file runs once, however many tests look at it. */
const runs = new Map<string, Promise<Collected>>();
const recordings = (name: string): string => join(folder, name);
function run(name: string): Promise<Collected> {
  const known = runs.get(name);
  if (known) return known;
  const fresh = collect(`${ODD}/${name}`, { record: { folder: recordings(name), segmentS: 2 } });
  runs.set(name, fresh);
  return fresh;
}

/** What must hold for every decodable file. */
async function checked(name: string) {
  const seen = await run(name);
  expect(seen.error).toBeUndefined();
  expect(seen.statuses.map(({ state }) => state)).toEqual(expect.arrayContaining(['connecting', 'live', 'ended']));
  expect(seen.statuses.at(-1)?.state).toBe('ended');
  expect(seen.frames.map(({ index }) => index)).toEqual(range(0, seen.frames.length - 1));
  for (const [i, frame] of seen.frames.entries()) {
    const before = seen.frames[i - 1];
    if (before && before.epoch === frame.epoch) expect(frame.pts).toBeGreaterThan(before.pts);
    if (before) expect(frame.time).toBeGreaterThan(before.time);
  }
  // Each analysed frame is in the recording, at its own time, in a segment of its epoch that says so.
  const times = segmentTimes(seen.segments);
  for (const { pts, epoch, time } of seen.frames) {
    expect(times.some((t) => Math.abs(t - pts) <= MS)).toBe(true);
    const segment = seen.segments.find(
      (one) => one.epoch === epoch && pts >= one.startPts - MS && pts < one.endPts + MS,
    );
    expect(segment).toBeDefined();
    expect(segment!.pts0Time + pts * 1000).toBeCloseTo(time, 3);
  }
  expect(seen.segments.map(({ path }) => path).sort()).toEqual(
    readdirSync(recordings(name))
      .map((file) => join(recordings(name), file))
      .sort(),
  );
  const starts = seen.segments.map(({ startPts }) => startPts);
  expect(starts).toEqual([...starts].sort((a, b) => a - b));
  return { ...seen, times };
}

const missing = missingMedia(ODD);

describe.skipIf(missing).concurrent('odd files that are no video are refused with one message', () => {
  test.each([
    ['empty.mp4', /"[^"]*empty\.mp4" is empty/],
    ['text.mp4', /is not a video that ffmpeg can read; give a video file/],
    ['truncated-moov-lost.mp4', /is incomplete: .*cut off/],
    ['audio-only.mp4', /has no video stream, only audio/],
    ['audio-with-cover.m4a', /has no video stream, only audio and a cover picture/],
    ['no-such-file.mp4', /does not exist/],
  ])('%s', async (name, message) => {
    const { error, frames, segments, statuses } = await run(name);
    expect(error).toBeInstanceOf(InputError);
    expect(String(error)).toMatch(message);
    expect(String(error).split('\n')).toHaveLength(1);
    expect(frames.length + segments.length).toBe(0);
    expect(statuses.at(-1)?.state).toBe('failed');
    expect(existsSync(recordings(name))).toBe(false);
  });
});

describe.skipIf(missing).concurrent('odd files give each of their pictures once, at its time, and record it', () => {
  test.each([
    ['ten-frames.mp4', range(0, 9)],
    ['single-frame.mp4', [0]],
    ['jpeg.mp4', [30]],
    ['joined-late.ts', range(30, 59)],
    ['back-one-hour.ts', range(0, 59)],
    ['start-5h.ts', range(0, 59)],
    ['edit-list.mp4', range(13, 59)],
    ['fragmented.mp4', range(0, 59)],
    ['long-gop.mp4', range(0, 299)],
    ['raw.h264', range(0, 59)],
    ['open-gop.mp4', range(0, 59)],
    ['two-videos.mp4', range(0, 59)],
    ['alaw-audio.mkv', range(0, 59)],
    ['mjpeg.avi', range(0, 59)],
    ['hevc.mp4', range(0, 59)],
    ['vp9-alpha.webm', range(0, 59)],
    ['animation.gif', range(0, 29)],
    ['odd-size-353x241.mp4', range(0, 29)],
    ['ten-bit.mp4', range(0, 29)],
    ['yuv444.mp4', range(0, 29)],
    ['grey.mp4', range(0, 29)],
    ['anamorphic.mp4', range(0, 29)],
    ['rotated-portrait.mp4', range(0, 29)],
  ])('%s', async (name, numbers) => {
    const { frames, times } = await checked(name);
    expect(frames.map(({ number }) => number)).toEqual(numbers);
    // 10 fps, from 0 on; only the stream that was joined in its middle begins later.
    const start = name === 'joined-late.ts' ? 1.7 : 0;
    for (const [i, { pts }] of frames.entries()) expect(pts).toBeCloseTo(start + i / 10, 6);
    expect(times).toHaveLength(name === 'joined-late.ts' ? 32 : numbers.length);
  });

  test.each([
    ['rotated-portrait.mp4', 180, 320],
    ['anamorphic.mp4', 240, 180],
    ['odd-size-353x241.mp4', 353, 241],
    ['tiny-16x16.mp4', 16, 16],
    ['animation.gif', 160, 90],
  ])('%s is shown as %d x %d', async (name, width, height) => {
    const { frames, stats } = await checked(name);
    expect(frames.length).toBeGreaterThanOrEqual(30);
    for (const { source } of frames) expect(source).toEqual({ width, height });
    expect(stats.size).toEqual({ width, height });
  });

  test('a tiny picture is enlarged and has all its 60 frames', async () => {
    expect((await checked('tiny-16x16.mp4')).frames).toHaveLength(60);
  });

  test('an interlaced stream gives its 30 coded frames, not 60 fields', async () => {
    const { frames } = await checked('interlaced.mp4');
    expect(frames).toHaveLength(30);
    for (const [i, { pts, number }] of frames.entries()) {
      expect(pts).toBeCloseTo(i / 5, 6);
      expect([2 * i, 2 * i + 1]).toContain(number);
    }
  });

  test('a variable rate keeps the time of each picture, over a gap of 30 s', async () => {
    const { frames } = await checked('vfr-gap.mp4');
    const steps = [0.033, 0.1, 0.25, 0.04, 0.067];
    const times = range(0, 29).map((i) => i / 10);
    for (let t = 32.9, i = 0; i < 30; i++) {
      times.push(t);
      t += steps[i % 5]!;
    }
    expect(frames.map(({ number }) => number)).toEqual(range(0, 59));
    for (const [i, { pts }] of frames.entries()) expect(pts).toBeCloseTo(times[i]!, 3);
  });

  test('a clock that steps back begins a new epoch, and the recording agrees', async () => {
    const { frames, segments, warnings } = await checked('backwards.mkv');
    expect(frames.map(({ number }) => number)).toEqual(range(0, 59));
    expect(frames.map(({ epoch }) => epoch)).toEqual([...Array(40).fill(0), ...Array(20).fill(1)]);
    for (const [i, { pts }] of frames.slice(40).entries()) expect(pts - frames[40]!.pts).toBeCloseTo(i / 10, 6);
    // UTC runs on over the break.
    expect(frames[40]!.time - frames[39]!.time).toBeCloseTo(100, -1);
    expect(segments.map(({ epoch }) => epoch)).toEqual([0, 0, 1]);
    expect(warnings).toEqual([expect.stringMatching(/stepped back by 2\.4 s/)]);
  });

  test('a change of size holds from the very frame on, and no segment goes across it', async () => {
    const { frames, segments } = await checked('size-change.ts');
    expect(frames.map(({ number }) => number)).toEqual(range(0, 59));
    expect(frames.map(({ source }) => source.width)).toEqual([...Array(30).fill(320), ...Array(30).fill(640)]);
    expect(frames.map(({ placement }) => placement.scaleX)).toEqual([...Array(30).fill(1), ...Array(30).fill(0.5)]);
    const change = frames[30]!.pts;
    for (const { startPts, endPts } of segments) expect(startPts >= change - MS || endPts <= change + MS).toBe(true);
  });

  test('colours are the same in every way of coding them', async () => {
    const plain = (await checked('ten-frames.mp4')).frames[0]!.mean;
    for (const name of ['mjpeg.avi', 'vp9-alpha.webm', 'ten-bit.mp4', 'yuv444.mp4', 'hevc.mp4']) {
      const { mean } = (await checked(name)).frames[0]!;
      for (const channel of [0, 1, 2] as const) expect(Math.abs(mean[channel] - plain[channel])).toBeLessThan(3);
    }
    // No colour, but as bright: 0.299 R + 0.587 G + 0.114 B.
    const [red, green, blue] = (await checked('grey.mp4')).frames[0]!.mean;
    expect(Math.max(red, green, blue) - Math.min(red, green, blue)).toBeLessThan(0.5);
    expect(Math.abs(red - (0.299 * plain[0] + 0.587 * plain[1] + 0.114 * plain[2]))).toBeLessThan(4);
  });
});

describe.skipIf(missing).concurrent('damaged files give what there is, and one warning', () => {
  test('a file that was cut off says how much of it came', async () => {
    const { frames, warnings } = await checked('truncated-moov-first.mp4');
    expect([20, 21]).toContain(frames.length);
    expect(frames.slice(0, 20).map(({ number }) => number)).toEqual(range(0, 19));
    expect(warnings).toEqual([expect.stringMatching(/ended early: 2[01] of 60 frames, 2\.[01] of 6\.0 s/)]);
  });

  test('damaged packets of an MP4', async () => {
    const { frames, warnings } = await checked('corrupt.mp4');
    expect(frames.length).toBeGreaterThanOrEqual(52);
    expect(frames.at(-1)).toMatchObject({ number: 59, pts: expect.closeTo(5.9, 6) });
    expect(warnings).toEqual([expect.stringMatching(/is damaged: \d+ decoder errors; \d+ frames were delivered/)]);
  });

  test('damaged and lost packets of an MPEG-TS', async () => {
    const { frames, warnings } = await checked('corrupt.ts');
    expect(frames.length).toBeGreaterThanOrEqual(58);
    expect(frames.at(-1)?.number).toBe(59);
    expect(warnings).toHaveLength(1);
  });
});

test.skipIf(missing)('UTC of a file is its modification time plus pts', async () => {
  const { frames } = await run('start-5h.ts');
  const { mtimeMs } = statSync(`${ODD}/start-5h.ts`);
  expect(frames[10]!.time).toBeCloseTo(mtimeMs + 1000, 3);
});

test.skipIf(missing)('a second video stream is mentioned once', async () => {
  const { warnings } = await run('two-videos.mp4');
  expect(warnings).toEqual([expect.stringMatching(/has 2 video streams; the first one/)]);
});
