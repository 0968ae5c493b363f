import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { STEP_BACK_SHIFT_S } from '../../../pipeline/ffmpeg/arguments.js';
import { Timeline, type TimelineOptions } from '../../../pipeline/sources/timeline.js';

function open(more: Partial<TimelineOptions> = {}) {
  const notes: string[] = [];
  const note: TimelineOptions['note'] = (level, sentence) => notes.push(`${level}: ${sentence}`);
  return { notes, timeline: new Timeline({ live: false, epoch: 3, fileTimeMs: 1_000_000, note, ...more }) };
}

describe('Timeline', () => {
  test('a file: UTC is its own time plus pts, whenever its frames arrive', () => {
    const { timeline } = open();
    expect(timeline.place(0, 5e12)).toEqual({ epoch: 3, pts: 0, time: 1_000_000 });
    expect(timeline.place(0.5, 9e12)).toEqual({ epoch: 3, pts: 0.5, time: 1_000_500 });
  });

  test('a step back begins an epoch whose pts go on rising by the shift that ffmpeg gives the segments', () => {
    const { timeline, notes } = open({ intervalS: 0.1 });
    for (const pts of [3.8, 3.9]) timeline.place(pts, 0);
    expect(timeline.place(1.5, 0)).toEqual({
      epoch: 4,
      pts: 1.5 + STEP_BACK_SHIFT_S,
      time: expect.closeTo(1_004_000, 3),
    });
    expect(timeline.place(1.6, 0)?.epoch).toBe(4);
    expect(notes).toEqual([expect.stringMatching(/^warn: .*stepped back by 2\.4 s/)]);
    expect(timeline.eraOf(0)?.epoch).toBe(3);
    expect(timeline.eraOf(1.5 + STEP_BACK_SHIFT_S)?.epoch).toBe(4);
    expect(timeline.eraOf(1.1 + STEP_BACK_SHIFT_S)?.epoch).toBe(4); // a key frame before the first decoded picture
  });

  test('a picture a little before the last one is no new clock and gets no place', () => {
    const { timeline } = open();
    timeline.place(1, 0);
    expect(timeline.place(0.9, 0)).toBeUndefined();
    expect(timeline.place(1, 0)).toBeUndefined();
    expect(timeline.place(1.1, 0)?.epoch).toBe(3);
  });

  test('a picture without a time follows the last one after an interval', () => {
    const { timeline } = open({ intervalS: 0.1 });
    expect(timeline.place(Number.NaN, 0)?.pts).toBe(0);
    expect(timeline.place(Number.NaN, 0)?.pts).toBeCloseTo(0.1, 9);
  });

  test('pts rise inside an epoch and UTC rises over all, for any order of times', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -450_000, max: 9e9 }), { maxLength: 50 }), (ticks) => {
        const { timeline } = open();
        let last = { epoch: 3, pts: Number.NEGATIVE_INFINITY, time: Number.NEGATIVE_INFINITY };
        for (const tick of ticks) {
          const placed = timeline.place(tick / 90_000, 0);
          if (!placed) continue;
          expect(placed.pts).toBeGreaterThan(last.pts);
          expect(placed.time).toBeGreaterThan(last.time);
          expect(placed.epoch === last.epoch || placed.epoch === last.epoch + 1).toBe(true);
          last = placed;
        }
      }),
      { seed: 11 },
    );
  });

  describe('live', () => {
    const live = (): ReturnType<typeof open> => open({ live: true, epoch: 0 });

    test('is anchored at the arrival of its first frame; jitter and lateness do not move it', () => {
      const { timeline, notes } = live();
      for (let n = 0; n < 300; n++) {
        const placed = timeline.place(n / 10, 1e12 + n * 100 + ((n * 37) % 400));
        expect(placed?.time).toBeCloseTo(1e12 + n * 100, 3);
      }
      expect(notes).toEqual([]);
    });

    test('a burst at the start is corrected at once: no picture can come before it was taken', () => {
      const { timeline, notes } = live();
      for (let n = 0; n < 20; n++) timeline.place(n / 10, 1e12); // two seconds that ffmpeg had looked at
      const placed = timeline.place(2, 1e12 + 100);
      expect(Math.abs(placed!.time - (1e12 + 100))).toBeLessThanOrEqual(500);
      expect(notes.every((note) => note.startsWith('debug'))).toBe(true);
    });

    test('a camera whose clock runs slow is anchored anew once it is half a second away, and that is logged', () => {
      const { timeline, notes } = live();
      let worst = 0;
      for (let n = 0; n < 3_000; n++) {
        const now = 1e12 + n * 101; // its clock says 100
        worst = Math.max(worst, Math.abs(timeline.place(n / 10, now)!.time - now));
      }
      expect(worst).toBeLessThan(700);
      expect(notes.length).toBeGreaterThan(2);
      expect(notes[0]).toMatch(/^warn: the camera's clock is 5\d\d ms away/);
    });
  });
});
