import { describe, expect, test } from 'vitest';
import { type CapturePlan, captureArguments } from '../../../pipeline/ffmpeg/arguments.js';

const plan: CapturePlan = {
  kind: 'rtsp',
  source: 'rtsp://10.0.0.7/stream1',
  input: { width: 416, height: 416, fit: 'letterbox-top-left', fill: 114 },
  fps: 10,
  live: true,
  transport: 'tcp',
  hardware: 'none',
  silenceS: 60,
  analyseS: 1.5,
  stampAtArrival: false,
};

const line = (more: Partial<CapturePlan>): string => {
  const { input, inputOptions } = captureArguments({ ...plan, ...more });
  return [...inputOptions, '-i', input].join(' ');
};

const COMMON = '-hide_banner -nostats -nostdin -loglevel level+info -threads 2 -dts_delta_threshold 43200';

describe('captureArguments', () => {
  test.each<[string, Partial<CapturePlan>, string]>([
    [
      'RTSP over TCP, video only',
      {},
      `${COMMON} -analyzeduration 1500000 -fpsprobesize 0 -rtsp_transport tcp -timeout 60000000 -allowed_media_types video -copyts -i rtsp://10.0.0.7/stream1`,
    ],
    [
      'RTSP over UDP',
      { transport: 'udp' },
      `${COMMON} -analyzeduration 1500000 -fpsprobesize 0 -rtsp_transport udp -timeout 60000000 -allowed_media_types video -copyts -i rtsp://10.0.0.7/stream1`,
    ],
    [
      'Motion JPEG over HTTP',
      { kind: 'http', source: 'http://cam/mjpg', stampAtArrival: true },
      `${COMMON} -analyzeduration 1500000 -fpsprobesize 0 -rw_timeout 60000000 -use_wallclock_as_timestamps 1 -i http://cam/mjpg`,
    ],
    [
      'a file with a name that looks like an option',
      { kind: 'file', source: '/media/-a d%03d.mp4', live: false },
      `${COMMON} -i file:/media/-a d%03d.mp4`,
    ],
    [
      'a file played like a camera',
      { kind: 'file', source: '/media/a.mp4', live: true },
      `${COMMON} -re -i file:/media/a.mp4`,
    ],
    [
      'images by a list on stdin',
      { kind: 'images', source: '/media/pictures', live: false },
      '-hide_banner -nostats -loglevel level+info -threads 2 -dts_delta_threshold 43200 -f concat -safe 0 -protocol_whitelist file,pipe,fd,crypto,data -i pipe:0',
    ],
    [
      'a capture device',
      { kind: 'device', source: '/dev/video0' },
      `${COMMON} -analyzeduration 1500000 -fpsprobesize 0 -f v4l2 -i /dev/video0`,
    ],
    [
      'a capture device of macOS',
      { kind: 'device', source: 'avfoundation:0:none' },
      `${COMMON} -analyzeduration 1500000 -fpsprobesize 0 -f avfoundation -i 0:none`,
    ],
    [
      'hardware decoding',
      { kind: 'file', source: '/a.mp4', live: false, hardware: 'vaapi' },
      `${COMMON} -hwaccel vaapi -i file:/a.mp4`,
    ],
    [
      'hardware decoding of a Raspberry Pi',
      { kind: 'file', source: '/a.mp4', live: false, hardware: 'v4l2m2m' },
      `${COMMON} -c:v h264_v4l2m2m -i file:/a.mp4`,
    ],
  ])('%s', (_name, more, expected) => {
    expect(line(more)).toBe(expected);
  });

  test('every picture of a file is taken when no rate is set', () => {
    const filter = (fps: number | undefined, kind: CapturePlan['kind'] = 'file'): string | undefined => {
      const { frames } = captureArguments({ ...plan, kind, fps });
      return frames[frames.indexOf('-vf') + 1];
    };
    expect(filter(undefined)).toMatch(/^showinfo=checksum=0,scale=/);
    expect(filter(10)).toMatch(/^select='.*',showinfo=checksum=0,scale=/);
    expect(filter(undefined, 'rtsp')).toMatch(/^setpts='max\(PTS,0\)',showinfo=checksum=0,scale=/);
  });

  test('segments are copied, or encoded where a copy would not do; a folder may hold a percent sign', () => {
    const record = { folder: '/data/100%', prefix: 'gate-x-0-', segmentS: 10, mode: 'copy' } as const;
    const copy = captureArguments({ ...plan, record }).segments;
    expect(copy?.target).toBe('/data/100%%/gate-x-0-%06d.mkv');
    expect(copy?.options.join(' ')).toMatch(/-c:v copy .*-f segment -segment_format matroska .*-segment_time 10 /);
    const encode = captureArguments({ ...plan, record: { ...record, mode: 'encode' } }).segments;
    expect(encode?.options.join(' ')).toMatch(/-c:v libx264 .*-bf 0/);
    expect(captureArguments(plan).segments).toBeUndefined();
  });
});
