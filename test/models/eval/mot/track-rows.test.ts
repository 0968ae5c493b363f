import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readBenchmark, readSequenceInfo, sequenceFolders } from '../../../../models/eval/mot/benchmark.js';
import { countSequence, figuresOf, type MotFigures, sumCounts } from '../../../../models/eval/mot/figures.js';
import { type MotRow, parseMotRows } from '../../../../models/eval/mot/rows.js';
import { formatMotRows, trackRows } from '../../../../models/eval/mot/track-rows.js';

const DATA = '../shared/mot';
const isThere = existsSync(join(DATA, 'expected.json'));
if (!isThere) console.warn(`SKIPPED: ${DATA} is absent, so the tracker's benchmark figures are not checked`);

/** A walker seen in all frames but some. */
const walker = (count: number, missing: readonly number[], value = 1): MotRow[] =>
  Array.from({ length: count }, (_, index) => index + 1)
    .filter((frame) => !missing.includes(frame))
    .map((frame) => ({ frame, id: -1, left: 100 + 2 * frame, top: 50, width: 40, height: 100, value }));

const framesOf = (rows: readonly MotRow[]): number[] => rows.map(({ frame }) => frame);

describe('trackRows', () => {
  it('takes rows in any order and writes frames in order', () => {
    const rows = walker(10, []);
    expect(trackRows(rows.toReversed(), { fps: 25, coastS: 0 })).toEqual(trackRows(rows, { fps: 25, coastS: 0 }));
    expect(framesOf(trackRows(rows, { fps: 25, coastS: 0 }))).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });

  it('writes a trusted track through a short miss, one of low scores or of short life not', () => {
    const missing = [40, 41, 42];
    const all = framesOf(trackRows(walker(60, missing), { fps: 25, coastS: 0.2 }));
    expect(missing.every((frame) => all.includes(frame))).toBe(true);
    const withoutCoast = framesOf(trackRows(walker(60, missing), { fps: 25, coastS: 0 }));
    expect(missing.some((frame) => withoutCoast.includes(frame))).toBe(false);
    const doubtful = framesOf(trackRows(walker(60, missing, 0.8), { fps: 25, coastS: 0.2 }));
    expect(missing.some((frame) => doubtful.includes(frame))).toBe(false);
    const young = framesOf(trackRows(walker(60, [10, 11]), { fps: 25, coastS: 0.2 }));
    expect(young.includes(10)).toBe(false);
  });

  it('is online: what follows changes nothing of what was written', () => {
    const rows = walker(80, [30, 31, 50]);
    const until = (frame: number) =>
      trackRows(
        rows.filter((row) => row.frame <= frame),
        { fps: 25, coastS: 0.2 },
      );
    const whole = trackRows(rows, { fps: 25, coastS: 0.2 });
    expect(until(45)).toEqual(whole.filter(({ frame }) => frame <= 45));
  });

  it('coasts on to the end of the sequence where that is told', () => {
    const rows = walker(60, []);
    expect(trackRows(rows, { fps: 25, coastS: 0.2, frames: 90 }).at(-1)!.frame).toBe(65);
  });

  it('leaves boxes that stick out of the picture as they are', () => {
    const rows = walker(10, []).map((row) => ({ ...row, left: -10 }));
    const tracked = trackRows(rows, { fps: 25, coastS: 0, source: { width: 640, height: 480 } });
    expect(tracked.at(-1)!.left).toBeCloseTo(-10, 6);
  });

  it('writes lines that it can read again', () => {
    const tracked = trackRows(walker(5, []), { fps: 25, coastS: 0 });
    const [line] = formatMotRows(tracked).split('\n');
    expect(line).toMatch(/^2,1,10\d\.\d\d,50\.00,40\.00,100\.00,1\.0000,-1,-1,-1$/);
    expect(parseMotRows(formatMotRows(tracked), 'x')).toHaveLength(tracked.length);
  });
});

/** The defaults on public detections, judged as TrackEval counts. */
function score(benchmark: string): MotFigures {
  const truths = readBenchmark(join(DATA, benchmark));
  const counts = sequenceFolders(join(DATA, benchmark), 'det/det.txt').map((folder) => {
    const info = readSequenceInfo(folder)!;
    const detections = parseMotRows(readFileSync(join(folder, 'det/det.txt'), 'utf8'), folder);
    const tracked = trackRows(detections, { fps: info.fps, frames: info.frames, source: info, coastS: 0.2 });
    // Through the text, as a user would compare it.
    const rows = parseMotRows(formatMotRows(tracked), folder);
    const truth = truths.find(({ name }) => name === basename(folder))!;
    return countSequence(truth, rows, folder, 'trackeval');
  });
  return figuresOf(sumCounts(counts));
}

describe.skipIf(!isThere)('figures of the tracker with its defaults', () => {
  it('MOT15, 11 sequences, published detections of SORT: better than every peer', () => {
    const { HOTA, IDF1, MOTA, IDSW } = score('mot15');
    expect(HOTA).toBeGreaterThan(40);
    expect(IDF1).toBeGreaterThan(53);
    expect(MOTA).toBeGreaterThan(40);
    expect(IDSW).toBeLessThanOrEqual(450);
  });

  it('MOT17, four sequences, public FRCNN detections: better than every peer', () => {
    const { HOTA, IDF1, MOTA } = score('mot17');
    expect(HOTA).toBeGreaterThan(46);
    expect(IDF1).toBeGreaterThan(53);
    expect(MOTA).toBeGreaterThan(44.5);
  });
});
