import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { evaluatedClasses } from '../../../../models/eval/coco/classes.js';
import { type CocoFigures, evaluateCoco } from '../../../../models/eval/coco/evaluate.js';
import { type CocoResult, parseCocoResults, resultsToJson } from '../../../../models/eval/coco/results.js';
import { parseCocoTruth } from '../../../../models/eval/coco/truth.js';

// Made-up pictures and the figures of pycocotools for them: goldens/make-goldens.py, which names the version.
const read = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`goldens/${name}`, import.meta.url), 'utf8')) as unknown;
const expected = read('expected.json') as Record<'bbox' | 'segm', CocoFigures>;
const truth = parseCocoTruth(read('truth.json'), 'truth.json');
const results = parseCocoResults(read('results.json'), 'results.json', truth);
const classes = evaluatedClasses(truth);
const evaluate = (kind: 'bbox' | 'segm', found: readonly CocoResult[]): CocoFigures =>
  evaluateCoco(truth, found, kind, classes[kind]);

/** All figures as one flat list of name and value. */
const flat = ({ perClass, ...twelve }: CocoFigures): [string, number | null][] => [
  ...Object.entries(twelve),
  ...Object.entries(perClass).flatMap(([name, { AP, AP50 }]): [string, number | null][] => [
    [`${name} AP`, AP],
    [`${name} AP50`, AP50],
  ]),
];

test.each(['bbox', 'segm'] as const)('%s figures are those of pycocotools', (kind) => {
  const ours = flat(evaluate(kind, results));
  const theirs = flat(expected[kind]);
  expect(ours.map(([name]) => name)).toEqual(theirs.map(([name]) => name));
  expect(theirs).toHaveLength(22);
  for (const [i, [name, value]] of theirs.entries()) {
    if (value === null) expect(ours[i]![1], name).toBeNull();
    // The sums run in another order than NumPy's: only the last digits may differ.
    else expect(ours[i]![1], name).toBeCloseTo(value, 12);
  }
});

test('a class without objects has no figures and does not pull down the mean', () => {
  const { perClass } = evaluate('bbox', results);
  expect(perClass.train).toEqual({ id: 7, AP: null, AP50: null });
  expect(perClass.toothbrush).toEqual({ id: 90, AP: null, AP50: null });
  expect(results.some(({ category }) => category === 90)).toBe(true);
});

test('the ground truth as its own result scores 1, no result 0', () => {
  const perfect = truth.objects
    .filter(({ crowd }) => !crowd)
    .map(({ image, category, box }): CocoResult => ({ image, category, box, score: 0.5 }));
  const { perClass, ...twelve } = evaluate('bbox', perfect);
  expect(perClass.person!.AP).toBeCloseTo(1, 12);
  expect(twelve).toMatchObject({ AP: expect.closeTo(1, 12), APs: expect.closeTo(1, 12), AR100: 1 });
  const none = flat(evaluate('segm', [])).filter(([, value]) => value !== null);
  expect(new Set(none.map(([, value]) => value))).toEqual(new Set([0]));
});

test('figures depend on the order of scores alone, and more false results never raise them', () => {
  fc.assert(
    fc.property(fc.double({ min: 0.1, max: 3, noNaN: true }), fc.nat(results.length - 1), (power, at) => {
      const bent = results.map((one) => ({ ...one, score: one.score ** power }));
      expect(flat(evaluate('bbox', bent))).toEqual(flat(evaluate('bbox', results)));
      const wrong: CocoResult = { ...results[at]!, box: [0, 0, 0.1, 0.1], score: 2 };
      const worse = evaluate('bbox', [...results, wrong]);
      expect(worse.AP!).toBeLessThanOrEqual(evaluate('bbox', results).AP!);
    }),
    { numRuns: 20 },
  );
});

test('saved results give the same results again, masks included', () => {
  const again = parseCocoResults(JSON.parse(JSON.stringify(resultsToJson(results, truth))), 'again', truth);
  expect(again).toEqual(results);
  const boxes = results.map(({ mask: _, ...box }) => box);
  expect(parseCocoResults(resultsToJson(boxes, truth), 'again', truth)).toEqual(boxes);
});
