import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { InputError } from '../../../config/errors.js';
import type { Frame } from '../../../operators/types.js';
import { openSource } from '../../../pipeline/sources/source.js';
import { collect, missingMedia, ODD, optionsFor, segmentTimes } from './collect.js';

let folder: string;
/** 12 s of 29.97 a second, with B-frames. */
let ntsc: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'maskcast-files-'));
  ntsc = join(folder, 'ntsc.mp4');
  const input = ['-f', 'lavfi', '-i', 'testsrc=s=320x180:r=30000/1001:d=12'];
  const codec = ['-c:v', 'libx264', '-preset', 'veryfast', '-g', '30', '-pix_fmt', 'yuv420p'];
  execFileSync('ffmpeg', ['-v', 'error', '-nostdin', ...input, ...codec, ntsc]);
});
afterAll(() => rmSync(folder, { recursive: true }));

const scratch = (name: string): string => {
  const path = join(folder, name);
  mkdirSync(path);
  return path;
};

/** Processes whose command line holds `text`. */
function processesWith(text: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return false;
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(text);
    } catch {
      return false; // it has just ended
    }
  });
}

describe('times of a file', () => {
  test('29.97 a second is exact, and the segments hold the same times', async () => {
    const record = { folder: scratch('ntsc'), segmentS: 2 };
    const { frames, segments, stats } = await collect(ntsc, { record });
    expect(frames).toHaveLength(360);
    for (const [i, { pts }] of frames.entries()) expect(pts).toBeCloseTo((i * 1001) / 30_000, 6);
    const times = segmentTimes(segments);
    expect(times).toHaveLength(360);
    for (const [i, time] of times.entries()) expect(Math.abs(time - frames[i]!.pts)).toBeLessThan(0.00051);
    expect(segments.length).toBeGreaterThanOrEqual(5);
    expect(stats).toMatchObject({ frames: 360, delivered: 360, dropped: 0, decodeErrors: 0, epochs: 1, expected: 360 });
  });

  test('a chosen rate takes pictures at their own times', async () => {
    const { frames, stats } = await collect(ntsc, { config: { fps: 5 } });
    expect(frames).toHaveLength(61); // 12.012 s
    for (const { pts } of frames) expect(pts * (30_000 / 1001)).toBeCloseTo(Math.round(pts * (30_000 / 1001)), 4);
    expect(stats.expected).toBe(61);
  });

  test('the same file gives the same frames on every run', async () => {
    const [one, two] = await Promise.all([collect(ntsc), collect(ntsc)]);
    const told = ({ frames }: typeof one) => frames.map(({ receivedMs: _r, captureMs: _c, ...rest }) => rest);
    expect(told(two!)).toEqual(told(one!));
  });

  test('a loop is a new epoch each time, and UTC runs on', async () => {
    const warnings: string[] = [];
    const source = openSource(optionsFor(ntsc, { config: { loop: true, fps: 1 } }, warnings));
    const frames: Frame[] = [];
    await new Promise<void>((resolve) => {
      source.messages.subscribe({
        next: (message) => {
          if (message.kind !== 'frame') return;
          message.frame.release();
          frames.push(message.frame);
          if (frames.length === 28) void source.stop();
        },
        complete: resolve,
      });
    });
    expect(frames.map(({ epoch }) => epoch)).toEqual([...Array(13).fill(0), ...Array(13).fill(1), 2, 2]);
    for (const [i, frame] of frames.entries()) if (i > 0) expect(frame.time).toBeGreaterThan(frames[i - 1]!.time);
    expect(frames[13]!.pts).toBe(frames[0]!.pts);
  });
});

describe('pool', () => {
  test('a file waits for its reader and loses nothing; no more buffers than the pool has are ever in use', async () => {
    const source = openSource(optionsFor(ntsc, { poolFrames: 3 }));
    const held: Frame[] = [];
    const numbers: number[] = [];
    const buffers = new Set<unknown>();
    let most = 0;
    await new Promise<void>((resolve, reject) => {
      // A slow reader: gives the oldest back every 5 ms.
      const reader = setInterval(() => held.shift()?.release(), 5);
      source.messages.subscribe({
        next: (message) => {
          if (message.kind !== 'frame') return;
          held.push(message.frame);
          most = Math.max(most, held.length);
          numbers.push(message.frame.index);
          buffers.add(message.frame.pixels.buffer);
          expect(message.frame.droppable).toBe(false);
          expect(message.frame.pixels.buffer).toBeInstanceOf(SharedArrayBuffer);
        },
        error: reject,
        complete: () => {
          clearInterval(reader);
          resolve();
        },
      });
    });
    expect(numbers).toHaveLength(360);
    expect(most).toBe(3);
    expect(buffers.size).toBe(3);
  });

  test('a live source drops what finds no place, counts it and goes on', async () => {
    const source = openSource(optionsFor(ntsc, { poolFrames: 2, config: { live: true, fps: 30 } }));
    let delivered = 0;
    const done = new Promise<void>((resolve) => {
      source.messages.subscribe({
        next: (message) => {
          if (message.kind !== 'frame') return;
          expect(message.frame.droppable).toBe(true);
          delivered++; // and keeps it
        },
        complete: resolve,
      });
    });
    while (source.stats().dropped < 5) await sleep(20);
    await source.stop();
    await done;
    expect(delivered).toBe(2);
  });
});

describe('ends', () => {
  test('stop() ends ffmpeg, also one that waits for a full pool, and hands on its last segment', async () => {
    const record = { folder: scratch('stopped'), segmentS: 2 };
    const source = openSource(optionsFor(ntsc, { record, poolFrames: 1 }));
    const paths: string[] = [];
    await new Promise<void>((resolve) => {
      source.messages.subscribe({
        next: (message) => {
          if (message.kind === 'segment') paths.push(message.segment.path);
          if (message.kind === 'frame') void source.stop(); // the frame is kept: the pool is dry
        },
        complete: resolve,
      });
    });
    await source.stop();
    expect(processesWith(ntsc)).toEqual([]);
    expect(paths.length).toBeGreaterThan(0);
    for (const path of paths) expect(spawnSync('ffprobe', ['-v', 'error', path]).status).toBe(0);
  });

  test('unsubscribing ends everything', async () => {
    const source = openSource(optionsFor(ntsc, { config: { live: true } }));
    await new Promise<void>((resolve) => {
      const subscription = source.messages.subscribe((message) => {
        if (message.kind !== 'frame') return;
        message.frame.release();
        expect(processesWith(ntsc)).not.toEqual([]);
        subscription.unsubscribe();
        resolve();
      });
    });
    await source.stop(); // resolves when it is gone
    expect(processesWith(ntsc)).toEqual([]);
  });

  test('stopping before the first frame, or without a start, is fine', async () => {
    const source = openSource(optionsFor(ntsc));
    await source.stop();
    const other = openSource(optionsFor(ntsc));
    const completed = new Promise<void>((complete) => other.messages.subscribe({ complete }));
    await other.stop();
    await completed;
    expect(processesWith(ntsc)).toEqual([]);
  });

  test('a second subscriber is refused', () => {
    const source = openSource(optionsFor('/nowhere.mp4'));
    source.messages.subscribe({ error: () => undefined });
    const refusals: unknown[] = [];
    source.messages.subscribe({ error: (error: unknown) => refusals.push(error) });
    expect(String(refusals)).toMatch(/one subscriber/);
  });
});

describe('a folder of images', () => {
  test('gives its pictures in the order of their names and numbers, of any size, one a second', async () => {
    const images = scratch('images');
    const sizes = [
      ["1 it's.png", '64x48'],
      ['2.jpg', '64x48'],
      ['-10 %03d.jpg', '48x64'],
      ['20.png', '80x40'],
    ] as const;
    for (const [name, size] of sizes) {
      const made = join(folder, `made${name.slice(-4)}`);
      execFileSync('ffmpeg', [
        '-v',
        'error',
        '-y',
        '-f',
        'lavfi',
        '-i',
        `color=red:s=${size}`,
        '-frames:v',
        '1',
        '-update',
        '1',
        made,
      ]);
      copyFileSync(made, join(images, name));
    }
    copyFileSync(ntsc, join(images, 'not-a-picture.mp4'));
    const { frames, error, stats, warnings } = await collect(images, {
      record: { folder: scratch('none'), segmentS: 2 },
    });
    expect(error).toBeUndefined();
    const order = ['48x64', '64x48', '64x48', '80x40'];
    expect(frames.map(({ source }) => `${source.width}x${source.height}`)).toEqual(order);
    // The format changes twice; each run of one format is an epoch.
    expect(frames.map(({ epoch, pts }) => [epoch, pts])).toEqual([
      [0, 0],
      [1, 0],
      [2, 0],
      [3, 0],
    ]);
    const first = frames[0]!.time;
    expect(frames.map(({ time }) => time - first)).toEqual([0, 1000, 2000, 3000]);
    expect(stats.expected).toBe(4);
    expect(warnings).toEqual([expect.stringMatching(/4 pictures; .* not recorded/)]);
  });

  test('without pictures is refused', async () => {
    const { error } = await collect(scratch('empty'));
    expect(error).toBeInstanceOf(InputError);
    expect(String(error)).toMatch(/folder without pictures; put \.jpg/);
  });
});

describe.skipIf(missingMedia(ODD))('names', () => {
  test.each(['-a \'b\' "c" d%03d é 門.mp4', '12:30:05 gate.mp4', 'file:x.mp4', '[1]{a,b}*?.mp4'])(
    '%s',
    async (name) => {
      const named = join(folder, name);
      copyFileSync(`${ODD}/ten-frames.mp4`, named);
      const { frames, error } = await collect(named);
      expect(error).toBeUndefined();
      expect(frames.map(({ number }) => number)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
      rmSync(named);
    },
  );

  test('appear unbroken in a refusal', async () => {
    const name = '-a \'b\' "c" d%03d é 門.mp4';
    const named = join(folder, name);
    copyFileSync(`${ODD}/text.mp4`, named);
    const { error } = await collect(named);
    expect(String(error)).toContain(name);
  });
});
