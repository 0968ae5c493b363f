import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import type { Tensors } from '../../../models/adapters/adapter.js';
import { withForms } from '../../../models/kernels/forms.js';
import { buildNetwork } from '../../../models/nets/network.js';
import { GraphBuilder } from '../../../models/onnx/graph-builder.js';
import type { OnnxModel } from '../../../models/onnx/model.js';
import { conv } from '../../../models/onnx/ops/convolution.js';
import { mul } from '../../../models/onnx/ops/elementwise.js';
import { FLOAT16_KEY, toFloat16 } from '../../../models/quantize/float16.js';
import { tooLargeForFloat16 } from '../../../models/quantize/float16-range.js';
import { HALF_MOST, toHalf } from '../../../models/quantize/half-numbers.js';
import { openGraph } from '../../../models/runtime/graph-session.js';
import { cardIn } from '../../../models/weights/card.js';
import { floatsOf } from '../../../models/weights/float-formats.js';
import { seededWeights } from '../../../models/weights/seed.js';
import { pictures, TINY } from '../nets/tiny-networks.js';
import { roundedEverywhere } from './float16-rounding.js';

vi.setConfig({ testTimeout: 300_000 });

const back = (halves: Uint16Array): Float32Array => floatsOf('float16', new Uint8Array(halves.buffer))!;

describe('float16 numbers', () => {
  it('every one of them comes back as it was', () => {
    const all = Uint16Array.from({ length: 65_536 }, (_, i) => i);
    const again = toHalf(back(all));
    const number = (i: number): boolean => (i & 0x7c00) !== 0x7c00 || (i & 0x3ff) === 0;
    expect(Array.from(all).filter((i) => number(i) && again[i] !== i)).toEqual([]);
    // The others are NaN, of whatever bits.
    expect(back(again).every((value, i) => Number.isNaN(value) !== number(i))).toBe(true);
  });

  it('any number goes to the nearest, in the middle to the even one', () => {
    // Middles between neighbours, the subnormal and the largest included.
    const all = back(Uint16Array.from({ length: 0x7c00 }, (_, i) => i));
    const middles = Float32Array.from({ length: 0x7bff }, (_, i) => (all[i]! + all[i + 1]!) / 2);
    expect(Array.from(toHalf(middles)).filter((half, i) => half !== (i % 2 ? i + 1 : i))).toEqual([]);
    fc.assert(
      fc.property(fc.float({ min: -HALF_MOST, max: HALF_MOST, noNaN: true }), (value) => {
        const found = back(toHalf(Float32Array.of(value)))[0]!;
        expect(Math.abs(found - value)).toBeLessThanOrEqual(Math.max(Math.abs(value) * 2 ** -11, 2 ** -25));
      }),
    );
    expect(Array.from(back(toHalf(Float32Array.of(65_519, 65_520, -1e9))))).toEqual([HALF_MOST, Infinity, -Infinity]);
  });
});

const model = buildNetwork(TINY.redesigned!, { weights: seededWeights(7) });
const feeds = (count: number): Tensors => ({
  images: { type: 'uint8', dims: [count, 64, 96, 3], data: pictures(count, 64, 96) },
});

async function run(graph: OnnxModel, of: Tensors): Promise<Record<string, number[]>> {
  const session = await openGraph(graph, { threads: 1 });
  try {
    return Object.fromEntries(
      Object.entries(await session.run(of)).map(([name, { data }]) => [
        name,
        Array.from<number | bigint, number>(data, Number),
      ]),
    );
  } finally {
    await session.release();
  }
}

const farthest = (a: readonly number[], b: readonly number[]): number =>
  Math.max(...a.map((value, i) => Math.abs(value - b[i]!)));

describe('a network in float16', () => {
  const { model: half, report } = toFloat16(model);

  it('has every layer in it but those that are ranked or become boxes', () => {
    expect([...report.kept.keys()].map((name) => name.split('/')[0])).toEqual(['rpn', 'rpn', 'box', 'box']);
    expect(new Set(report.kept.values())).toEqual(new Set(['compared']));
    const types = new Map(half.graph.initializers.map(({ name, type }) => [name, type]));
    for (const node of half.graph.nodes)
      if (report.half.includes(node.name))
        expect(node.inputs.slice(1).map((name) => types.get(name))).toContain('float16');
    const bytes = ({ graph }: OnnxModel): number => graph.initializers.reduce((sum, { data }) => sum + data!.length, 0);
    expect(bytes(half)).toBeLessThan(0.7 * bytes(model));
  });

  it('has no cast between two layers that follow each other', () => {
    const casts = half.graph.nodes.filter(({ op, name }) => op === 'Cast' && name.startsWith('body/'));
    // The picture goes in; what comes out is float16 still.
    expect(casts.length).toBeLessThanOrEqual(2);
  });

  it.each([
    ['as this runtime computes it', half],
    ['every map rounded, as a GPU has it', roundedEverywhere(half)],
  ])('finds what the float32 one finds, %s', async (_, graph) => {
    const [expected, found] = [await run(model, feeds(2)), await run(graph, feeds(2))];
    expect(expected.scores!.length).toBeGreaterThan(4);
    expect(found.labels).toEqual(expected.labels);
    expect(found.frames).toEqual(expected.frames);
    expect(farthest(found.scores!, expected.scores!)).toBeGreaterThan(0);
    expect(farthest(found.scores!, expected.scores!)).toBeLessThan(5e-3);
    expect(farthest(found.boxes!, expected.boxes!)).toBeLessThan(0.25);
    expect(farthest(found.masks!, expected.masks!)).toBeLessThan(0.02);
  });

  it('keeps inputs, outputs and the card, under a digest of its own, and says what was done', () => {
    expect(half.graph.inputs).toEqual(model.graph.inputs);
    expect(half.graph.outputs).toEqual(model.graph.outputs);
    const [before, after] = [model, half].map(({ metadata }) => cardIn('tiny', metadata)!);
    expect({ ...after, digest: '' }).toEqual({ ...before, digest: '' });
    expect(after!.digest).not.toBe(before!.digest);
    expect(JSON.parse(half.metadata[FLOAT16_KEY]!)).toEqual({
      schema: 1,
      half: report.half.length,
      float: report.kept.size,
    });
  });

  it('leaves fast forms in float32 and the rest in float16', async () => {
    const fast = withForms('tiny', model, { separated: 'spectral', regions: 'gemm' });
    const { model: mixed, report: of } = toFloat16(fast);
    const stages = new Set(of.half.map((name) => name.split('/')[0]));
    expect(stages.has('body')).toBe(true);
    expect(stages.has('separated')).toBe(false);
    const [expected, found] = [await run(fast, feeds(1)), await run(mixed, feeds(1))];
    expect(found.labels).toEqual(expected.labels);
    expect(farthest(found.boxes!, expected.boxes!)).toBeLessThan(0.25);
  });
});

it('layers whose numbers do not fit stay in float32', async () => {
  const g = new GraphBuilder(seededWeights(1));
  const x = g.input('x', 'float32', ['N', 4, 6, 6]);
  const weight = (name: string) => g.weight(name, [4, 4, 3, 3], { kind: 'he' });
  const pads = [1, 1, 1, 1] as const;
  const large = mul(g, conv(g, x, weight('a'), undefined, { pads }), g.float(3e4));
  const y = conv(g, conv(g, large, weight('b'), undefined, { pads }), weight('c'), undefined, { pads });
  const tall = g.finish('tall', { y: mul(g, y, g.float(1e-5)) }, {});
  const of = { x: { type: 'float32' as const, dims: [1, 4, 6, 6], data: new Float32Array(144).fill(1) } };
  const walk = { feeds: () => [of], threads: 1, step: () => {} };
  const values = await tooLargeForFloat16(tall, walk);
  const { model: half, report } = toFloat16(tall, (value) => values.has(value));
  expect(report.half).toHaveLength(1);
  expect([...report.kept.values()]).toEqual(['too large', 'too large']);
  const [expected, found] = [await run(tall, of), await run(half, of)];
  expect(farthest(found.y!, expected.y!) / Math.max(...expected.y!.map(Math.abs))).toBeLessThan(2e-3);
});
