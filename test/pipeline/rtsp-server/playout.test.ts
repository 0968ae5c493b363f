import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { H264Track } from '../../../pipeline/rtsp-server/h264-track.js';
import { nextKey, Playout } from '../../../pipeline/rtsp-server/playout.js';

const nals = [Uint8Array.of(1)];
const key = [Uint8Array.of(5)];
/** Ten frames a second, two groups of I P B B, sent 100 ms apart. */
const track: H264Track = {
  units: [0, 3, 1, 2, 4, 7, 5, 6].map((shown, sent) => ({
    nals: sent % 4 === 0 ? key : nals,
    key: sent % 4 === 0,
    pts: shown * 9000,
    sendAt: sent * 9000,
  })),
  period: 8 * 9000,
  lead: 2 * 9000,
  frameTicks: 9000,
  sps: Uint8Array.of(0x67),
  pps: Uint8Array.of(0x68),
};
const start = { first: 0, nowMs: 1000, utcMs: 5_000_000, speed: 1, baseTimestamp: 70_000 };

it('keeps the pace and the order of the file, on and on across loops', () => {
  const playout = new Playout(track, start);
  const sent = Array.from({ length: 20 }, () => {
    const dueMs = playout.dueMs();
    return { dueMs, timestamp: playout.take().timestamp };
  });
  expect(sent.map(({ dueMs }) => dueMs)).toEqual(sent.map((_, i) => 1000 + i * 100));
  expect(sent.slice(0, 9).map(({ timestamp }) => (timestamp - 70_000) / 9000)).toEqual([0, 3, 1, 2, 4, 7, 5, 6, 8]);
  const shown = sent
    .slice(0, 16)
    .map(({ timestamp }) => timestamp)
    .toSorted((a, b) => a - b);
  expect(shown).toEqual(shown.map((_, i) => 70_000 + i * 9000));
});

it('begins at the next key picture, or at the beginning when none follows', () => {
  expect([0, 1, 4 * 9000, 4 * 9000 + 1].map((position) => nextKey(track, position))).toEqual([0, 4, 4, 0]);
  const playout = new Playout(track, { ...start, first: 4 });
  expect([playout.dueMs(), playout.timestamp]).toEqual([1000, 70_000]);
});

it('takes no picture before it is sent', () => {
  const playout = new Playout(track, start);
  for (let i = 0; i < 20; i++) {
    const sentUtcMs = start.utcMs + playout.dueMs() - start.nowMs;
    expect(playout.utcMs(playout.take().timestamp)).toBeLessThanOrEqual(sentUtcMs);
  }
});

it('goes on with a key picture at the clock’s own time after a silence', () => {
  const playout = new Playout(track, start);
  playout.take();
  playout.take();
  playout.resume(61_000);
  expect(playout.current.key).toBe(true);
  expect(playout.dueMs()).toBeCloseTo(61_000, 6);
  expect((playout.take().timestamp - 70_000) / 90_000).toBe(60);
});

it('never repeats a timestamp, never falls back at a key, whatever faults come when', () => {
  const step = fc.constantFrom('take', 'take', 'take', 'frozen', 'resume', 'skip');
  fc.assert(
    fc.property(fc.array(fc.tuple(step, fc.integer({ min: 0, max: 900 })), { maxLength: 60 }), (steps) => {
      const playout = new Playout(track, start);
      let nowMs = start.nowMs;
      let mustResume = false;
      let latest = Number.NEGATIVE_INFINITY;
      const seen = new Set<number>();
      for (const [kind, delayMs] of steps) {
        nowMs = Math.max(nowMs, playout.dueMs());
        if (kind === 'skip') playout.skip();
        if (kind === 'resume' || (mustResume && kind === 'take')) {
          nowMs += delayMs;
          playout.resume(nowMs);
          mustResume = false;
        }
        if (kind === 'frozen' || kind === 'take') {
          mustResume ||= kind === 'frozen';
          const isKey = kind === 'frozen' || playout.current.key;
          const { timestamp } = kind === 'frozen' ? playout.takeFrozen() : playout.take();
          expect(seen.has(timestamp)).toBe(false);
          if (isKey) expect(timestamp).toBeGreaterThan(latest);
          seen.add(timestamp);
          latest = Math.max(latest, timestamp);
        }
      }
    }),
    { seed: 3, numRuns: 500 },
  );
});

it('sends the last key picture again while frozen', () => {
  const playout = new Playout(track, start);
  playout.take();
  playout.take();
  const frozen = Array.from({ length: 10 }, () => playout.takeFrozen());
  expect(frozen.every((unit) => unit.nals === key)).toBe(true);
  expect(frozen.map(({ timestamp }) => timestamp - frozen[0]!.timestamp)).toEqual(frozen.map((_, i) => i * 9000));
});

it('is always due at infinite speed and still counts time', () => {
  const playout = new Playout(track, { ...start, speed: Number.POSITIVE_INFINITY });
  const timestamps = Array.from({ length: 9 }, () => {
    expect(playout.dueMs()).toBe(1000);
    return playout.take().timestamp;
  });
  expect(timestamps[8]).toBe(70_000 + track.period);
  playout.resume(9000);
  expect(playout.take().timestamp).toBeGreaterThan(Math.max(...timestamps));
});
