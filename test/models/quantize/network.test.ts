import { beforeAll, describe, expect, it, vi } from 'vitest';
import { InputError } from '../../../config/errors.js';
import { withForms } from '../../../models/kernels/forms.js';
import { buildNetwork } from '../../../models/nets/network.js';
import type { OnnxModel } from '../../../models/onnx/model.js';
import { checkInt8 } from '../../../models/quantize/check.js';
import { INT8_KEY, int8NoteIn } from '../../../models/quantize/note.js';
import { type QuantizeReport, quantizeModel } from '../../../models/quantize/quantize.js';
import { openGraph } from '../../../models/runtime/graph-session.js';
import { cardIn } from '../../../models/weights/card.js';
import { seededWeights } from '../../../models/weights/seed.js';
import { pictures, TINY } from '../nets/tiny-networks.js';
import { tinyFeeds } from './tiny-feeds.js';

// Each case opens several sessions; on a machine busy with training that takes minutes.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const model = buildNetwork(TINY.redesigned!, { weights: seededWeights(7) });
const feeds = () => tinyFeeds(2);
const count = ({ graph }: OnnxModel, op: string, stage = ''): number =>
  graph.nodes.filter((node) => node.op === op && node.name.startsWith(stage)).length;

describe('a whole network in int8', () => {
  let int8: OnnxModel;
  let report: QuantizeReport;
  const parts: string[] = [];
  beforeAll(async () => {
    const progress = (part: string, done: number): void => void parts.push(`${part} ${done}`);
    ({ model: int8, report } = await quantizeModel({ model, feeds, threads: 1, progress }));
  });

  it('runs every convolution in int8 but the last of the RPN, from the picture to the masks', async () => {
    const float = report.layers.filter((layer) => !layer.int8);
    expect(float.map(({ name, kept }) => [name, kept])).toEqual([
      ['rpn/Conv_1', 'compared'],
      ['rpn/Conv_2', 'compared'],
    ]);
    expect(count(int8, 'QLinearConv', 'body/')).toBe(count(model, 'Conv', 'body/'));
    expect(count(int8, 'QLinearConv', 'mask/')).toBe(2);
    expect(count(int8, 'ConvTranspose')).toBe(0);
    const { operators, unexpected } = await checkInt8(int8, [...feeds()][0]!, 1);
    expect(unexpected).toEqual([]);
    // One more than layers: the box branch's pooling is a depthwise one.
    expect(operators.find(({ op }) => op === 'QLinearConv')?.nodes).toBe(report.layers.length - 2 + 1);
  });

  it('the error of each layer is small, and what piles up is no less than a layer alone makes', () => {
    const tried = report.layers.filter((layer) => layer.int8);
    for (const { ownError } of tried) {
      expect(ownError).toBeGreaterThan(0);
      expect(ownError).toBeLessThan(0.05);
    }
    const [first] = tried;
    expect(first?.piledError).toBeCloseTo(first!.ownError!, 6);
    const body = tried.filter(({ name }) => name.startsWith('body/'));
    const mean = (key: 'ownError' | 'piledError'): number => body.reduce((sum, layer) => sum + layer[key]!, 0);
    expect(mean('piledError')).toBeGreaterThan(mean('ownError'));
    expect(parts).toEqual(
      ['calibration', 'error by layer', 'error of the whole'].flatMap((part) => [1, 2].map((n) => `${part} ${n}`)),
    );
  });

  it('a batch gives what single runs give, bit for bit', async () => {
    const session = await openGraph(int8, { threads: 1 });
    const data = pictures(2, 64, 96);
    const single = await session.run({
      images: { type: 'uint8', dims: [1, 64, 96, 3], data: data.slice(0, 64 * 96 * 3) },
    });
    const batch = await session.run({ images: { type: 'uint8', dims: [2, 64, 96, 3], data } });
    await session.release();
    const rows = single.scores!.dims[0]!;
    expect(rows).toBeGreaterThan(0);
    for (const [name, per] of [
      ['boxes', 4],
      ['scores', 1],
      ['masks', 28 * 28],
    ] as const)
      expect(batch[name]!.data.slice(0, rows * per)).toEqual(single[name]!.data);
  });

  it('takes RoIAlign of its proposals as products, and finds the same', async () => {
    const aligned = withForms('int8', int8, { regions: 'aligned' });
    expect(count(aligned, 'RoiAlign')).toBe(count(int8, 'RoiAlign') - 1);
    expect(count(aligned, 'QLinearConv')).toBe(count(int8, 'QLinearConv'));
    const [one, other] = await Promise.all(
      [int8, aligned].map(async (graph) => {
        const session = await openGraph(graph, { threads: 1 });
        const found = await session.run([...feeds()][0]!);
        await session.release();
        return Array.from(found.scores!.data as Float32Array);
      }),
    );
    expect(one!.length).toBeGreaterThan(5);
    expect(other).toHaveLength(one!.length);
    // A number at the middle between two bytes may round either way.
    for (const [i, score] of one!.entries()) expect(Math.abs(score - other![i]!)).toBeLessThan(0.01);
  });

  it('keeps the card, under a digest of its own, and notes where it is from', () => {
    const before = cardIn('float', model.metadata)!;
    const after = cardIn('int8', int8.metadata)!;
    expect({ ...after, digest: '' }).toEqual({ ...before, digest: '' });
    expect(after.digest).not.toBe(before.digest);
    expect(int8NoteIn('int8', int8.metadata)).toEqual({
      schema: 1,
      source: before.digest,
      weights: 'half',
      worstPair: report.worstPair,
      pictures: 2,
      int8: report.layers.length - 2,
      float: 2,
    });
  });
});

it('mixed leaves the separated convolution in float, and only that', async () => {
  const { model: mixed, report } = await quantizeModel({ model, feeds, threads: 1, mixed: true, piled: false });
  expect(count(mixed, 'Conv', 'separated/')).toBe(4);
  expect(count(mixed, 'QLinearConv', 'separated/')).toBe(0);
  expect(report.layers.filter(({ kept }) => kept === 'asked for').map(({ name }) => name.split('/')[0])).toEqual(
    Array(4).fill('separated'),
  );
});

it('layers go back to float by name, or because their error is too large, with those that feed them', async () => {
  const { report } = await quantizeModel({
    model,
    feeds,
    threads: 1,
    keepFloat: ['body/Conv_1*'],
    mostError: 0.011,
    piled: false,
  });
  for (const { name, kept, ownError, int8 } of report.layers) {
    if (name.startsWith('body/Conv_1')) expect(kept).toBe('asked for');
    else if ((ownError ?? 0) > 0.011) expect(kept).toBe('error');
    else if (kept !== 'compared' && kept !== 'feeds an error') expect(int8).toBe(true);
  }
  for (const reason of ['error', 'feeds an error']) expect(report.layers.map(({ kept }) => kept)).toContain(reason);
});

it('refuses what cannot be quantised, in one sentence', async () => {
  await expect(quantizeModel({ model, feeds: () => [], threads: 1 })).rejects.toThrow(InputError);
  const { model: int8 } = await quantizeModel({ model, feeds, threads: 1, piled: false });
  await expect(quantizeModel({ model: int8, feeds, threads: 1 })).rejects.toThrow(/quantised already/);
  expect(() => int8NoteIn('file', { [INT8_KEY]: '{}' })).toThrow(/file: its note .* is damaged/);
});
