import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { NutReader } from '../../../pipeline/ffmpeg/nut.js';

interface Picture {
  readonly ptsS: number;
  readonly bytes: Buffer;
}

/** Real NUT of ffmpeg, as the capture asks for it. */
function nut(filter: string, size: string, rate: string, frames: number, timeBase = '-1'): Buffer {
  const picture = ['-f', 'lavfi', '-i', `testsrc=s=${size}:r=${rate}`, '-frames:v', String(frames), '-vf', filter];
  const output = ['-fps_mode', 'passthrough', '-enc_time_base', timeBase, '-c:v', 'rawvideo', '-pix_fmt', 'rgb24'];
  const { stdout, status } = spawnSync(
    'ffmpeg',
    ['-v', 'error', '-nostdin', ...picture, ...output, '-f', 'nut', '-write_index', '0', 'pipe:1'],
    { maxBuffer: 1 << 28 },
  );
  expect(status).toBe(0);
  return stdout;
}

/** The same pictures without NUT. */
function raw(filter: string, size: string, rate: string, frames: number): Buffer {
  const picture = ['-f', 'lavfi', '-i', `testsrc=s=${size}:r=${rate}`, '-frames:v', String(frames), '-vf', filter];
  const output = ['-fps_mode', 'passthrough', '-c:v', 'rawvideo', '-pix_fmt', 'rgb24', '-f', 'rawvideo', 'pipe:1'];
  return spawnSync('ffmpeg', ['-v', 'error', '-nostdin', ...picture, ...output], { maxBuffer: 1 << 28 }).stdout;
}

function readAll(chunks: Iterable<Uint8Array>): Picture[] {
  const reader = new NutReader();
  const pictures: Picture[] = [];
  let ptsS = Number.NaN;
  let parts: Buffer[] = [];
  for (const chunk of chunks) {
    for (const event of reader.read(chunk)) {
      if (event.kind === 'begin') {
        ptsS = event.ptsS;
        parts = [];
      } else if (event.kind === 'data') parts.push(Buffer.from(event.bytes));
      else pictures.push({ ptsS, bytes: Buffer.concat(parts) });
    }
  }
  return pictures;
}

/** Cut at the given places, which may coincide. */
function* cut(bytes: Buffer, places: readonly number[]): Generator<Uint8Array> {
  let from = 0;
  for (const place of [...places].sort((a, b) => a - b)) {
    yield bytes.subarray(from, place);
    from = place;
  }
  yield bytes.subarray(from);
}

describe('NutReader', () => {
  test.each([
    ['pictures below 4096 bytes', '16x16'],
    ['pictures above 4096 bytes', '48x40'],
    ['pictures above the distance of syncpoints', '320x320'],
  ])('reads %s as raw video writes them', (_what, size) => {
    const pictures = readAll([nut('null', size, '25', 7)]);
    expect(Buffer.concat(pictures.map(({ bytes }) => bytes)).equals(raw('null', size, '25', 7))).toBe(true);
    expect(pictures.map(({ ptsS }) => ptsS)).toEqual([0, 1, 2, 3, 4, 5, 6].map((n) => expect.closeTo(n / 25, 9)));
  });

  test('gives the same pictures for any way of cutting the stream into chunks', () => {
    const bytes = nut('null', '24x20', '30000/1001', 3);
    const digest = (pictures: readonly Picture[]): string =>
      JSON.stringify(pictures.map(({ ptsS, bytes }) => [ptsS, bytes.toString('base64')]));
    const whole = digest(readAll([bytes]));
    expect(JSON.parse(whole)).toHaveLength(3);
    fc.assert(
      fc.property(fc.array(fc.nat(bytes.length), { maxLength: 60 }), (places) => {
        expect(digest(readAll(cut(bytes, places))) === whole).toBe(true);
      }),
      { numRuns: 150, seed: 11 },
    );
    expect(digest(readAll(Array.from(bytes, (byte) => Uint8Array.of(byte)))) === whole).toBe(true);
  });

  test('keeps times of a variable rate, of 29.97 a second, far from zero and over a long gap', () => {
    const times = (filter: string, rate: string, frames: number, timeBase?: string): number[] =>
      readAll([nut(filter, '16x16', rate, frames, timeBase)]).map(({ ptsS }) => ptsS);
    expect(times('null', '30000/1001', 4)).toEqual([0, 1, 2, 3].map((n) => expect.closeTo((n * 1001) / 30_000, 6)));
    // settb=1/90000 as in RTSP; N² gives a rate that changes with each picture; 5 h; then a day.
    const odd = times("settb=1/90000,setpts='18000*90000+N*N*1234+gte(N,3)*86400*90000'", '10', 5, '1:90000');
    const ticks = [0, 1234, 4936, 9 * 1234 + 86_400 * 90_000, 16 * 1234 + 86_400 * 90_000];
    expect(odd).toEqual(ticks.map((tick) => expect.closeTo(18_000 + tick / 90_000, 6)));
  });

  test('refuses what is no NUT, and a stream of another version of things', () => {
    expect(() => readAll([Buffer.alloc(64, 'x')])).toThrow(/no NUT signature/);
    const broken = Buffer.from(nut('null', '16x16', '10', 1));
    broken[25 + 9] = 3; // version; the stream count follows it
    broken[25 + 10] = 2;
    expect(() => readAll([broken])).toThrow(/more than one stream/);
  });
});
