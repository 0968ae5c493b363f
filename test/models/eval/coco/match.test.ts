import { expect, test } from 'vitest';
import { accumulate } from '../../../../models/eval/coco/accumulate.js';
import { type ImageCase, matchImage } from '../../../../models/eval/coco/match.js';

/** One picture by its IoUs, a row per found object; areas 100 unless told. */
const picture = (
  ious: number[][],
  more: Partial<Record<'truthAreas' | 'foundAreas' | 'crowds', number[]>>,
): ImageCase => {
  const truths = ious[0]!.length;
  return {
    scores: Float64Array.from(ious, (_, d) => 1 - d / 100),
    foundAreas: Float64Array.from(more.foundAreas ?? ious.map(() => 100)),
    truthAreas: Float64Array.from(more.truthAreas ?? Array<number>(truths).fill(100)),
    crowds: Uint8Array.from(more.crowds ?? Array<number>(truths).fill(0)),
    ious: Float64Array.from(ious.flat()),
  };
};
const atHalf = (values: Uint8Array, found: number): number[] => [...values.subarray(0, found)];
const ALL = [0, 1e10] as const;

test('an IoU of just the threshold counts', () => {
  expect(matchImage(picture([[0.5]], {}), ALL).matched).toEqual(Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 0, 0));
});

test('of equal IoUs the last annotated object is taken, so that the first is left for the next', () => {
  // The second found object fits only the first annotated one.
  const both = picture(
    [
      [0.8, 0.8],
      [0.9, 0],
    ],
    {},
  );
  expect(atHalf(matchImage(both, ALL).matched, 2)).toEqual([1, 1]);
});

test('the better score takes first, and what is taken is gone', () => {
  expect(atHalf(matchImage(picture([[0.6], [0.9]], {}), ALL).matched, 2)).toEqual([1, 0]);
});

test('an object that counts goes before a crowd of higher IoU, and a crowd takes any number', () => {
  const one = matchImage(
    picture(
      [
        [0.9, 0.6],
        [0.9, 0.55],
        [0.9, 0],
      ],
      { crowds: [1, 0] },
    ),
    ALL,
  );
  expect(one.expected).toBe(1);
  expect(atHalf(one.matched, 3)).toEqual([1, 1, 1]);
  expect(atHalf(one.ignored, 3)).toEqual([0, 1, 1]);
});

test('outside the area range neither an object nor what is found there counts; the bounds belong to it', () => {
  const one = picture(
    [
      [0.9, 0, 0],
      [0, 0.9, 0],
      [0, 0, 0],
    ],
    { truthAreas: [1024, 1025, 3], foundAreas: [9, 9, 1025] },
  );
  const small = matchImage(one, [0, 1024]);
  expect(small.expected).toBe(2);
  expect(atHalf(small.ignored, 3)).toEqual([0, 1, 1]);
});

test('precision over recall by hand: right, wrong, right of three', () => {
  const match = matchImage(
    picture(
      [
        [0.9, 0, 0],
        [0, 0, 0],
        [0, 0.9, 0],
      ],
      {},
    ),
    ALL,
  );
  const { precision, recall } = accumulate([match], 100)!;
  expect(recall[0]).toBe(2 / 3);
  expect(precision[33]).toBeCloseTo(1, 12);
  expect(precision[34]).toBeCloseTo(2 / 3, 12);
  expect(precision[66]).toBeCloseTo(2 / 3, 12);
  expect(precision[67]).toBe(0);
  expect(accumulate([match], 1)!.recall[0]).toBe(1 / 3);
  expect(accumulate([], 100)).toBeUndefined();
});
