import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { selectFilter } from '../../../pipeline/ffmpeg/select.js';

/** Times (s) of the pictures that pass, by real ffmpeg; `times` is an expression in N, T at `rate`. */
function selected(fps: number, rate: string, frames: number, setpts = 'PTS'): number[] {
  const filter = `settb=1/90000,setpts='${setpts}',${selectFilter(fps)}`;
  const { stdout, stderr } = spawnSync(
    'ffmpeg',
    [
      ...['-v', 'error', '-nostdin', '-f', 'lavfi', '-i', `color=s=16x16:r=${rate}`, '-frames:v', String(frames)],
      ...['-vf', filter, '-fps_mode', 'passthrough', '-enc_time_base', '1:90000', '-f', 'framecrc', 'pipe:1'],
    ],
    { encoding: 'utf8' },
  );
  expect(stderr).toBe('');
  return [...stdout.matchAll(/^0, *-?\d+, *(-?\d+)/gm)].map((match) => Number(match[1]) / 90_000);
}

const rateOf = (times: readonly number[]): number => (times.length - 1) / (times.at(-1)! - times[0]!);

describe('selectFilter', () => {
  test.each([
    ['25', 10, 10],
    ['12', 10, 10],
    ['30', 10, 10],
    ['30000/1001', 10, 10],
    ['10', 10, 10],
    ['5', 10, 5],
    ['30', 1, 1],
    ['30', 0.5, 0.5],
  ])('lets %s a second become at most %d', (rate, fps, expected) => {
    const times = selected(fps, rate, Math.max(frameCount(rate), 90));
    expect(rateOf(times)).toBeGreaterThan(expected * 0.96);
    expect(rateOf(times)).toBeLessThan(expected * 1.01);
    const inAnySecond = times.map(
      (from) => times.filter((time) => time >= from && time < from + 1 / Math.min(1, fps)).length,
    );
    expect(Math.max(...inAnySecond)).toBeLessThanOrEqual(Math.max(1, fps) + 1);
  });

  test('loses no picture of a camera that jitters by a fifth of its period at just this rate', () => {
    expect(selected(10, '10', 100, 'PTS+0.01*90000*(mod(N*7,5)-2)+9000')).toHaveLength(100);
  });

  test('takes the first picture wherever the clock starts, and the first one after a step back', () => {
    expect(selected(2, '10', 20, 'PTS+18000*90000')[0]).toBeCloseTo(18_000, 6);
    // Ten pictures, then the clock begins again at 0: muxers bend times that fall, so only the count is looked at.
    expect(selected(10, '10', 20, 'mod(N,10)*9000+lt(N,10)*90000*50')).toHaveLength(20);
  });
});

function frameCount(rate: string): number {
  const [num = 1, den = 1] = rate.split('/').map(Number);
  return Math.round((num / den) * 9);
}
