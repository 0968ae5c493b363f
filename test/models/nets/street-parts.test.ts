import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TensorValue } from '../../../models/adapters/adapter.js';
import { foldHardSwish } from '../../../models/nets/hard-swish.js';
import { addSkip } from '../../../models/nets/map-top.js';
import { maskBranch } from '../../../models/nets/mask-branch.js';
import { roiFeatures } from '../../../models/nets/roi-features.js';
import { GraphBuilder, type WeightSource } from '../../../models/onnx/graph-builder.js';
import type { OnnxModel } from '../../../models/onnx/model.js';
import { constantsOf } from '../../../models/weights/onnx-store.js';
import { seededWeights } from '../../../models/weights/seed.js';
import { numbersOf, relativeError, runModel, withModel } from '../../support/run-model.js';
import { tinyBody } from './tiny-body.js';

/** Numbers without a pattern, −1…1. */
const noise = (count: number, seed: number): Float32Array =>
  seededWeights(seed).take('noise', [count], { kind: 'uniform', from: -1, to: 1 });

const floats = (data: Float32Array, ...dims: number[]): TensorValue => ({ type: 'float32', data, dims });

describe('skip around the separated convolution', () => {
  it('is the coarse map bilinearly doubled plus a 1×1 of the standardised fine map', async () => {
    const [rows, columns, fineChannels, channels] = [3, 4, 5, 2];
    const source = seededWeights(7);
    const g = new GraphBuilder(source);
    const coarse = g.input('coarse', 'float32', ['N', channels, rows, columns]);
    const fine = g.input('fine', 'float32', ['N', fineChannels, 2 * rows, 2 * columns]);
    const { stride, value } = addSkip(g, { stride: 16, value: coarse }, [{ stride: 8, value: fine }]);
    expect(stride).toBe(8);
    const [a, b] = [noise(channels * rows * columns, 1), noise(fineChannels * rows * columns * 4, 2)];
    const outputs = await runModel(g.finish('skip', { sum: value }, {}), {
      coarse: floats(a, 1, channels, rows, columns),
      fine: floats(b, 1, fineChannels, 2 * rows, 2 * columns),
    });

    const tensor = (name: string, ...dims: number[]): Float32Array =>
      source.take(`skip.${name}`, dims, name === 'weight' ? { kind: 'he', gain: 0.6 } : INITIAL[name]!);
    const weight = tensor('weight', channels, fineChannels, 1, 1);
    const [bias, mean, std] = [tensor('bias', channels), tensor('mean', fineChannels), tensor('std', fineChannels)];
    const size = 4 * rows * columns;
    const expected: number[] = [];
    for (let c = 0; c < channels; c++)
      for (let y = 0; y < 2 * rows; y++)
        for (let x = 0; x < 2 * columns; x++) {
          let sum = bias[c]! + bilinear(a.subarray(c * rows * columns), rows, columns, y / 2 - 0.25, x / 2 - 0.25);
          for (let i = 0; i < fineChannels; i++)
            sum += (weight[c * fineChannels + i]! * (b[i * size + y * 2 * columns + x]! - mean[i]!)) / std[i]!;
          expected.push(sum);
        }
    expect(relativeError(numbersOf(outputs, 'sum'), expected)).toBeLessThan(1e-5);
  });
});

/** How the statistics of a standardised 1×1 start; seeded numbers depend on it. */
const INITIAL: Readonly<Record<string, { kind: 'uniform'; from: number; to: number }>> = {
  bias: { kind: 'uniform', from: -0.05, to: 0.05 },
  mean: { kind: 'uniform', from: -0.05, to: 0.05 },
  std: { kind: 'uniform', from: 0.9, to: 1.1 },
};

/** Value between cells; outside, that of the nearest cell. */
function bilinear(map: Float32Array, rows: number, columns: number, y: number, x: number): number {
  const at = (row: number, column: number): number =>
    map[Math.min(Math.max(row, 0), rows - 1) * columns + Math.min(Math.max(column, 0), columns - 1)]!;
  const [row, column] = [Math.floor(y), Math.floor(x)];
  const [dy, dx] = [y - row, x - column];
  const upper = at(row, column) * (1 - dx) + at(row, column + 1) * dx;
  const lower = at(row + 1, column) * (1 - dx) + at(row + 1, column + 1) * dx;
  return upper * (1 - dy) + lower * dy;
}

describe('outlines', () => {
  it('lie on the bins of the regions: four of 28×28 with one point each are one of 14×14 with four points', async () => {
    const g = new GraphBuilder(seededWeights(1));
    const value = g.input('map', 'float32', [1, 2, 16, 20]);
    const where = { boxes: g.input('boxes', 'float32', ['R', 4]), frames: g.input('frames', 'int64', ['R']) };
    const map = { stride: 4, value };
    const model = g.finish(
      'bins',
      { coarse: roiFeatures(g, map, where, 2), fine: roiFeatures(g, map, where, 1, 28) },
      {},
    );
    await withModel(model, async (session) => {
      const side = fc.tuple(fc.float({ min: 0, max: 30, noNaN: true }), fc.float({ min: 1, max: 30, noNaN: true }));
      const region = fc.tuple(side, side);
      await fc.assert(
        fc.asyncProperty(region, async ([[x, width], [y, height]]) => {
          const outputs = await session.run({
            map: floats(noise(2 * 16 * 20, 3), 1, 2, 16, 20),
            boxes: floats(Float32Array.of(x, y, x + width, y + height), 1, 4),
            frames: { type: 'int64', data: BigInt64Array.of(0n), dims: [1] },
          });
          const fine = numbersOf(outputs, 'fine');
          const means = numbersOf(outputs, 'coarse').map((_, i) => {
            const [c, row, column] = [Math.floor(i / 196), Math.floor(i / 14) % 14, i % 14];
            const at = (c * 28 + 2 * row) * 28 + 2 * column;
            return (fine[at]! + fine[at + 1]! + fine[at + 28]! + fine[at + 29]!) / 4;
          });
          expect(relativeError(numbersOf(outputs, 'coarse'), means)).toBeLessThan(1e-4);
        }),
        { numRuns: 20, seed: 4 },
      );
    });
  });

  /** The mask branch on 14×14 regions of three channels: plain, with outlines, or with a finer map of five channels too. */
  function branch(kind: 'plain' | 'outlined' | 'fine', weights: WeightSource): OnnxModel {
    const g = new GraphBuilder(weights);
    const features = g.input('features', 'float32', ['M', 3, 14, 14]);
    const labels = g.input('labels', 'int64', ['M']);
    const outlines = kind === 'plain' ? undefined : g.input('outlines', 'float32', ['M', 4, 28, 28]);
    const fine = kind === 'fine' ? g.input('fine', 'float32', ['M', 5, 28, 28]) : undefined;
    return g.finish(
      'masks',
      { masks: maskBranch(g, features, labels, { classes: 2, channels: 4, outlines, fine }) },
      {},
    );
  }
  const features = floats(noise(3 * 196, 5), 1, 3, 14, 14);
  const labels: TensorValue = { type: 'int64', data: BigInt64Array.of(1n), dims: [1] };

  it('of nothing, with a 3×3 that changes nothing, leave the masks as they are', async () => {
    const seeded = seededWeights(2);
    const plain = await runModel(branch('plain', seeded), { features, labels });
    const idle: WeightSource = {
      take(name, dims, init) {
        if (!name.startsWith('mask.refine')) return seeded.take(name, dims, init);
        const values = new Float32Array(dims.reduce((product, size) => product * size, 1));
        // The middle of the window, from each channel to itself.
        if (name.endsWith('weight')) for (let c = 0; c < 4; c++) values[(c * 4 + c) * 9 + 4] = 1;
        return values;
      },
    };
    const outlines = floats(new Float32Array(4 * 784), 1, 4, 28, 28);
    const refined = await runModel(branch('outlined', idle), { features, labels, outlines });
    expect(relativeError(numbersOf(refined, 'masks'), numbersOf(plain, 'masks'))).toBeLessThan(1e-6);
  });

  it('with a finer map whose layers are zero leave the masks as they are: how its training begins', async () => {
    const seeded = seededWeights(2);
    const zero: WeightSource = {
      take: (name, dims, init) =>
        /^mask\.(fine|sharpen)\.(weight|bias)$/.test(name)
          ? new Float32Array(dims.reduce((product, size) => product * size, 1))
          : seeded.take(name, dims, init),
    };
    const outlines = floats(noise(4 * 784, 6), 1, 4, 28, 28);
    const fine = floats(noise(5 * 784, 7), 1, 5, 28, 28);
    const without = await runModel(branch('outlined', seeded), { features, labels, outlines });
    const joined = await runModel(branch('fine', zero), { features, labels, outlines, fine });
    expect(relativeError(numbersOf(joined, 'masks'), numbersOf(without, 'masks'))).toBeLessThan(1e-6);
  });

  // One 3×3 behind the outlines, two behind the finer map.
  it.each([
    ['outlined', 'outlines', 4, 1],
    ['fine', 'outlines', 4, 2],
    ['fine', 'fine', 5, 2],
  ] as const)(
    '%s: %s change a mask where they are and close around, nowhere else',
    async (kind, map, channels, reach) => {
      await withModel(branch(kind, seededWeights(2)), async (session) => {
        const idle: Record<string, TensorValue> = {
          features,
          labels,
          outlines: floats(new Float32Array(4 * 784), 1, 4, 28, 28),
        };
        if (kind === 'fine') idle.fine = floats(new Float32Array(5 * 784), 1, 5, 28, 28);
        const touched = new Float32Array(channels * 784);
        for (let c = 0; c < channels; c++) touched[c * 784 + 10 * 28 + 17] = 5;
        const before = numbersOf(await session.run(idle), 'masks');
        const after = numbersOf(await session.run({ ...idle, [map]: floats(touched, 1, channels, 28, 28) }), 'masks');
        const changed = before.flatMap((value, i) => (value === after[i] ? [] : [i]));
        expect(changed).toContain(10 * 28 + 17);
        for (const i of changed) {
          expect(Math.abs(Math.floor(i / 28) - 10)).toBeLessThanOrEqual(reach);
          expect(Math.abs((i % 28) - 17)).toBeLessThanOrEqual(reach);
        }
      });
    },
  );
});

describe('hard-swish of four nodes', () => {
  const body = tinyBody();
  const folded = (model: OnnxModel): string[] =>
    foldHardSwish(model.graph.nodes, constantsOf(model)).flatMap(({ op, outputs }) =>
      op === 'HardSwish' ? outputs : [],
    );

  it('is found wherever a body has it', () => {
    const divisions = body.graph.nodes.filter(({ op }) => op === 'Div').map(({ outputs }) => outputs[0]);
    expect(divisions.length).toBe(5);
    expect(folded(body)).toEqual(divisions);
  });

  it.each([
    ['another limit', { c6: 7 }],
    ['another shift', { c3: 2 }],
    ['another lower limit', { c0: -1 }],
  ])('is not seen in what only looks like it: %s', (_, values: Readonly<Record<string, number>>) => {
    const initializers = body.graph.initializers.map((tensor) =>
      tensor.name in values
        ? { ...tensor, data: new Uint8Array(Float32Array.of(values[tensor.name]!).buffer) }
        : tensor,
    );
    expect(folded({ ...body, graph: { ...body.graph, initializers } })).toEqual([]);
  });

  it('is not seen where another value is multiplied', () => {
    const nodes = body.graph.nodes.map((node) =>
      node.op === 'Mul' ? { ...node, inputs: [node.inputs[1]!, node.inputs[1]!] } : node,
    );
    expect(folded({ ...body, graph: { ...body.graph, nodes } })).toEqual([]);
  });
});
