import { describe, expect, test } from 'vitest';
import { sourceKind } from '../../../pipeline/ffmpeg/input-kind.js';
import { createBackoff } from '../../../pipeline/sources/backoff.js';
import { failureReason } from '../../../pipeline/sources/failure.js';
import { watchFrozen } from '../../../pipeline/sources/frozen-picture.js';

describe('waits between attempts', () => {
  test('grow to 2 s in the first ten minutes, to 30 s later, and begin small after a good connection', () => {
    let now = 0;
    const backoff = createBackoff(
      () => 0,
      () => now,
    );
    expect([1, 2, 3, 4, 5].map(() => backoff.next())).toEqual([500, 1000, 2000, 2000, 2000]);
    now = 11 * 60_000;
    expect(backoff.next()).toBe(16_000);
    expect([backoff.next(), backoff.next()]).toEqual([30_000, 30_000]);
    backoff.reset();
    expect(backoff.next()).toBe(500);
  });

  test('are shortened by up to a quarter, and stay finite after any number of attempts', () => {
    const backoff = createBackoff(
      () => 1,
      () => 0,
    );
    expect(backoff.next()).toBe(375);
    for (let n = 0; n < 5_000; n++) expect(backoff.next()).toBeLessThanOrEqual(2_000);
  });
});

// Lines of ffmpeg 5.1.9.
test.each([
  ['[rtsp @ 0x5] [error] method DESCRIBE failed: 401 Unauthorized', false, /refused user name or password/],
  ['[error] rtsp://10.0.0.7/x: Server returned 401 Unauthorized (authorization failed)', false, /refused user name/],
  ['[rtsp @ 0x5] [error] method DESCRIBE failed: 404 Not Found', false, /no stream of this path/],
  [
    '[tcp @ 0x5] [error] Connection to tcp://127.0.0.1:1?timeout=0 failed: Connection refused',
    false,
    /connection refused/,
  ],
  ['[tcp @ 0x5] [error] Failed to resolve hostname cam.invalid: Name or service not known', false, /no such host/],
  ['[error] rtsp://10.255.255.1/: Connection timed out', false, /does not answer/],
  ['[error] x: No route to host', false, /no route/],
  ['[error] http://x/: Invalid data found when processing input', false, /not a video/],
  ['[error] http://x/: Invalid data found when processing input', true, /ended the connection/],
  ['[error] /dev/video0: Device or resource busy', false, /in use by another/],
  ['[mjpeg @ 0x5] [error] anything else', false, /no picture came \(ffmpeg ended with code 1\)/],
])('the reason of %j, pictures before: %j', (line, hadFrames, reason) => {
  expect(failureReason(['[info] Input #0', line], 1, hadFrames)).toMatch(reason);
});

describe('a frozen picture', () => {
  const picture = (value: number): Uint8Array => new Uint8Array(416 * 416 * 3).fill(value);

  test('is one that stays the same for ten seconds, and thaws with the first change', () => {
    const frozen = watchFrozen();
    const at = (second: number, value: number): boolean => frozen.look(picture(value), second * 1000);
    expect([0, 3, 6, 9].map((second) => at(second, 1))).toEqual([false, false, false, false]);
    expect(at(10, 1)).toBe(true);
    expect(at(11, 1)).toBe(true);
    expect(at(12, 2)).toBe(false);
    expect(at(21, 2)).toBe(false);
    expect(at(22, 2)).toBe(true);
  });

  test('is not one with the noise of a sensor', () => {
    const frozen = watchFrozen();
    for (let second = 0; second < 60; second++) {
      const noisy = picture(80);
      noisy[257 * (second % 1000)] = 81;
      expect(frozen.look(noisy, second * 1000)).toBe(false);
    }
  });
});

test.each([
  ['rtsp://u:p@h/x', 'rtsp'],
  ['RTSPS://h/x', 'rtsp'],
  ['https://h/live.m3u8', 'http'],
  ['/dev/video0', 'device'],
  ['avfoundation:0', 'device'],
  ['12:30:05 gate.mp4', 'file'],
  ['nowhere.mp4', 'file'],
  ['.', 'images'],
])('%s is of the kind %s', (source, kind) => {
  expect(sourceKind(source)).toBe(kind);
});
