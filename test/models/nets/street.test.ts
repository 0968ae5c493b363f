import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { InputError } from '../../../config/errors.js';
import { COCO_80 } from '../../../models/adapters/coco-labels.js';
import { type Assembled, assemble, saveWeights } from '../../../models/nets/assemble.js';
import { cardFor } from '../../../models/nets/card-for.js';
import { buildNetwork } from '../../../models/nets/network.js';
import { encodeModel, writeModel } from '../../../models/onnx/encode.js';
import type { OnnxModel } from '../../../models/onnx/model.js';
import type { ModelSession } from '../../../models/runtime/session.js';
import type { ModelCard } from '../../../models/weights/card.js';
import { onnxTensors } from '../../../models/weights/onnx-store.js';
import { seededWeights } from '../../../models/weights/seed.js';
import { layeredWeights, storedWeights } from '../../../models/weights/source.js';
import { numbersOf, relativeError, withModel } from '../../support/run-model.js';
import { normalised, TINY_HEIGHT, TINY_WIDTH, tinyBody } from './tiny-body.js';
import { pictures } from './tiny-networks.js';

const SIZE = { height: TINY_HEIGHT, width: TINY_WIDTH } as const;
const FRAME = TINY_HEIGHT * TINY_WIDTH * 3;
const body = tinyBody();

/** The network of the shipped default on a body of our own drawing. */
function build(card: ModelCard): OnnxModel {
  return buildNetwork(card, {
    weights: layeredWeights([storedWeights(onnxTensors('tiny', body, 'body.'), () => true), seededWeights(5)]),
    bodyFile: body,
    bodyClasses: card.classes.map((name) => COCO_80.indexOf(name)),
    trace: true,
  });
}

const images = (pixels: Uint8Array) => ({
  images: { type: 'uint8', data: pixels, dims: [pixels.length / FRAME, TINY_HEIGHT, TINY_WIDTH, 3] } as const,
});

const frameOf = (pixels: Uint8Array, n: number): Uint8Array => pixels.slice(n * FRAME, (n + 1) * FRAME);

interface Instance {
  readonly box: readonly number[];
  readonly score: number;
  readonly label: number;
}

/** What the body's own head says of one picture: decoded cell by cell, suppressed pair by pair. */
async function ownInstances(
  session: ModelSession,
  pixels: Uint8Array,
  columns: readonly number[],
  { minScore, maxIou, most }: ModelCard['network']['detections'],
): Promise<Instance[]> {
  const outputs = await session.run({
    image: { type: 'float32', dims: [1, 3, TINY_HEIGHT, TINY_WIDTH], data: normalised(pixels) },
  });
  const all: Instance[] = [];
  for (const [level, stride] of [8, 16, 32, 64].entries()) {
    const scores = numbersOf(outputs, `scores.${level}`);
    const sides = numbersOf(outputs, `boxes.${level}`);
    const across = Math.ceil(TINY_WIDTH / stride);
    for (let cell = 0; cell < scores.length / 80; cell++) {
      const side = (which: number): number => {
        const bins = sides.slice(cell * 32 + which * 8, cell * 32 + which * 8 + 8).map(Math.exp);
        const sum = bins.reduce((a, b) => a + b);
        return (stride * bins.reduce((mean, bin, i) => mean + bin * i, 0)) / sum;
      };
      const x = ((cell % across) + 0.5) * stride;
      const y = (Math.floor(cell / across) + 0.5) * stride;
      const inside = (value: number, limit: number): number => Math.min(Math.max(value, 0), limit);
      const box = [
        inside(x - side(0), TINY_WIDTH),
        inside(y - side(1), TINY_HEIGHT),
        inside(x + side(2), TINY_WIDTH),
        inside(y + side(3), TINY_HEIGHT),
      ];
      for (const [label, column] of columns.entries()) {
        const score = scores[cell * 80 + column]!;
        if (score > minScore) all.push({ box, score, label });
      }
    }
  }
  const kept: Instance[] = [];
  for (const one of all.toSorted((a, b) => b.score - a.score))
    if (kept.every((other) => other.label !== one.label || iou(other.box, one.box) <= maxIou)) kept.push(one);
  return kept.slice(0, most);
}

async function foundIn(session: ModelSession, pixels: Uint8Array): Promise<Instance[]> {
  const outputs = await session.run(images(pixels));
  const [boxes, scores, labels] = ['boxes', 'scores', 'labels'].map((name) => numbersOf(outputs, name));
  return scores!.map((score, i) => ({ box: boxes!.slice(4 * i, 4 * i + 4), score, label: labels![i]! }));
}

describe('preset street', () => {
  const card = cardFor({ preset: 'street', ...SIZE });

  it.each([
    ['its six classes', card.classes],
    ['two others in another order', ['zebra', 'person']],
    ['all 80', COCO_80],
  ])('finds what the head of its body finds, suppressed alike: %s', async (_, classes) => {
    const own = cardFor({ preset: 'street', ...SIZE, classes });
    const columns = classes.map((name) => COCO_80.indexOf(name));
    // More candidates than there are scores, so that the head written out here need not choose.
    const detections = { ...own.network.detections, candidates: 20_000 };
    const picture = pictures(1, TINY_HEIGHT, TINY_WIDTH);
    const expected = await withModel(body, (session) => ownInstances(session, picture, columns, detections));
    const wide = { ...own, network: { ...own.network, detections } };
    const found = await withModel(build(wide), (session) => foundIn(session, picture));
    expect(expected.length).toBeGreaterThan(3);
    expect(found.map(({ label }) => label)).toEqual(expected.map(({ label }) => label));
    const flat = (instances: Instance[]): number[] => instances.flatMap(({ box, score }) => [...box, score]);
    expect(relativeError(flat(found), flat(expected))).toBeLessThan(1e-5);
  });

  it('gives for a batch exactly what single runs give, also where frames have no instance', async () => {
    const three = pictures(3, TINY_HEIGHT, TINY_WIDTH).fill(124, FRAME, 2 * FRAME);
    const best = await withModel(build(card), async (session) => {
      const alone = [];
      for (const n of [0, 1, 2]) alone.push(await session.run(images(frameOf(three, n))));
      const together = await session.run(images(three));
      for (const name of ['boxes', 'scores', 'labels', 'masks', 'separated', 'skip']) {
        expect(numbersOf(together, name), name).toEqual(alone.flatMap((one) => numbersOf(one, name)));
      }
      return alone.map((one) => Math.max(...numbersOf(one, 'scores')));
    });
    const [low, middle] = best.toSorted((a, b) => a - b);
    expect(low).toBeLessThan(middle!);
    const minScore = (low! + middle!) / 2;
    const strict = { ...card, network: { ...card.network, detections: { ...card.network.detections, minScore } } };
    await withModel(build(strict), async (session) => {
      const alone = [];
      for (const n of [0, 1, 2]) alone.push(await session.run(images(frameOf(three, n))));
      const counts = alone.map((one) => numbersOf(one, 'scores').length);
      expect(Math.min(...counts)).toBe(0);
      expect(Math.max(...counts)).toBeGreaterThan(0);
      const together = await session.run(images(three));
      for (const name of ['boxes', 'scores', 'masks'])
        expect(numbersOf(together, name), name).toEqual(alone.flatMap((one) => numbersOf(one, name)));
      expect(together.masks!.dims.slice(1)).toEqual([28, 28]);
    });
  });

  it('has the classes of a street unless told others, and the boxes of PicoDet suppressed as PicoDet does', () => {
    expect(card.classes).toEqual(['person', 'bicycle', 'car', 'motorcycle', 'bus', 'truck']);
    expect(cardFor({ preset: 'street' }).input).toMatchObject({ height: 448, width: 576, fit: 'stretch' });
    expect(cardFor({ preset: 'street', classes: ['dog'] }).classes).toEqual(['dog']);
    expect(cardFor({ preset: 'dense-picodet' }).classes).toEqual(COCO_80);
    expect(card.network.detections.maxIou).toBe(0.6);
  });
});

describe('weights of street', () => {
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'maskcast-street-'));
    await writeModel(join(folder, 'body.onnx'), body);
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('are written whole under the names that training reads, and build the same graph again without the body', async () => {
    const file = join(folder, 'start.safetensors');
    const start = assemble({ preset: 'street', body: join(folder, 'body.onnx'), seed: 1, ...SIZE });
    await saveWeights(file, start);
    const shapeOf = (name: string): readonly number[] | undefined => start.tensors.get(name)?.dims;
    expect(shapeOf('body.conv2d_131.w_0')).toEqual([112, 96, 1, 1]);
    expect(shapeOf('body.1474')).toEqual([112]);
    expect(shapeOf('skip.weight')).toEqual([64, 96, 1, 1]);
    expect(shapeOf('skip.std')).toEqual([96]);
    expect(shapeOf('outline.weight')).toEqual([32, 24, 3, 3]);
    expect(shapeOf('mask.refine.weight')).toEqual([32, 32, 3, 3]);
    expect(shapeOf('mask.predict.weight')).toEqual([6, 32, 1, 1]);
    const again = assemble({ weights: [file] });
    expect(again.card).toEqual(start.card);
    const bytes = ({ model }: Assembled): Buffer => Buffer.concat(encodeModel(model));
    expect(Buffer.compare(bytes(again), bytes(start))).toBe(0);
    const larger = assemble({ weights: [file], height: 128, width: 128 });
    expect(larger.card.input).toMatchObject({ height: 128, width: 128 });
  });

  it('from a file without the plan of its body need the body named', async () => {
    const file = join(folder, 'bare.safetensors');
    const start = assemble({ preset: 'street', body: join(folder, 'body.onnx'), seed: 1, ...SIZE });
    const { plan: _, ...bare } = start;
    await saveWeights(file, bare);
    const build = (): unknown => assemble({ weights: [file] });
    expect(build).toThrow(InputError);
    expect(build).toThrow('say --body picodet-s.onnx');
  });
});

function iou(a: readonly number[], b: readonly number[]): number {
  const side = (low: number, high: number): number =>
    Math.max(0, Math.min(a[high]!, b[high]!) - Math.max(a[low]!, b[low]!));
  const area = (box: readonly number[]): number => (box[2]! - box[0]!) * (box[3]! - box[1]!);
  const both = side(0, 2) * side(1, 3);
  return both / (area(a) + area(b) - both);
}
