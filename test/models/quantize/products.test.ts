import { describe, expect, it, vi } from 'vitest';
import type { Tensors } from '../../../models/adapters/adapter.js';
import { withForms } from '../../../models/kernels/forms.js';
import { buildNetwork } from '../../../models/nets/network.js';
import { countModel } from '../../../models/onnx/count.js';
import { GraphBuilder, type Value } from '../../../models/onnx/graph-builder.js';
import type { OnnxModel } from '../../../models/onnx/model.js';
import { add, relu } from '../../../models/onnx/ops/elementwise.js';
import { reshape, transpose } from '../../../models/onnx/ops/layout.js';
import { fusedMatMul, matMul } from '../../../models/onnx/ops/linear.js';
import { checkInt8 } from '../../../models/quantize/check.js';
import { quantizeModel } from '../../../models/quantize/quantize.js';
import { openGraph } from '../../../models/runtime/graph-session.js';
import { seededWeights } from '../../../models/weights/seed.js';
import { pictures, TINY_WIDE } from '../nets/tiny-networks.js';
import { tinyFeeds } from './tiny-feeds.js';

// Several sessions a case; on a machine busy with training that takes minutes.
vi.setConfig({ testTimeout: 300_000 });

const BATCH = 5;
const INNER = 64;
const COLUMNS = 72;
/** So many numbers that calibration, which looks at some of each matrix, has seen the range of every one. */
const ROWS = 200;

/** `[n · 200, 5, 64]`: five matrices of very different size. */
function feeds(n: number): Tensors {
  const data = Float32Array.from({ length: n * ROWS * BATCH * INNER }, (_, i) => {
    const matrix = Math.floor(i / INNER) % BATCH;
    return (Math.sin(i * 0.7) + Math.cos(i * 0.13)) * 10 ** (matrix - 2);
  });
  return { x: { type: 'float32', dims: [n * ROWS, BATCH, INNER], data } };
}

const weights = (g: GraphBuilder, dims: readonly number[]): Value => g.weight('w', dims, { kind: 'he' });

/** Every way in which the fast forms multiply by constants; each gives one matrix a frame or `[5, rows, columns]`. */
const CASES: readonly (readonly [name: string, body: (g: GraphBuilder, x: Value) => Value])[] = [
  ['one matrix', (g, x) => matMul(g, reshape(g, x, ['N', BATCH * INNER]), weights(g, [BATCH * INNER, COLUMNS]))],
  [
    'one matrix with a bias and a ReLU behind it',
    (g, x) => {
      const bias = g.weight('bias', [COLUMNS], { kind: 'uniform', from: -0.5, to: 0.5 });
      return relu(
        g,
        add(g, matMul(g, reshape(g, x, ['N', BATCH * INNER]), weights(g, [BATCH * INNER, COLUMNS])), bias),
      );
    },
  ],
  [
    'a batch of matrices',
    (g, x) => {
      const outer = transpose(g, x, [1, 0, 2]);
      return matMul(g, outer, weights(g, [BATCH, INNER, COLUMNS]));
    },
  ],
  [
    'a batch that stands inside, with weights that are worked out when the file is loaded',
    (g, x) => {
      const table = g.constant(
        'table',
        [BATCH, 3],
        Float32Array.from({ length: 3 * BATCH }, (_, i) => Math.cos(i)),
      );
      const spectra = reshape(g, matMul(g, table, weights(g, [3, INNER * COLUMNS])), [BATCH, INNER, COLUMNS]);
      return fusedMatMul(g, x, spectra, { batchA: true });
    },
  ],
];

async function run(model: OnnxModel, of: Tensors): Promise<Float32Array> {
  const session = await openGraph(model, { threads: 1 });
  try {
    return (await session.run(of)).y!.data as Float32Array; // The graphs of this file give float32.
  } finally {
    await session.release();
  }
}

const products = ({ graph }: OnnxModel, stage = ''): number =>
  graph.nodes.filter(({ op, name }) => op === 'MatMulIntegerToFloat' && name.startsWith(stage)).length;

describe('a product with constants', () => {
  it.each(CASES)('%s: what float gives, within three percent of each matrix', async (name, body) => {
    const g = new GraphBuilder(seededWeights(3));
    const model = g.finish(
      'one',
      { y: g.stage('one/gemm', () => body(g, g.input('x', 'float32', ['N', BATCH, INNER]))) },
      {},
    );
    const { model: int8, report } = await quantizeModel({ model, feeds: () => [feeds(1)], threads: 1, piled: false });
    expect(products(int8)).toBe(1);
    expect(report.layers.map(({ int8: runs, kept }) => [runs, kept])).toEqual([[true, null]]);
    if (name.includes('bias')) expect(int8.graph.nodes.map(({ op }) => op)).not.toContain('Add');
    const [expected, found] = [await run(model, feeds(1)), await run(int8, feeds(1))];
    const matrices = name.includes('batch') ? BATCH : 1;
    const size = expected.length / matrices;
    for (let i = 0; i < matrices; i++) {
      const [a, b] = [expected, found].map((all) => all.subarray(i * size, (i + 1) * size));
      const error = Math.hypot(...a!.map((value, k) => value - b![k]!)) / Math.hypot(...a!);
      expect(error).toBeGreaterThan(0);
      expect(error).toBeLessThan(0.03);
    }
    // A batch gives what single runs give, bit for bit; rows stand inside a batch of matrices.
    const both = await run(int8, feeds(2));
    const rows = ROWS * COLUMNS;
    for (let i = 0; i < matrices; i++)
      expect(both.subarray(2 * i * rows, (2 * i + 1) * rows)).toEqual(found.subarray(i * rows, (i + 1) * rows));
  });

  it('cannot overflow 16 bits: largest bytes and weights of one sign give the exact sum', async () => {
    const g = new GraphBuilder(seededWeights(3));
    const x = g.input('x', 'float32', ['N', INNER]);
    const w = g.constant('w', [INNER, COLUMNS], new Float32Array(INNER * COLUMNS).fill(0.5));
    const model = g.finish('one', { y: g.stage('one/gemm', () => matMul(g, x, w)) }, {});
    const ones: Tensors = { x: { type: 'float32', dims: [1, INNER], data: new Float32Array(INNER).fill(3) } };
    const { model: int8 } = await quantizeModel({
      model,
      feeds: () => [ones],
      threads: 1,
      piled: false,
      range: 'full',
    });
    expect(products(int8)).toBe(1);
    for (const sum of await run(int8, ones)) expect(sum).toBeCloseTo(INNER * 1.5, 3);
  });

  it('is left alone where it is no fast form, the constant is a small transform, stands on the left or serves several matrices', async () => {
    const g = new GraphBuilder(seededWeights(3));
    const x = g.input('x', 'float32', ['N', INNER, INNER]);
    const other = matMul(g, x, weights(g, [INNER, INNER]));
    const y = g.stage('one/gemm', () => {
      const left = matMul(g, g.weight('left', [INNER, INNER], { kind: 'he' }), other);
      const all = matMul(g, left, g.weight('all', [1, INNER, INNER], { kind: 'he' }));
      return matMul(g, all, g.weight('small', [INNER, 16], { kind: 'he' }));
    });
    const model = g.finish('none', { y }, {});
    await expect(quantizeModel({ model, feeds: () => [], threads: 1 })).rejects.toThrow(
      /no layer that can run in int8/,
    );
  });
});

describe('fast forms in int8', () => {
  it.each([
    // Four of the separated convolution, two each for boxes and masks, the deconvolution.
    ['redesigned', { separated: 'spectral', regions: 'gemm' }, 9],
    // Three bottlenecks of three and a shortcut, twice; the deconvolution.
    ['baseline', { regions: 'gemm' }, 21],
  ] as const)('%s: every large product, with the same instances', async (name, forms, count) => {
    const card = TINY_WIDE[name]!;
    const float = withForms(name, buildNetwork(card, { weights: seededWeights(7) }), forms);
    const feed = () => tinyFeeds(2);
    const { model: int8, report } = await quantizeModel({ model: float, feeds: feed, threads: 1, piled: false });
    expect(products(int8)).toBe(count);
    for (const { ownError } of report.layers.filter((layer) => layer.int8)) expect(ownError).toBeLessThan(0.05);
    expect((await checkInt8(int8, [...feed()][0]!, 1)).unexpected).toEqual([]);
    // The same work as in float, counted in bytes.
    const work = (model: OnnxModel) =>
      countModel(model, { M: 3 }).stages.find(({ stage }) => stage === 'head')!.multiplyAdds;
    expect(work(int8)).toBe(work(float));
    expect(int8.metadata['maskcast-forms']).toBe(float.metadata['maskcast-forms']);

    const data = pictures(2, 64, 96);
    const single = { images: { type: 'uint8', dims: [1, 64, 96, 3], data: data.slice(0, 64 * 96 * 3) } } as const;
    const batch = { images: { type: 'uint8', dims: [2, 64, 96, 3], data } } as const;
    const scoresOf = async (model: OnnxModel, of: Tensors): Promise<Float32Array> => {
      const session = await openGraph(model, { threads: 1 });
      const found = await session.run(of);
      await session.release();
      return found.scores!.data as Float32Array;
    };
    const [exact, alone, both] = [
      await scoresOf(float, single),
      await scoresOf(int8, single),
      await scoresOf(int8, batch),
    ];
    expect(exact.length).toBeGreaterThan(5);
    expect(alone).toHaveLength(exact.length);
    // Two dozen layers of random weights in int8, one behind the other.
    for (const [i, score] of exact.entries()) expect(Math.abs(score - alone[i]!)).toBeLessThan(0.1);
    expect(both.slice(0, alone.length)).toEqual(alone);
  });

  it('stay in float by name', async () => {
    const card = TINY_WIDE.redesigned!;
    const float = withForms('net', buildNetwork(card, { weights: seededWeights(7) }), { regions: 'gemm' });
    const keepFloat = ['head/*', 'mask-head/*'];
    const { model, report } = await quantizeModel({
      model: float,
      feeds: () => tinyFeeds(1),
      threads: 1,
      piled: false,
      keepFloat,
    });
    expect([products(model, 'head/'), products(model, 'mask-head/'), products(model, 'mask/')]).toEqual([0, 0, 1]);
    expect(report.layers.filter(({ kept }) => kept === 'asked for').map(({ name }) => name.split('/')[0])).toEqual([
      'head',
      'head',
      'mask-head',
      'mask-head',
    ]);
  });
});
