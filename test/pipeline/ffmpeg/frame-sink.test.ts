import { spawnSync } from 'node:child_process';
import { finished } from 'node:stream/promises';
import { setImmediate as turn } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { FramePool } from '../../../pipeline/ffmpeg/frame-pool.js';
import { type CapturedFrame, FrameSink } from '../../../pipeline/ffmpeg/frame-sink.js';

const SIZE = { width: 64, height: 64 };
const BYTES = 64 * 64 * 3;
const FRAMES = 6;
let pipe: Buffer;

beforeAll(() => {
  const input = ['-f', 'lavfi', '-i', 'testsrc=s=64x64:r=10', '-frames:v', String(FRAMES)];
  const output = ['-c:v', 'rawvideo', '-pix_fmt', 'rgb24', '-f', 'nut', '-write_index', '0', 'pipe:1'];
  pipe = spawnSync('ffmpeg', ['-v', 'error', '-nostdin', ...input, ...output]).stdout;
});

function open(slots: number, whenFull: 'drop' | 'wait') {
  const frames: CapturedFrame[] = [];
  const counts = { dropped: 0 };
  const pool = new FramePool(slots, BYTES);
  const sink = new FrameSink({
    pool,
    whenFull,
    deliver: (frame) => frames.push(frame),
    dropped: () => {
      counts.dropped++;
    },
  });
  return { sink, frames, counts, pool };
}

function tellAll(sink: FrameSink, except: readonly number[] = []): void {
  for (let n = 0; n < FRAMES; n++) if (!except.includes(n)) sink.tell(n / 10, SIZE);
}

describe('FrameSink', () => {
  test('drops what finds no place and counts it', async () => {
    const { sink, frames, counts } = open(2, 'drop');
    tellAll(sink);
    sink.end(pipe);
    await finished(sink);
    expect(frames.map(({ ptsS }) => ptsS)).toEqual([0, 0.1]);
    expect(counts.dropped).toBe(FRAMES - 2);
  });

  test('stops the pipe until a place is free, and loses nothing', async () => {
    const { sink, frames, counts } = open(2, 'wait');
    tellAll(sink);
    sink.end(pipe);
    await turn();
    expect(frames).toHaveLength(2);
    expect(sink.writableFinished).toBe(false);
    for (let n = 0; n < FRAMES; n++) {
      frames[n]!.slot.release();
      frames[n]!.slot.release(); // a second time changes nothing
      await turn();
    }
    await finished(sink);
    expect(frames.map(({ ptsS }) => ptsS)).toEqual([0, 0.1, 0.2, 0.3, 0.4, 0.5]);
    expect(new Set(frames.map(({ slot }) => slot.pixels)).size).toBe(2);
    expect(counts.dropped).toBe(0);
  });

  test('waits for the line of a picture that came before it', async () => {
    const { sink, frames } = open(FRAMES, 'wait');
    sink.end(pipe);
    await turn();
    expect(frames).toHaveLength(0);
    tellAll(sink);
    await finished(sink);
    expect(frames).toHaveLength(FRAMES);
  });

  test('misses a garbled line without giving the others a wrong size or time', async () => {
    const { sink, frames } = open(FRAMES, 'wait');
    sink.tell(0, SIZE);
    for (const n of [2, 3, 4, 5]) sink.tell(n / 10, { width: n, height: n });
    sink.end(pipe);
    await finished(sink);
    expect(frames.map(({ ptsS }) => ptsS)).toEqual([0, expect.closeTo(0.1, 4), 0.2, 0.3, 0.4, 0.5]);
    expect(frames.map(({ size }) => size.width)).toEqual([64, 64, 2, 3, 4, 5]);
  });

  test('goes on by itself when the last line never comes', async () => {
    const { sink, frames } = open(FRAMES, 'wait');
    tellAll(sink, [FRAMES - 1]);
    sink.end(pipe);
    await finished(sink);
    expect(frames.at(-1)).toMatchObject({ ptsS: expect.closeTo(0.5, 4), size: SIZE });
  });

  test('reads on and keeps nothing once it is told to discard', async () => {
    const { sink, frames, pool } = open(1, 'wait');
    tellAll(sink);
    sink.end(pipe);
    await turn();
    expect(frames).toHaveLength(1);
    sink.discard();
    await finished(sink);
    expect(frames).toHaveLength(1);
    frames[0]!.slot.release();
    expect(pool.take()).toBeDefined();
  });

  test('says so when the pictures have another size than the places', async () => {
    const pool = new FramePool(1, 12);
    const sink = new FrameSink({ pool, whenFull: 'wait', deliver: () => undefined, dropped: () => undefined });
    sink.write(pipe);
    await expect(finished(sink)).rejects.toThrow(/12288 bytes; 12 were asked for/);
  });
});
