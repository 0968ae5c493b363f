import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { InputError } from '../../../config/errors.js';
import { parseCocoTruth } from '../../../models/eval/coco/truth.js';
import type { Detection, Frame, InputForm } from '../../../operators/types.js';
import { evalCocoCommand } from '../../../pipeline/commands/eval-coco.js';
import { detectCocoResults } from '../../../pipeline/inference/coco-results.js';
import type { Detector } from '../../../pipeline/inference/pool.js';

const goldens = fileURLToPath(new URL('../../models/eval/coco/goldens/', import.meta.url));
const shared = fileURLToPath(new URL('../../../../shared/', import.meta.url));
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'maskcast-eval-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs the command and gives what it wrote to stdout. */
async function evalCoco(...args: string[]): Promise<string> {
  const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  try {
    await evalCocoCommand()
      .exitOverride()
      .configureOutput({ writeErr: () => {} })
      .parseAsync(args, { from: 'user' });
    return write.mock.calls.map(([text]) => String(text)).join('');
  } finally {
    write.mockRestore();
  }
}

const file = (name: string, content: unknown): string => {
  const path = join(folder, name);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
};

test('--json prints one object with the figures of pycocotools, boxes and masks', async () => {
  const text = await evalCoco(
    ...['--annotations', join(goldens, 'truth.json'), '--results', join(goldens, 'results.json'), '--json'],
  );
  const figures = JSON.parse(text);
  const expected = JSON.parse(readFileSync(join(goldens, 'expected.json'), 'utf8'));
  expect(Object.keys(figures)).toEqual(['images', 'bbox', 'segm']);
  expect(figures.images).toBe(6);
  for (const kind of ['bbox', 'segm']) {
    expect(Object.keys(figures[kind])).toEqual(Object.keys(expected[kind]));
    expect(figures[kind].AP).toBeCloseTo(expected[kind].AP, 12);
    expect(figures[kind].perClass.dog.AP50).toBeCloseTo(expected[kind].perClass.dog.AP50, 12);
    expect(figures[kind].perClass.train).toEqual({ id: 7, AP: null, AP50: null });
  }
});

test('without --json a table shows three digits and a dash for what is not there; --classes narrows it', async () => {
  const all = await evalCoco('--annotations', join(goldens, 'truth.json'), '--results', join(goldens, 'results.json'));
  expect(all).toContain('bbox  0.395  0.677  0.470');
  expect(all).toContain('segm  0.371  0.677  0.330');
  expect(all).toMatch(/^train +- +- +- +-$/m);
  const dogs = await evalCoco(
    ...['--annotations', join(goldens, 'truth.json'), '--results', join(goldens, 'results.json'), '--classes', 'dog'],
  );
  expect(dogs).toContain('bbox  0.538  0.832');
  expect(dogs).not.toContain('person');
});

test('results without masks give boxes alone', async () => {
  const results = JSON.parse(readFileSync(join(goldens, 'results.json'), 'utf8'));
  for (const one of results) delete one.segmentation;
  const boxes = file('boxes.json', results);
  const figures = JSON.parse(
    await evalCoco('--annotations', join(goldens, 'truth.json'), '--results', boxes, '--json'),
  );
  expect(Object.keys(figures)).toEqual(['images', 'bbox']);
});

test.each<[string, () => string[], RegExp]>([
  ['a file that is not there', () => ['--results', join(folder, 'none.json')], /none\.json: cannot be read \(ENOENT\)/],
  ['what is not JSON', () => ['--results', file('cut.json', '[{"image_id":')], /cut\.json: is not JSON/],
  ['nothing to score', () => [], /give --model FILE with --images FOLDER, or --results FILE/],
  ['a model without pictures', () => ['--model', 'x.onnx'], /with --images FOLDER/],
  ['a score out of range', () => ['--model', 'x.onnx', '--images', folder, '--min-score', '2'], /--min-score is "2"/],
  ['an unknown model', () => ['--model', 'nobody', '--images', folder], /model "nobody" is neither a file nor a model/],
  ['an unknown class', () => ['--results', join(goldens, 'results.json'), '--classes', 'cow'], /has no class "cow"/],
])('refuses %s', async (_what, args, message) => {
  const run = evalCoco('--annotations', join(goldens, 'truth.json'), ...args());
  await expect(run).rejects.toThrow(InputError);
  await expect(run).rejects.toThrow(message);
});

test('a model and saved results exclude each other', async () => {
  const run = evalCoco('--annotations', join(goldens, 'truth.json'), '--results', 'r.json', '--model', 'x.onnx');
  await expect(run).rejects.toThrow(/cannot be used with/);
});

/** Two pictures of 20 x 10 pixels and their ground truth. */
async function twoPictures(sizeInTruth = 20): Promise<ReturnType<typeof parseCocoTruth>> {
  const grey = { create: { width: 20, height: 10, channels: 3, background: '#888' } } as const;
  for (const name of ['b.png', 'a.png']) await sharp(grey).png().toFile(join(folder, name));
  return parseCocoTruth(
    {
      images: [
        { id: 9, width: sizeInTruth, height: 10, file_name: 'a.png' },
        { id: 4, width: 20, height: 10, file_name: 'b.png' },
      ],
      categories: [{ id: 2, name: 'bicycle' }],
      annotations: [],
    },
    'gt.json',
  );
}

/** Stands in for a model: one bicycle with a mask per frame. */
function cannedDetector(): Detector & { frames: number } {
  const input: InputForm = { width: 32, height: 32, fit: 'letterbox-center', fill: 114 };
  const bicycle: Detection = {
    label: 'bicycle',
    score: 0.75,
    box: [2, 3, 6, 5],
    mask: { size: [2, 4], origin: [2, 3], counts: '08' },
  };
  const info = {
    ...{ adapter: 'canned', labels: ['bicycle'], input, masks: true, provider: 'cpu' as const, file: 'canned' },
    ...{ maxBatch: 1, digest: '', workers: 1, threads: 1 },
  };
  const detector = {
    info: info as unknown as Detector['info'], // what else a real one tells is not asked for
    idle: 1,
    frames: 0,
    async detect(frames: readonly Frame[]) {
      detector.frames += frames.length;
      expect(frames[0]!.pixels).toHaveLength(32 * 32 * 3);
      return { detections: frames.map(() => [bicycle]), detectMs: 0, waitMs: 0 };
    },
    stats: () => ({ batches: 0, frames: 0, failed: 0, lost: 0, waiting: 0 }),
    close: async () => {},
  };
  return detector;
}

test('every picture goes through the detector once, and its instances come back under its id', async () => {
  const truth = await twoPictures();
  const detector = cannedDetector();
  let seen = 0;
  const results = await detectCocoResults(detector, truth, folder, () => seen++);
  expect(seen).toBe(2);
  expect(detector.frames).toBe(2);
  expect(results.map(({ image }) => image)).toEqual([4, 9]);
  expect(results[0]).toMatchObject({
    category: 2,
    score: 0.75,
    box: [2, 3, 4, 2],
    mask: { size: [2, 4], origin: [2, 3] },
  });
});

test('a picture of another size than annotated, or missing, is named', async () => {
  const odd = await twoPictures(21);
  await expect(detectCocoResults(cannedDetector(), odd, folder, () => {})).rejects.toThrow(
    /a\.png: is 20 x 10 pixels; gt\.json says 21 x 10/,
  );
  const truth = await twoPictures();
  rmSync(join(folder, 'b.png'));
  await expect(detectCocoResults(cannedDetector(), truth, folder, () => {})).rejects.toThrow(InputError);
});

test('a real detector on real pictures: its saved results score the same as the run', async (context) => {
  const model = join(shared, 'weights/yolox-nano.onnx');
  const mini = join(shared, 'datasets/coco-val-mini');
  if (!existsSync(model) || !existsSync(mini)) {
    console.warn(`SKIPPED, ${shared} is absent: eval coco with a real detector`);
    context.skip();
  }
  const whole = JSON.parse(readFileSync(join(mini, 'instances.json'), 'utf8')) as Record<
    'images' | 'annotations',
    { id: number; image_id: number }[]
  >;
  const images = whole.images.slice(0, 12);
  const ids = new Set(images.map(({ id }) => id));
  const annotations = whole.annotations.filter(({ image_id }) => ids.has(image_id));
  const truth = file('mini.json', { ...whole, images, annotations });
  const saved = join(folder, 'saved.json');
  const run = await evalCoco(
    ...['--annotations', truth, '--model', model, '--images', join(mini, 'images'), '--save', saved, '--json'],
  );
  expect(await evalCoco('--annotations', truth, '--results', saved, '--json')).toBe(run);
  const { images: count, bbox, segm } = JSON.parse(run);
  expect(count).toBe(12);
  expect(segm).toBeUndefined();
  // 0.44 over all 213 pictures; a wrong channel order, placement or class order falls far below.
  expect(bbox.AP50).toBeGreaterThan(0.3);
});
