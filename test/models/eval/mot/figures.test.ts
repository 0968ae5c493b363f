import { describe, expect, it } from 'vitest';
import type { MotView } from '../../../../models/eval/mot/clear.js';
import { countSequence, figuresOf, type MotFigures, sumCounts } from '../../../../models/eval/mot/figures.js';
import type { MotLayout } from '../../../../models/eval/mot/match-frames.js';
import { parseMotRows } from '../../../../models/eval/mot/rows.js';

/** Three places far apart; a box elsewhere on the picture overlaps none of them. */
const PLACE = { a: '10,10,20,40', b: '200,10,20,40', c: '400,10,20,40', nowhere: '800,800,20,40' };

/** `'1 7 a'` is object or track 7 at place a in frame 1; a fourth word is the class of a MOT16 row. */
function score(
  gt: readonly string[],
  results: readonly string[],
  view: MotView = 'devkit',
  layout: MotLayout = 'MOT15',
) {
  const truth = { name: 'case', layout, frames: 5, rows: rowsOf(gt, layout !== 'MOT15') };
  return countSequence(truth, rowsOf(results), 'case.txt', view);
}

function rowsOf(words: readonly string[], withClass = false) {
  const lines = words.map((word) => {
    const [frame, id, place, classId = '1'] = word.split(' ');
    const box = PLACE[place as keyof typeof PLACE] ?? place;
    return `${frame},${id},${box},1,${withClass ? `${classId},1` : '-1,-1,-1'}`;
  });
  return parseMotRows(lines.join('\n'), 'case', withClass);
}

const expectFigures = (counts: ReturnType<typeof score>, expected: Partial<MotFigures>): void => {
  const figures = figuresOf(counts);
  for (const [key, value] of Object.entries(expected)) {
    expect(figures[key as keyof MotFigures], key).toBeCloseTo(value, 9);
  }
};

describe('figures worked by hand', () => {
  it('a perfect result has 100 everywhere', () => {
    const rows = ['1 1 a', '2 1 a', '1 2 b', '2 2 b'];
    expectFigures(score(rows, rows), { MOTA: 100, MOTP: 100, IDF1: 100, HOTA: 100, DetA: 100, AssA: 100, LocA: 100 });
  });

  it('nothing found at all is FN only, and LocA of no match is 100 as TrackEval has it', () => {
    expectFigures(score(['1 1 a', '2 1 a'], []), { MOTA: 0, FN: 2, FP: 0, ML: 1, IDF1: 0, HOTA: 0, LocA: 100 });
  });

  it('one object cut in two tracks of 2 and 2 frames', () => {
    // Four matches, one switch: MOTA (4 - 1) / 4. IDF1: the better track has 2 of 4 on both sides.
    // AssA: every match has 2 common of 4 + 2 - 2 frames; DetA 1, so HOTA is the root of 1/2.
    const counts = score(['1 1 a', '2 1 a', '3 1 a', '4 1 a'], ['1 1 a', '2 1 a', '3 2 a', '4 2 a']);
    expectFigures(counts, { MOTA: 75, IDSW: 1, IDF1: 50, AssA: 50, DetA: 100, HOTA: 100 * Math.sqrt(1 / 2), FM: 0 });
  });

  it('two objects whose tracks change places once: two switches', () => {
    // Each track is 2 of 4 frames on each object: IDTP 2 + 2 of 8.
    const gt = ['1 1 a', '2 1 a', '3 1 a', '4 1 a', '1 2 b', '2 2 b', '3 2 b', '4 2 b'];
    const results = ['1 1 a', '2 1 a', '3 2 a', '4 2 a', '1 2 b', '2 2 b', '3 1 b', '4 1 b'];
    // AssA: 2 common of 4 + 4 - 2.
    expectFigures(score(gt, results), { MOTA: 75, IDSW: 2, IDF1: 50, AssA: 100 / 3, FP: 0, FN: 0 });
  });

  it('an overlap of exactly 0.5 is a match, and HOTA counts it for 10 of its 19 thresholds', () => {
    // Thresholds 0.05 ... 0.50 see one match, 0.55 ... 0.95 a miss and a false positive.
    const counts = score(['1 1 0,0,20,10'], ['1 1 0,0,10,10']);
    expectFigures(counts, { MOTA: 100, MOTP: 50, FP: 0, IDF1: 100, HOTA: 1000 / 19, DetA: 1000 / 19 });
  });

  it('keeps a pair of the frame before although a better one is there', () => {
    // Track 1 covers half of the object, track 2 all of it: no switch, track 2 is a false positive.
    const counts = score(['1 1 0,0,20,10', '2 1 0,0,20,10'], ['1 1 0,0,10,10', '2 1 0,0,10,10', '2 2 0,0,20,10']);
    expectFigures(counts, { IDSW: 0, FP: 1, MOTA: 50 });
  });

  it('a new track after a gap of the ground truth is a switch for TrackEval only, and a fragment for both', () => {
    const gt = ['1 1 a', '2 1 a', '4 1 a', '5 1 a', '3 2 b'];
    const results = ['1 1 a', '2 1 a', '4 3 a', '5 3 a', '3 2 b'];
    expectFigures(score(gt, results, 'devkit'), { IDSW: 0, FM: 1, MOTA: 100 });
    expectFigures(score(gt, results, 'trackeval'), { IDSW: 1, FM: 1, MOTA: 80 });
  });

  it('a frame without any result is a fragment for the devkit only', () => {
    const counts = (view: MotView) => score(['1 1 a', '2 1 a', '3 1 a'], ['1 1 a', '3 1 a'], view);
    expectFigures(counts('devkit'), { FM: 1, FN: 1 });
    expectFigures(counts('trackeval'), { FM: 0, FN: 1 });
  });

  it('a share of exactly 0.8 or 0.2 is partly tracked', () => {
    const gt = [1, 2, 3, 4, 5].flatMap((frame) => [`${frame} 1 a`, `${frame} 2 b`, `${frame} 3 c`]);
    const results = [...[1, 2, 3, 5].map((frame) => `${frame} 1 a`), '1 2 b'];
    expectFigures(score(gt, results), { MT: 0, PT: 2, ML: 1, GT: 3 });
  });

  it('MOT15 drops ground truth of flag 0 and forgives nothing on it', () => {
    const rows = parseMotRows('1,1,10,10,20,40,1,-1,-1,-1\n1,2,200,10,20,40,0,-1,-1,-1', 'gt');
    const counts = countSequence(
      { name: 'x', layout: 'MOT15', frames: 1, rows },
      rowsOf(['1 1 a', '1 2 b']),
      'x.txt',
      'devkit',
    );
    expectFigures(counts, { TP: 1, FP: 1, FN: 0, GT: 1 });
  });

  it('MOT16 takes results on static persons, riders, distractors and reflections out, those on cars not', () => {
    for (const forgiven of [2, 7, 8, 12]) {
      const counts = score(['1 1 a 1', `1 2 b ${forgiven}`], ['1 1 a', '1 2 b'], 'devkit', 'MOT16');
      expectFigures(counts, { TP: 1, FP: 0, FN: 0 });
    }
    for (const other of [3, 4, 9, 11]) {
      const counts = score(['1 1 a 1', `1 2 b ${other}`], ['1 1 a', '1 2 b'], 'devkit', 'MOT16');
      expectFigures(counts, { TP: 1, FP: 1, FN: 0 });
    }
    expectFigures(score(['1 1 a 1', '1 2 b 6'], ['1 1 a', '1 2 b'], 'devkit', 'MOT20'), { FP: 0 });
  });

  it('the devkit cuts results after the last frame of the ground truth, TrackEval counts them', () => {
    expectFigures(score(['1 1 a'], ['1 1 a', '4 1 a'], 'devkit'), { FP: 0 });
    expectFigures(score(['1 1 a'], ['1 1 a', '4 1 a'], 'trackeval'), { FP: 1 });
  });

  it('figures of several sequences come from summed counts', () => {
    const good = score(['1 1 a', '2 1 a', '3 1 a'], ['1 1 a', '2 1 a', '3 1 a']);
    const bad = score(['1 1 a'], ['1 1 nowhere']);
    expectFigures(sumCounts([good, bad]), {
      MOTA: (100 * (3 - 1)) / 4,
      FP: 1,
      FN: 1,
      MT: 1,
      ML: 1,
      AssA: 100,
      DetA: 60,
    });
  });

  it('refuses an id that stands twice in a frame', () => {
    expect(() => score(['1 1 a'], ['1 4 a', '1 4 b'])).toThrow('case.txt has id 4 twice in frame 1');
  });
});
