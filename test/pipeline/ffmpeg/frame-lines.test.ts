import { expect, test } from 'vitest';
import { readFfmpegLine } from '../../../pipeline/ffmpeg/frame-lines.js';

// Lines as ffmpeg 5.1.9 writes them with -loglevel level+info.
test.each([
  [
    '[Parsed_showinfo_0 @ 0x56] [info] n:  13 pts: 513000 pts_time:5.7     pos:    62792 fmt:yuv420p sar:0/1 s:640x360 i:P iskey:0 type:B ',
    { kind: 'frame', ticks: 513_000, size: { width: 640, height: 360 } },
  ],
  [
    '[Parsed_showinfo_1 @ 0x56] [info] n:   0 pts:   -512 pts_time:-0.04   pos:     1 fmt:gray sar:4/3 s:16x16 i:T iskey:1 type:I ',
    { kind: 'frame', ticks: -512, size: { width: 16, height: 16 } },
  ],
  [
    '[h264 @ 0x5] [error] [Parsed_showinfo_0 @ 0x56] [info] n:   1 pts:   1024 pts_time:0.1   pos:     1 fmt:yuv420p sar:0/1 s:32x16 i:P iskey:0 type:P error while decoding MB 5 4',
    { kind: 'frame', ticks: 1024, size: { width: 32, height: 16 } },
  ],
  [
    '[Parsed_showinfo_0 @ 0x56] [info] config in time_base: 1/90000, frame_rate: 10/1',
    { kind: 'timeBase', num: 1, den: 90_000 },
  ],
  [
    'gate-mwv0-2-000003.mkv,9.200000,10.200000',
    { kind: 'segment', file: 'gate-mwv0-2-000003.mkv', startS: 9.2, endS: 10.2 },
  ],
  [
    "[segment @ 0x5] [info] Opening '/data/it's/gate-a-0-000001.mkv' for writing",
    { kind: 'opened', file: 'gate-a-0-000001.mkv' },
  ],
  [
    '[h264 @ 0x5] [error] Invalid NAL unit size (0 > 10).',
    { kind: 'error', text: '[h264 @ 0x5] [error] Invalid NAL unit size (0 > 10).' },
  ],
  ['[Parsed_showinfo_0 @ 0x5] [info] color_range:tv color_space:unknown', { kind: 'other', text: '' }],
])('understands %s', (line, meant) => {
  expect(readFfmpegLine(line)).toEqual(meant);
});

test('a picture without a time has none', () => {
  const line = readFfmpegLine(
    '[x] [info] n:   0 pts:  NOPTS pts_time:NOPTS   pos: -1 fmt:bgra sar:0/1 s:160x90 i:P iskey:1 type:I ',
  );
  expect(line).toEqual({ kind: 'frame', ticks: Number.NaN, size: { width: 160, height: 90 } });
});
