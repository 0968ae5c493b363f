import { describe, expect, it } from 'vitest';
import type { TensorValue } from '../../../models/adapters/adapter.js';
import { withForms } from '../../../models/kernels/forms.js';
import { buildNetwork } from '../../../models/nets/network.js';
import { encodeModel } from '../../../models/onnx/encode.js';
import type { OnnxModel } from '../../../models/onnx/model.js';
import type { ModelSession } from '../../../models/runtime/session.js';
import { cardIn, type ModelCard } from '../../../models/weights/card.js';
import { seededWeights } from '../../../models/weights/seed.js';
import { numbersOf, relativeError, withModel } from '../../support/run-model.js';
import { pictures, TINY } from './tiny-networks.js';

const weights = seededWeights(3);
const build = (card: ModelCard): OnnxModel => buildNetwork(card, { weights, trace: true });

const HEIGHT = 64;
const WIDTH = 96;
const FRAME = HEIGHT * WIDTH * 3;

/** Three different pictures; the second is plain grey. */
const PICTURES = pictures(3, HEIGHT, WIDTH).fill(124, FRAME, 2 * FRAME);

const images = (pixels: Uint8Array): { images: TensorValue } => ({
  images: { type: 'uint8', data: pixels, dims: [pixels.length / FRAME, HEIGHT, WIDTH, 3] },
});

interface Instances {
  readonly boxes: number[];
  readonly scores: number[];
  readonly labels: number[];
  readonly masks: number[];
}

/** Instances of each of `count` frames. */
async function run(session: ModelSession, pixels: Uint8Array): Promise<Instances[]> {
  const outputs = await session.run(images(pixels));
  const frames = numbersOf(outputs, 'frames');
  return Array.from({ length: pixels.length / FRAME }, (_, frame) => {
    const mine = (name: string): number[] => {
      const values = numbersOf(outputs, name);
      const size = frames.length ? values.length / frames.length : 0;
      return frames.flatMap((of, i) => (of === frame ? values.slice(i * size, (i + 1) * size) : []));
    };
    return { boxes: mine('boxes'), scores: mine('scores'), labels: mine('labels'), masks: mine('masks') };
  });
}

/** A score that some of the frames reach and others do not. */
function scoreBetween(alone: readonly Instances[]): number {
  const best = alone.map(({ scores }) => scores[0]!).toSorted((a, b) => a - b);
  expect(best[0]).toBeLessThan(best.at(-1)!);
  return (best[0]! + best[1]!) / 2;
}

const withMinScore = (card: ModelCard, minScore: number): ModelCard => ({
  ...card,
  network: { ...card.network, detections: { ...card.network.detections, minScore } },
});

describe.each(Object.entries(TINY))('network %s', (_, card) => {
  it('gives for a batch exactly what single runs give, also where frames have no instance', async () => {
    const single = async (session: ModelSession): Promise<Instances[]> =>
      (await Promise.all([0, 1, 2].map((n) => run(session, PICTURES.slice(n * FRAME, (n + 1) * FRAME))))).flat();
    await withModel(build(card), async (session) => {
      const alone = await single(session);
      expect(alone.every(({ scores }) => scores.length > 0)).toBe(true);
      expect(await run(session, PICTURES)).toEqual(alone);
      await withModel(build(withMinScore(card, scoreBetween(alone))), async (strict) => {
        const some = await single(strict);
        expect(some.some(({ scores }) => scores.length === 0)).toBe(true);
        expect(some.some(({ scores }) => scores.length > 0)).toBe(true);
        expect(await run(strict, PICTURES)).toEqual(some);
      });
    });
  });

  it('gives nothing, in the right shapes, where no score is high enough', async () => {
    await withModel(build(withMinScore(card, 1)), async (session) => {
      const outputs = await session.run(images(PICTURES));
      const side = card.network.head.kind === 'c5' ? 14 : 28;
      expect(outputs.boxes!.dims).toEqual([0, 4]);
      expect(outputs.masks!.dims).toEqual([0, side, side]);
      for (const name of ['scores', 'labels', 'frames']) expect(outputs[name]!.dims).toEqual([0]);
    });
  });

  it('gives boxes inside the input, scores in order and above the limit, classes that exist, no near twins of one class', async () => {
    const { minScore, maxIou, most } = card.network.detections;
    await withModel(build(card), async (session) => {
      for (const { boxes, scores, labels, masks } of await run(session, PICTURES)) {
        expect(scores.length).toBeLessThanOrEqual(most);
        expect(scores.every((score, i) => score > minScore && score <= (scores[i - 1] ?? 1))).toBe(true);
        expect(labels.every((label) => Number.isInteger(label) && label >= 0 && label < card.classes.length)).toBe(
          true,
        );
        expect(masks.every((value) => value >= 0 && value <= 1)).toBe(true);
        const corners = scores.map((_, i) => boxes.slice(4 * i, 4 * i + 4) as [number, number, number, number]); // Four by the slice.
        for (const [i, [x1, y1, x2, y2]] of corners.entries()) {
          expect(x1 >= 0 && y1 >= 0 && x2 <= WIDTH && y2 <= HEIGHT && x1 <= x2 && y1 <= y2).toBe(true);
          for (const [j, other] of corners.entries()) {
            if (j < i && labels[j] === labels[i]) expect(iou(corners[i]!, other)).toBeLessThan(maxIou + 1e-5);
          }
        }
      }
    });
  });

  it('is built to the same bytes every time, with a card whose digest tells the weights', () => {
    const bytes = (): Buffer => Buffer.concat(encodeModel(build(card)));
    expect(Buffer.compare(bytes(), bytes())).toBe(0);
    const digest = (seed: number): string =>
      cardIn('it', buildNetwork(card, { weights: seededWeights(seed) }).metadata)!.digest;
    expect(digest(3)).toBe(digest(3));
    expect(digest(3)).not.toBe(digest(4));
    expect(digest(3)).toMatch(/^[0-9a-f]{64}$/);
  });
});

describe.each(['redesigned', 'global'] as const)('spectral form of the separated convolution in %s', (name) => {
  it('gives the direct form up to rounding, and a batch equals its single runs', async () => {
    const card = TINY[name]!;
    const direct = await withModel(build(card), (session) => session.run(images(PICTURES)));
    await withModel(withForms('it', build(card), { separated: 'spectral' }), async (session) => {
      const spectral = await session.run(images(PICTURES));
      for (const stage of ['separated', 'boxes', 'scores', 'labels', 'masks']) {
        expect(relativeError(numbersOf(spectral, stage), numbersOf(direct, stage)), stage).toBeLessThan(1e-4);
      }
      expect(relativeError(numbersOf(spectral, 'separated'), numbersOf(direct, 'separated'))).toBeLessThan(3e-6);
      for (const n of [0, 1, 2]) {
        const alone = await session.run(images(PICTURES.slice(n * FRAME, (n + 1) * FRAME)));
        const size = alone.separated!.data.length;
        expect(numbersOf(alone, 'separated')).toEqual(numbersOf(spectral, 'separated').slice(n * size, (n + 1) * size));
      }
    });
  });
});

function iou(a: readonly [number, number, number, number], b: readonly [number, number, number, number]): number {
  const width = Math.max(0, Math.min(a[2], b[2]) - Math.max(a[0], b[0]));
  const height = Math.max(0, Math.min(a[3], b[3]) - Math.max(a[1], b[1]));
  const area = (box: typeof a): number => (box[2] - box[0]) * (box[3] - box[1]);
  const both = width * height;
  return both / Math.max(area(a) + area(b) - both, 1e-9);
}
