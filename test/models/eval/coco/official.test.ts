import { existsSync, readFileSync } from 'node:fs';
import { test as base, expect, type TestContext } from 'vitest';
import { evaluatedClasses } from '../../../../models/eval/coco/classes.js';
import { type CocoFigures, evaluateCoco } from '../../../../models/eval/coco/evaluate.js';
import { parseCocoResults } from '../../../../models/eval/coco/results.js';
import { parseCocoTruth } from '../../../../models/eval/coco/truth.js';

const folder = new URL('../../../../../shared/datasets/coco-eval-check/', import.meta.url);
const read = (name: string): unknown => JSON.parse(readFileSync(new URL(name, folder), 'utf8'));

const test = (name: string, run: () => void): void =>
  base(name, (context: TestContext) => {
    if (!existsSync(folder)) {
      console.warn(`SKIPPED, ${folder.pathname} is absent: ${name}`);
      context.skip();
    }
    run();
  });

test('the official figures for the made-up results of the COCO tools come out to the last digits, boxes and masks', () => {
  const expected = read('expected.json') as Record<'bbox' | 'segm', CocoFigures>;
  const truth = parseCocoTruth(read('instances_val2014_100.json'), 'truth');
  const classes = evaluatedClasses(truth);
  for (const kind of ['bbox', 'segm'] as const) {
    const results = parseCocoResults(read(`instances_val2014_fake${kind}100_results.json`), kind, truth);
    const figures = evaluateCoco(truth, results, kind, classes[kind]);
    const { perClass, ...twelve } = expected[kind];
    expect(Object.keys(twelve)).toHaveLength(12);
    for (const [name, value] of Object.entries(twelve)) {
      expect(figures[name as keyof typeof twelve], `${kind} ${name}`).toBeCloseTo(value as number, 9);
    }
    expect(Object.keys(figures.perClass)).toEqual(Object.keys(perClass));
    for (const [name, { id, AP, AP50 }] of Object.entries(perClass)) {
      const ours = figures.perClass[name]!;
      expect(ours.id).toBe(id);
      if (AP === null || AP50 === null) expect(ours).toEqual({ id, AP: null, AP50: null });
      else {
        expect(ours.AP, `${kind} AP of ${name}`).toBeCloseTo(AP, 9);
        expect(ours.AP50, `${kind} AP50 of ${name}`).toBeCloseTo(AP50, 9);
      }
    }
  }
});
