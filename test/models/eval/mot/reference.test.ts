import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readBenchmark, readResults } from '../../../../models/eval/mot/benchmark.js';
import type { MotView } from '../../../../models/eval/mot/clear.js';
import { countSequence, figuresOf, type MotFigures, sumCounts } from '../../../../models/eval/mot/figures.js';
import type { MotTruth } from '../../../../models/eval/mot/match-frames.js';
import { parseMotRows } from '../../../../models/eval/mot/rows.js';

/** Figures of the MOTChallenge devkit and of TrackEval, and tables printed by others. Not part of this repository. */
const DATA = '../shared/mot';
const isThere = existsSync(join(DATA, 'expected.json'));
if (!isThere)
  console.warn(`SKIPPED: ${DATA} is absent, so the evaluator is not compared with the devkit and TrackEval`);

type Row = Record<string, number>;
/** A class whose boxes forgive results that lie on them. */
const DISTRACTOR = 8;
interface Expected {
  readonly runs: Record<
    string,
    Record<MotView, { overall: Row; sequences: Record<string, Row> }> & { results: string }
  >;
  readonly published: Record<string, { overall?: Row; overallOfTheSix?: Row; sequences?: Record<string, Row> }>;
  readonly synthetic: readonly (Record<MotView, Row> & {
    name: string;
    benchmark: string;
    seqLength: number;
    gt: string[];
    results: string[];
  })[];
}
const expected: Expected | undefined = isThere
  ? (JSON.parse(readFileSync(join(DATA, 'expected.json'), 'utf8')) as Expected)
  : undefined;

/** The file has four digits after the point (synthetic cases six, the tables of others one). */
function compare(figures: MotFigures, row: Row, digits: number, what: string): number {
  let compared = 0;
  for (const [key, value] of Object.entries(row)) {
    if (!(key in figures)) continue;
    const got = figures[key as keyof MotFigures];
    expect(Math.abs(got - value), `${what} ${key}: ${got} against ${value}`).toBeLessThan(0.51 * 10 ** -digits);
    compared++;
  }
  return compared;
}

const benchmarks = new Map<string, readonly MotTruth[]>();

function countRun(results: string, view: MotView) {
  const folder = results.split('/')[0]!;
  const benchmark = benchmarks.get(folder) ?? readBenchmark(join(DATA, folder));
  benchmarks.set(folder, benchmark);
  const path = join(DATA, results.replace('SEQ', '{seq}'));
  return new Map(
    benchmark.map((truth) => {
      const { file, rows } = readResults(path, truth.name);
      return [truth.name, countSequence(truth, rows, file, view)];
    }),
  );
}

describe.skipIf(!isThere)('figures of the devkit and of TrackEval', () => {
  for (const run of ['mot15-CEM', 'mot15-SORT', 'mot16-CEM', 'mot17-Lif_T']) {
    for (const view of ['devkit', 'trackeval'] as const) {
      it(`${run} as ${view} counts, every sequence and overall, to four digits`, () => {
        const { [view]: wanted, results } = expected!.runs[run]!;
        const counts = countRun(results, view);
        let compared = compare(figuresOf(sumCounts([...counts.values()])), wanted.overall, 4, 'overall');
        for (const [name, row] of Object.entries(wanted.sequences)) {
          compared += compare(figuresOf(counts.get(name)!), row, 4, name);
        }
        expect(compared).toBeGreaterThan(30);
      });
    }
  }

  it('the tables that the devkit and SORT printed, every sequence named there', () => {
    for (const name of ['CEM', 'SORT']) {
      const printed = expected!.published[`MOT15-${name}`]!;
      const counts = countRun(`mot15/SEQ/res/${name}.txt`, 'devkit');
      for (const [sequence, row] of Object.entries(printed.sequences!)) {
        const { FAR = 0, ...rest } = row;
        const figures = figuresOf(counts.get(sequence)!);
        compare(figures, rest, 1, sequence);
        expect(figures.FAR).toBeCloseTo(FAR, 2);
      }
      const six = Object.keys(printed.sequences!).map((sequence) => counts.get(sequence)!);
      const all = printed.overallOfTheSix ? six : [...counts.values()];
      const { FAR: _, ...rest } = (printed.overallOfTheSix ?? printed.overall)!;
      compare(figuresOf(sumCounts(all)), rest, 1, `${name} overall`);
    }
  });

  it('the detection benchmark of the devkit (DPM on MOT17-02), with an optimal assignment in the cleaning', () => {
    // Its MODP, 75.3, is no figure of a tracking evaluator: the mean of all matches, MOTP, is 75.15 here.
    const {
      GT,
      Rcll,
      withAnOptimalAssignment: wanted,
    } = expected!.published['MOT17Det-DPM-02'] as unknown as Row & {
      withAnOptimalAssignment: Row;
    };
    const truth = readBenchmark(join(DATA, 'mot17')).find(({ name }) => name === 'MOT17-02-FRCNN')!;
    // Detections are judged on pedestrians at least half visible; the others forgive, as distractors do.
    const rows = truth.rows.map((row) => (row.visibility! < 0.5 ? { ...row, classId: DISTRACTOR } : row));
    const file = join(DATA, 'mot17det/MOT17-02-DPM.txt');
    // A detection has no identity: every one is a track of its own, so that none is kept from frame to frame.
    const detections = parseMotRows(readFileSync(file, 'utf8'), file).map((row, id) => ({ ...row, id }));
    const counts = countSequence({ ...truth, rows }, detections, file, 'devkit');
    const figures = figuresOf(counts);
    expect(figures).toMatchObject({ TP: wanted.TP, FP: wanted.FP, FN: wanted.FN });
    expect(detections.length - figures.TP - figures.FP).toBe(wanted.removedBoxes);
    expect(figures.TP + figures.FN).toBe(GT);
    expect(figures.Rcll).toBeCloseTo(Rcll!, 1);
  });

  it('the synthetic cases to six digits', () => {
    for (const { name, benchmark, seqLength, gt, results, ...views } of expected!.synthetic) {
      const layout = benchmark === 'MOT15' ? 'MOT15' : 'MOT16';
      const rows = parseMotRows(gt.join('\n'), name, layout !== 'MOT15');
      const truth = { name, layout, frames: seqLength, rows } as const;
      for (const view of ['devkit', 'trackeval'] as const) {
        const counts = countSequence(truth, parseMotRows(results.join('\n'), name), name, view);
        expect(compare(figuresOf(counts), views[view], 6, `${name} ${view}`)).toBeGreaterThan(10);
      }
    }
  });
});
