import { expect, test } from 'vitest';
import { InputError } from '../../../../config/errors.js';
import { evaluatedClasses } from '../../../../models/eval/coco/classes.js';
import { detectionsToResults, parseCocoResults, resultsToJson } from '../../../../models/eval/coco/results.js';
import { parseCocoTruth } from '../../../../models/eval/coco/truth.js';
import { rleArea } from '../../../../operators/masks/rle.js';
import { maskSpans } from '../../../../operators/masks/spans.js';

const square = [1, 1, 5, 1, 5, 5, 1, 5];
const object = { id: 1, image_id: 7, category_id: 1, bbox: [1, 1, 4, 4], area: 16, iscrowd: 0, segmentation: [square] };
const good = {
  images: [{ id: 7, width: 10, height: 8, file_name: 'a.jpg' }],
  categories: [
    { id: 1, name: 'person' },
    { id: 3, name: 'car' },
  ],
  annotations: [object],
};
const truth = parseCocoTruth(good, 'gt.json');
const result = { image_id: 7, category_id: 1, score: 0.5, bbox: [1, 1, 4, 4] };

const messageOf = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(InputError);
    return (error as Error).message;
  }
  throw new Error('nothing was refused');
};

test.each<[string, unknown, string]>([
  ['a list', [], 'gt.json: the content is []; it must be an object'],
  ['another JSON', { images: [] }, 'gt.json: has no list "categories"; a COCO ground truth has'],
  ['no annotations', { ...good, annotations: {} }, 'gt.json: has no list "annotations"'],
  ['a picture without size', { ...good, images: [{ id: 7 }] }, 'images[0].width is missing; it must be pixels'],
  ['an id twice', { ...good, images: [...good.images, ...good.images] }, 'images[1].id is 7; an entry before it'],
  ['a name twice', { ...good, categories: [...good.categories, { id: 4, name: 'car' }] }, 'has a name twice'],
  [
    'an unknown picture',
    { ...good, annotations: [{ ...object, image_id: 8 }] },
    'annotations[0].image_id is 8; no entry of images',
  ],
  [
    'an unknown class',
    { ...good, annotations: [{ ...object, category_id: 2 }] },
    'annotations[0].category_id is 2; no entry',
  ],
  [
    'a box of three',
    { ...good, annotations: [{ ...object, bbox: [1, 2, 3] }] },
    'annotations[0].bbox is [1,2,3]; it must be [x',
  ],
  ['a negative box', { ...good, annotations: [{ ...object, bbox: [1, 2, -3, 1] }] }, 'width and height 0 or more'],
  [
    'no area',
    { ...good, annotations: [{ ...object, area: undefined }] },
    'annotations[0].area is missing; it must be pixels',
  ],
  [
    'a line as polygon',
    { ...good, annotations: [{ ...object, segmentation: [[1, 2, 3, 4]] }] },
    'segmentation[0] is [1,2,3,4]; a polygon needs',
  ],
  [
    'a polygon light years wide',
    { ...good, annotations: [{ ...object, segmentation: [[1, 2, 3, 4, 5, 1e12]] }] },
    'segmentation[0] is 1000000000000; corners must be pixels',
  ],
  [
    'a flat polygon',
    { ...good, annotations: [{ ...object, segmentation: square }] },
    'segmentation[0] is 1; it must be a list',
  ],
  [
    'a mask of another size',
    { ...good, annotations: [{ ...object, segmentation: { size: [10, 8], counts: [80] } }] },
    'its picture is [8, 10] (height, width)',
  ],
  [
    'runs too short',
    { ...good, annotations: [{ ...object, segmentation: { size: [8, 10], counts: [70, 9] } }] },
    'add up to 79',
  ],
  [
    'a wrong code',
    { ...good, annotations: [{ ...object, segmentation: { size: [8, 10], counts: '~' } }] },
    'counts is "~"; run-length code has "~" at 0',
  ],
  ['a strange label list', { ...good, labeled: ['person', 'ufo'] }, 'labeled is "ufo"; no entry of categories'],
])('ground truth: refuses %s', (_what, json, message) => {
  expect(messageOf(() => parseCocoTruth(json, 'gt.json'))).toContain(message);
  expect(messageOf(() => parseCocoTruth(json, 'gt.json'))).toMatch(/^gt\.json: /);
});

test.each<[string, unknown, string]>([
  ['an object', {}, 'r.json: the content (COCO results) is {}; it must be a list'],
  ['an unknown picture', [result, { ...result, image_id: 9 }], 'r.json: [1].image_id is 9; gt.json has no image'],
  ['an unknown class', [{ ...result, category_id: 0 }], 'r.json: [0].category_id is 0; gt.json has no category'],
  ['no score', [{ ...result, score: undefined }], 'r.json: [0].score is missing; it must be a finite number'],
  ['nothing found', [{ ...result, bbox: undefined }], 'r.json: [0] has neither bbox nor segmentation'],
  [
    'masks of some',
    [{ ...result, segmentation: [square] }, result],
    'r.json: [1] has no segmentation, while others have',
  ],
])('results: refuses %s', (_what, json, message) => {
  expect(messageOf(() => parseCocoResults(json, 'r.json', truth))).toContain(message);
});

test('a result without a box gets the tight one of its mask', () => {
  const [found] = parseCocoResults([{ image_id: 7, category_id: 1, score: 1, segmentation: [square] }], 'r', truth);
  expect(found).toMatchObject({ box: [1, 1, 4, 4], mask: { size: [8, 10], origin: [0, 0] } });
  expect(rleArea(found!.mask!)).toBe(16);
});

test('only classes annotated throughout are evaluated, masks only where every object has one', () => {
  const bus = { id: 6, name: 'bus' };
  const partly = parseCocoTruth(
    {
      ...good,
      labeled: ['person', 'car'],
      categories: [...good.categories, bus],
      annotations: [object, { ...object, id: 2, category_id: 3, segmentation: [] }],
    },
    'gt.json',
  );
  expect(evaluatedClasses(partly)).toEqual({ bbox: [1, 3], segm: [1] });
  expect(evaluatedClasses(partly, ['car'])).toEqual({ bbox: [3], segm: [] });
  expect(messageOf(() => evaluatedClasses(partly, ['bus']))).toContain('class "bus" is not annotated in every picture');
  expect(messageOf(() => evaluatedClasses(partly, ['dog']))).toContain(
    'has no class "dog"; its classes are person, car, bus',
  );
});

test('instances become results: rounded, masks in the frame, strange classes left out', () => {
  const image = truth.images.get(7)!;
  const categories = new Map([['person', 1]]);
  const results = detectionsToResults(
    [
      {
        label: 'person',
        score: 0.1234567,
        box: [1.00049, 2, 3.5, 4],
        mask: { size: [1, 2], origin: [3, 4], counts: '02' },
      },
      { label: 'person', score: 0.1, box: [0, 0, 1, 1] },
      { label: 'ufo', score: 0.9, box: [0, 0, 1, 1] },
    ],
    image,
    categories,
    true,
  );
  expect(resultsToJson(results, truth)).toMatchObject([
    { image_id: 7, category_id: 1, score: 0.12346, bbox: [1, 2, 2.5, 2] },
    { image_id: 7, category_id: 1, score: 0.1, bbox: [0, 0, 1, 1] },
  ]);
  expect(results.map(({ mask }) => maskSpans(mask!).box)).toEqual([
    [3, 4, 5, 5],
    [0, 0, 0, 0],
  ]);
  const saved = resultsToJson(results, truth);
  expect(resultsToJson(parseCocoResults(saved, 'r', truth), truth)).toEqual(saved);
});
