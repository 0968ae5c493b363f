import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cutClip } from '../../../pipeline/recording/cut.js';
import type { SegmentFile, SegmentPacket } from '../../../pipeline/recording/matroska/segment-file.js';

const packet = (ptsMs: number, key = false, track = 1): SegmentPacket => ({
  track,
  ptsMs,
  key,
  block: new Uint8Array(),
  additions: [],
  clusterMs: 0,
});
const file = (packets: readonly SegmentPacket[], signature = 'a'): SegmentFile => ({
  tracks: [
    { number: 1, kind: 'video', codec: 'V_MPEG4/ISO/AVC', signature },
    { number: 2, kind: 'audio', codec: 'A_AAC', signature },
    { number: 3, kind: 'audio', codec: 'A_MS/ACM', signature },
  ],
  packets,
  header: [],
});

describe('cutClip', () => {
  it('begins at the key frame before the range and leaves out pictures that need what came before it', () => {
    const open = file([packet(0, true), packet(40), packet(120, true), packet(80), packet(160), packet(200)]);
    expect(cutClip([open], 130, 1000, 130)?.picturesMs).toEqual([120, 160, 200]);
    expect(cutClip([open], 119, 1000, 119)?.picturesMs).toEqual([0, 40, 80, 120, 160, 200]);
  });

  it('begins at the first key frame there is when none lies before the range', () => {
    expect(cutClip([file([packet(40), packet(80, true), packet(120)])], 0, 1000, 100)?.picturesMs).toEqual([80, 120]);
    expect(cutClip([file([packet(40), packet(80)])], 0, 1000, 100)).toBeUndefined();
    expect(cutClip([], 0, 1000, 100)).toBeUndefined();
  });

  it('keeps what pictures before the end need, and then goes on until there is no hole', () => {
    // Decoding order I0 P3 B1 B2 P6 B4 B5: 100 ms needs P3, and with it B1 and B2 to leave no hole.
    const b = file([0, 300, 100, 200, 600, 400, 500].map((ms, i) => packet(ms, i === 0)));
    expect(cutClip([b], 0, 150, 0)?.picturesMs).toEqual([0, 100, 200, 300]);
    expect(cutClip([b], 0, 100, 0)?.picturesMs).toEqual([0]);
    expect(cutClip([b], 0, 301, 0)?.picturesMs).toEqual([0, 100, 200, 300]);
  });

  it('never leaves a hole, always begins with a key frame and always covers what is there of the range', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 4 }), {
          minLength: 1,
          maxLength: 6,
        }),
        fc.integer({ min: 0, max: 900 }),
        fc.integer({ min: 0, max: 900 }),
        (groups, from, length) => {
          // Each group of pictures: a key frame, then runs of one P frame before its B frames.
          let at = 0;
          const packets = groups.flatMap((runs) => {
            const key = packet(at++ * 40, true);
            return [
              key,
              ...runs.flatMap((bs) => {
                const p = packet((at + bs) * 40);
                const between = Array.from({ length: bs }, (_, i) => packet((at + i) * 40));
                at += bs + 1;
                return [p, ...between];
              }),
            ];
          });
          const cut = cutClip([file(packets)], from, from + length, from)!;
          const all = packets.map(({ ptsMs }) => ptsMs).sort((a, b) => a - b);
          const first = all.indexOf(cut.picturesMs[0]!);
          expect(cut.picturesMs).toEqual(all.slice(first, first + cut.picturesMs.length));
          expect(cut.packets[0]!.key).toBe(true);
          const kept = new Set(cut.picturesMs);
          for (const ms of all) if (ms >= from && ms < from + length) expect(kept.has(ms)).toBe(true);
        },
      ),
      { seed: 11, numRuns: 500 },
    );
  });

  it('joins only segments under one header, around the time that the clip is about', () => {
    const files = [
      file([packet(0, true)], 'a'),
      file([packet(1000, true)], 'b'),
      file([packet(2000, true)], 'b'),
      file([packet(3000, true)], 'a'),
    ];
    expect(cutClip(files, 0, 5000, 1500)?.picturesMs).toEqual([1000, 2000]);
    expect(cutClip(files, 0, 5000, 0)?.picturesMs).toEqual([0]);
    expect(cutClip(files, 0, 5000, 9000)?.picturesMs).toEqual([3000]);
  });

  it('takes sound along that MP4 holds, from the first to the last picture', () => {
    const packets = [
      packet(0, false, 2),
      packet(20, true),
      packet(25, true, 3),
      packet(30, true, 2),
      packet(60),
      packet(70, true, 2),
    ];
    expect(cutClip([file(packets)], 0, 1000, 0)?.packets.map(({ ptsMs, track }) => `${track}@${ptsMs}`)).toEqual([
      '1@20',
      '2@30',
      '1@60',
    ]);
  });
});
