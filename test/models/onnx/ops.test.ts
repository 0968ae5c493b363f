import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Tensors } from '../../../models/adapters/adapter.js';
import { GraphBuilder, type Value } from '../../../models/onnx/graph-builder.js';
import { averagePool, conv, deconv, maxPool, upsample } from '../../../models/onnx/ops/convolution.js';
import {
  add,
  cast,
  clip,
  greater,
  hardSigmoid,
  mod,
  mul,
  softmax,
  where,
} from '../../../models/onnx/ops/elementwise.js';
import {
  concat,
  expandLike,
  indicesAlong,
  reshape,
  slice,
  split,
  squeeze,
  transpose,
  unsqueeze,
  zerosLike,
} from '../../../models/onnx/ops/layout.js';
import { fusedMatMul, linear, matMul } from '../../../models/onnx/ops/linear.js';
import {
  gather,
  gatherNd,
  nonMaxSuppression,
  nonZero,
  roiAlign,
  scatterNd,
  topK,
} from '../../../models/onnx/ops/selection.js';
import { seededWeights } from '../../../models/weights/seed.js';
import { numbersOf, relativeError, runModel } from '../../support/run-model.js';

const builder = (): GraphBuilder => new GraphBuilder(seededWeights(1));
const ramp = (count: number): Float32Array => Float32Array.from({ length: count }, (_, i) => ((i * 37) % 101) / 50 - 1);

/** Builds a graph on inputs of these shapes (N is 2), runs it, and checks that every result has the shape it was promised. */
async function run(
  shapes: readonly (readonly number[])[],
  build: (g: GraphBuilder, inputs: readonly Value[]) => Readonly<Record<string, Value>>,
): Promise<Tensors> {
  const g = builder();
  const inputs = shapes.map((dims, i) =>
    g.input(
      `x${i}`,
      'float32',
      dims.with(0, dims[0]!).map((size, axis) => (axis === 0 && size === 2 ? 'N' : size)),
    ),
  );
  const outputs = build(g, inputs);
  const feeds = Object.fromEntries(
    shapes.map((dims, i) => [`x${i}`, { type: 'float32' as const, dims, data: ramp(dims.reduce((a, b) => a * b, 1)) }]),
  );
  const results = await runModel(g.finish('test', outputs, {}), feeds);
  for (const [name, value] of Object.entries(outputs)) {
    const symbols: Record<string, number> = { N: 2, M: results[name]!.dims.at(-1)!, K: results[name]!.dims[0]! };
    const promised = value.dims.map((dim) => {
      if (typeof dim === 'number') return dim;
      const [factor, symbol] = dim.includes('*') ? [Number(dim.split('*')[0]), dim.split('*')[1]!] : [1, dim];
      return factor * symbols[symbol]!;
    });
    expect(results[name]!.dims, name).toEqual(promised);
    expect(results[name]!.type === value.type || value.type === 'bool', name).toBe(true);
  }
  return results;
}

describe('typed operators', () => {
  it('convolve as the definition says, for any window, stride, padding and grouping', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          kh: fc.integer({ min: 1, max: 4 }),
          kw: fc.integer({ min: 1, max: 4 }),
          stride: fc.integer({ min: 1, max: 3 }),
          pad: fc.integer({ min: 0, max: 2 }),
          groups: fc.constantFrom(1, 2),
          h: fc.integer({ min: 4, max: 9 }),
          w: fc.integer({ min: 4, max: 9 }),
        }),
        async ({ kh, kw, stride, pad, groups, h, w }) => {
          const c = 4;
          const out = 6;
          const weights = ramp((out * c * kh * kw) / groups);
          const results = await run([[2, c, h, w]], (g, [x]) => ({
            y: conv(g, x!, g.constant('w', [out, c / groups, kh, kw], weights), undefined, {
              strides: [stride, stride],
              pads: [pad, pad, pad, pad],
              groups,
            }),
          }));
          const x = ramp(2 * c * h * w);
          const [n = 0, , oh = 0, ow = 0] = results.y!.dims;
          const expected: number[] = [];
          for (let i = 0; i < n; i++)
            for (let o = 0; o < out; o++)
              for (let r = 0; r < oh; r++)
                for (let q = 0; q < ow; q++) {
                  let sum = 0;
                  const from = Math.floor(o / (out / groups)) * (c / groups);
                  for (let ch = 0; ch < c / groups; ch++)
                    for (let a = 0; a < kh; a++)
                      for (let b = 0; b < kw; b++) {
                        const y = r * stride + a - pad;
                        const z = q * stride + b - pad;
                        if (y < 0 || z < 0 || y >= h || z >= w) continue;
                        sum +=
                          x[((i * c + from + ch) * h + y) * w + z]! *
                          weights[((o * (c / groups) + ch) * kh + a) * kw + b]!;
                      }
                  expected.push(sum);
                }
          expect(relativeError(numbersOf(results, 'y'), expected)).toBeLessThan(1e-5);
        },
      ),
      { numRuns: 25, seed: 5 },
    );
  });

  it('have the shapes that ONNX Runtime finds', async () => {
    await run(
      [
        [2, 4, 6, 8],
        [2, 4, 1, 8],
      ],
      (g, [x, row]) => {
        const [a, b] = split(g, x!, 1, [1, 3]);
        const kept = greater(g, x!, g.float(0.5));
        return {
          deconv: deconv(g, x!, g.weight('d', [4, 3, 2, 2], { kind: 'he' }), g.weight('db', [3], { kind: 'he' })),
          max: maxPool(g, x!, [3, 3], { strides: [2, 2], pads: [1, 1, 1, 1] }),
          average: averagePool(g, x!, [3, 4]),
          up: upsample(g, x!, 2, 'linear'),
          nearest: upsample(g, x!, 2, 'nearest'),
          sum: add(g, x!, row!),
          clip: clip(g, x!, -0.5, 0.5),
          hard: hardSigmoid(g, x!, 1 / 6, 0.5),
          softmax: softmax(g, x!, 1),
          cast: cast(g, x!, 'int32'),
          where: where(g, kept, x!, g.float(0)),
          transposed: transpose(g, x!, [0, 2, 3, 1]),
          reshaped: reshape(g, x!, ['48*N', 4]),
          joined: concat(g, [a!, b!, x!], 1),
          slice: slice(g, x!, 3, 1, 8, 3),
          unsqueezed: unsqueeze(g, x!, 2),
          squeezed: squeeze(g, a!, 1),
          expanded: expandLike(g, row!, x!),
          range: indicesAlong(g, x!, 2),
          zeros: zerosLike(g, x!),
          nonZero: nonZero(g, kept, 'M'),
        };
      },
    );
  });

  it('pick what they are asked for', async () => {
    const results = await run([[2, 3, 4]], (g, [x]) => {
      const [values, indices] = topK(g, reshape(g, x!, ['N', 12]), 5);
      return {
        values,
        rest: mod(g, indices, g.ints(4)),
        column: gather(g, x!, g.ints(2), 2),
        picked: gatherNd(g, reshape(g, x!, ['N', 12]), unsqueeze(g, indices, 2), 1),
        written: scatterNd(
          g,
          x!,
          g.constant('at', [1, 3], BigInt64Array.of(1n, 2n, 3n)),
          g.constant('nine', [1], Float32Array.of(9)),
        ),
      };
    });
    expect(numbersOf(results, 'picked')).toEqual(numbersOf(results, 'values'));
    expect(numbersOf(results, 'written').at(-1)).toBe(9);
    const x = ramp(24);
    expect(numbersOf(results, 'values').slice(0, 5)).toEqual([...x.slice(0, 12)].sort((a, b) => b - a).slice(0, 5));
  });

  it('multiply matrices, plain and with transposed operands read in place', async () => {
    const results = await run(
      [
        [2, 3, 4],
        [5, 4],
        [2, 5, 4],
      ],
      (g, [a, w, b]) => ({
        plain: matMul(g, a!, transpose(g, w!, [1, 0])),
        linear: linear(g, reshape(g, a!, ['3*N', 4]), w!, g.constant('zero', [5], new Float32Array(5))),
        fused: fusedMatMul(g, a!, reshape(g, w!, [1, 5, 4]), { flipB: true }),
        both: matMul(g, a!, transpose(g, b!, [0, 2, 1])),
        fusedBoth: fusedMatMul(g, transpose(g, a!, [1, 0, 2]), b!, { batchA: true, flipB: true }),
        fusedBatchB: fusedMatMul(g, a!, transpose(g, transpose(g, b!, [0, 2, 1]), [1, 0, 2]), { batchB: true }),
      }),
    );
    for (const name of ['linear', 'fused'])
      expect(relativeError(numbersOf(results, name), numbersOf(results, 'plain')), name).toBeLessThan(1e-6);
    for (const name of ['fusedBoth', 'fusedBatchB'])
      expect(relativeError(numbersOf(results, name), numbersOf(results, 'both')), name).toBeLessThan(1e-6);
  });

  it('align regions to pixel centres', async () => {
    // A slope of 1 a column: the average of a bin is the slope at its centre, less half a pixel.
    const g = builder();
    const map = g.constant(
      'map',
      [1, 1, 8, 8],
      Float32Array.from({ length: 64 }, (_, i) => i % 8),
    );
    const x = g.input('x0', 'float32', [1, 4]);
    const frames = g.constant('frames', [1], BigInt64Array.of(0n));
    const y = roiAlign(g, map, x, frames, { bins: 2, stride: 4, samples: 2 });
    const results = await runModel(g.finish('roi', { y }, {}), {
      x0: { type: 'float32', dims: [1, 4], data: Float32Array.of(8, 8, 24, 24) },
    });
    // Columns 2…6 of the map in two bins: centres 3 and 5, in pixel-centre coordinates 2.5 and 4.5.
    expect(numbersOf(results, 'y')).toEqual([2.5, 4.5, 2.5, 4.5]);
  });

  it('suppress inside each class of each image', async () => {
    const g = builder();
    const boxes = g.input('x0', 'float32', [1, 3, 4]);
    const scores = g.constant('scores', [1, 2, 3], Float32Array.of(0.9, 0.8, 0, 0, 0.7, 0.6));
    const rows = nonMaxSuppression(g, boxes, scores, { most: 5, maxIou: 0.5, minScore: 0.1, count: 'K' });
    const data = Float32Array.of(0, 0, 10, 10, 1, 0, 11, 10, 50, 50, 60, 60);
    const results = await runModel(g.finish('nms', { rows }, {}), { x0: { type: 'float32', dims: [1, 3, 4], data } });
    expect(numbersOf(results, 'rows')).toEqual([0, 0, 0, 0, 1, 1, 0, 1, 2]);
  });

  it.each<[string, (g: GraphBuilder, x: Value) => unknown, RegExp]>([
    [
      'channels',
      (g, x) => conv(g, x, g.constant('w', [8, 3, 1, 1], ramp(24))),
      /Conv\(x float32 \[N,4,6,8\], w float32 \[8,3,1,1\]\): the weight expects 3 channels/,
    ],
    ['window', (g, x) => conv(g, x, g.constant('w', [1, 4, 9, 9], ramp(324))), /Conv\(.*9×9 does not fit/],
    [
      'bias',
      (g, x) => conv(g, x, g.constant('w', [8, 4, 1, 1], ramp(32)), g.constant('b', [4], ramp(4))),
      /Conv\(.*the bias must be \[8\]/,
    ],
    [
      'broadcast',
      (g, x) => add(g, x, g.constant('c', [3, 1, 1], ramp(3))),
      /Add\(x float32 \[N,4,6,8\], c float32 \[3,1,1\]\): 4 and 3 do not broadcast/,
    ],
    ['types', (g, x) => mul(g, x, g.ints(2)), /Mul\(.*int64 \[\]\): both must be of one type/],
    [
      'elements',
      (g, x) => reshape(g, x, ['N', 100]),
      /Reshape\(x float32 \[N,4,6,8\]\): 192\*N elements do not fill \[N,100\]/,
    ],
    ['symbols', (g, x) => reshape(g, x, ['N', 'M']), /more than one symbolic size/],
    ['order', (g, x) => transpose(g, x, [0, 1, 1, 2]), /Transpose\(.*is no order/],
    ['joining', (g, x) => concat(g, [x, slice(g, x, 2, 0, 1)], 1), /Concat\(.*agree except along axis 1/],
    ['cutting', (g, x) => slice(g, x, 1, 2, 9), /Slice\(.*cannot be cut to 2…9/],
    ['parts', (g, x) => split(g, x, 1, [1, 2]), /Split\(.*do not add up/],
    ['best', (g, x) => topK(g, x, 9), /TopK\(.*cannot give 9/],
    ['regions', (g, x) => roiAlign(g, x, x, x, { bins: 7, stride: 16, samples: 2 }), /RoiAlign\(/],
    [
      'rows',
      (g, x) =>
        linear(g, reshape(g, x, ['N', 192]), g.constant('w', [8, 100], ramp(800)), g.constant('b', [8], ramp(8))),
      /Gemm\(.*must be \[rows,in\]/,
    ],
    ['constant', (g) => g.constant('c', [5], ramp(4)), /constant c: 4 values for shape \[5\]/],
    [
      'names',
      (g) => [g.constant('c', [4], ramp(4)), g.constant('c', [4], ramp(4).reverse())],
      /already in the graph with other data/,
    ],
  ])('refuse what does not fit, naming operator and shapes: %s', (_, build, message) => {
    const g = builder();
    const x = g.input('x', 'float32', ['N', 4, 6, 8]);
    expect(() => build(g, x)).toThrow(RangeError);
    expect(() => build(g, x)).toThrow(message);
  });
});
