import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { Tensors } from '../../../models/adapters/adapter.js';
import { readModel } from '../../../models/onnx/decode.js';
import type { OnnxModel } from '../../../models/onnx/model.js';
import {
  type ActivationScale,
  bestRange,
  fromByte,
  scaleOf,
  toByte,
} from '../../../models/quantize/activation-scale.js';
import { floatsIn } from '../../../models/quantize/graph-links.js';
import { observe } from '../../../models/quantize/observe.js';
import { quantizeModel } from '../../../models/quantize/quantize.js';
import { RangeHistogram } from '../../../models/quantize/range-histogram.js';
import { toInt8 } from '../../../models/quantize/weight-scale.js';
import { openGraph } from '../../../models/runtime/graph-session.js';

/** Made by ONNX Runtime's own quantiser and by NumPy: goldens/make-goldens.py. */
const at = (name: string): string => new URL(`./goldens/${name}`, import.meta.url).pathname;
const scale = z.object({ scale: z.number(), zero: z.number() });
const golden = z
  .object({
    calibration: z.number(),
    test: z.number(),
    layers: z.record(
      z.string(),
      z.object({
        input: scale,
        output: scale,
        scales: z.array(z.number()),
        weights: z.array(z.number()),
        bias: z.array(z.number()),
      }),
    ),
    activations: z.record(
      z.string(),
      z.object({ low: z.number(), high: z.number(), whole: z.number(), least: z.number() }),
    ),
    leastSquares: z.record(z.string(), z.array(z.number())),
    error: z.number(),
    first: z.array(z.number()),
  })
  .parse(JSON.parse(readFileSync(at('expected.json'), 'utf8')));
const net = readModel(at('net.onnx'));

/** The same formula stands in make-goldens.py. */
function picture(n: number): Tensors {
  const data = Float32Array.from({ length: 3 * 16 * 16 }, (_, i) => ((i * (37 + 2 * n) + n * 11) % 101) / 50 - 0.9);
  return { x: { type: 'float32', dims: [1, 3, 16, 16], data } };
}
const calibration = (): Tensors[] => Array.from({ length: golden.calibration }, (_, n) => picture(n));

async function outputs(model: OnnxModel, feeds: readonly Tensors[], name = 'y'): Promise<number[]> {
  const session = await openGraph(model, { threads: 1 });
  try {
    const all: number[] = [];
    for (const feed of feeds) all.push(...Array.from((await session.run(feed, [name]))[name]!.data, Number));
    return all;
  } finally {
    await session.release();
  }
}

const weightsOf = (name: string) => {
  const tensor = net.graph.initializers.find((one) => one.name === `${name}.weight`)!;
  return { weights: floatsIn(tensor)!, dims: tensor.dims };
};
const squares = (steps: ArrayLike<number>, step: number, exact: Float32Array): number =>
  exact.reduce((sum, weight, i) => sum + (steps[i]! * step - weight) ** 2, 0);

it('both read the same net and pictures', async () => {
  const found = await outputs(net, [picture(golden.calibration)]);
  for (const [i, value] of golden.first.entries()) expect(found[i]).toBeCloseTo(value, 5);
});

describe('weights, beside ONNX Runtime’s quantiser', () => {
  const equal: string[] = [];
  const finer: string[] = [];
  it.each(Object.keys(golden.layers))('%s: the same numbers in the same scale, or a scale that errs less', (name) => {
    const { weights, dims } = weightsOf(name);
    const ours = toInt8(weights, dims, 'half');
    const theirs = golden.layers[name]!;
    const size = weights.length / dims[0]!;
    for (let o = 0; o < dims[0]!; o++) {
      const row = weights.subarray(o * size, (o + 1) * size);
      const own = ours.weights.subarray(o * size, (o + 1) * size);
      const other = theirs.weights.slice(o * size, (o + 1) * size);
      if (row.every((weight) => weight === 0)) {
        expect(Array.from(own)).toEqual(other);
      } else if (Math.abs(ours.scales[o]! / theirs.scales[o]! - 1) < 1e-6) {
        equal.push(`${name} ${o}`);
        expect(Array.from(own)).toEqual(other);
      } else {
        finer.push(`${name} ${o}`);
        expect(squares(own, ours.scales[o]!, row)).toBeLessThan(squares(other, theirs.scales[o]!, row));
      }
    }
  });

  it('both kinds of channels were among them, the one whose largest weight is to be cut among the finer', () => {
    expect(equal.length).toBeGreaterThan(30);
    expect(finer).toContain('second 2');
  });

  it.each(Object.keys(golden.leastSquares))('%s: the scale of least squares as NumPy finds it in float64', (name) => {
    const { weights, dims } = weightsOf(name);
    const { scales } = toInt8(weights, dims, 'half');
    const size = weights.length / dims[0]!;
    for (const [o, expected] of golden.leastSquares[name]!.entries())
      if (weights.subarray(o * size, (o + 1) * size).some((weight) => weight !== 0))
        expect(scales[o]! / expected).toBeCloseTo(1, 6);
  });
});

describe('activations, beside ONNX Runtime’s quantiser', () => {
  const values = new Map<string, Float32Array>();
  beforeAll(async () => {
    const names = Object.keys(golden.activations).filter((name) => name !== 'x' && name !== 'y');
    const { model, samples } = observe(net, names);
    for (const name of names)
      values.set(name, Float32Array.from(await outputs(model, calibration(), samples.get(name))));
    values.set('y', Float32Array.from(await outputs(net, calibration())));
    values.set('x', Float32Array.from(calibration().flatMap(({ x }) => Array.from(x!.data, Number))));
  });

  it('the scale of a range is theirs, to the last bit of float32', () => {
    const { first, second, third, fourth } = golden.layers;
    for (const [name, theirs] of [
      ['x', first!.input],
      ['b', first!.output],
      ['b', second!.input],
      ['c', second!.output],
      ['e', third!.input],
      ['g', fourth!.input],
      ['y', fourth!.output],
    ] as const) {
      const { low, high } = golden.activations[name]!;
      const ours = scaleOf({ low, high });
      expect(Math.abs(ours.scale / theirs.scale - 1), name).toBeLessThan(2e-7);
      expect(ours.zero, name).toBe(theirs.zero);
    }
  });

  it('our cut errs no more than covering everything, and at most a tenth more than the best cut of all', () => {
    for (const [name, { low, high, whole, least }] of Object.entries(golden.activations)) {
      const seen = values.get(name)!;
      const histogram = new RangeHistogram();
      histogram.add(seen);
      expect(histogram.low).toBeCloseTo(low, 5);
      expect(histogram.high).toBeCloseTo(high, 5);
      const error = meanError(seen, scaleOf(bestRange(histogram)));
      // The histogram's bins are a thousandth of the range.
      expect(error / whole, name).toBeLessThan(1.03);
      // Ours looks along both ends together, then along each: not at every pair.
      expect(error / least, name).toBeLessThan(1.1);
    }
  });
});

const meanError = (values: Float32Array, of: ActivationScale): number =>
  values.reduce((sum, value) => sum + (fromByte(toByte(value, of), of) - value) ** 2, 0) / values.length;

it('the whole net errs no more in our int8 than in theirs', async () => {
  const { model, report } = await quantizeModel({
    model: net,
    feeds: calibration,
    threads: 1,
    mostError: 1,
    piled: false,
  });
  expect(report.layers.map(({ int8 }) => int8)).toEqual([true, true, true, true]);
  const feeds = Array.from({ length: golden.test }, (_, n) => picture(golden.calibration + n));
  const expected = await outputs(net, feeds);
  const found = await outputs(model, feeds);
  const error = Math.hypot(...found.map((value, i) => value - expected[i]!)) / Math.hypot(...expected);
  expect(error).toBeGreaterThan(0);
  expect(error).toBeLessThan(golden.error * 1.05);
});
