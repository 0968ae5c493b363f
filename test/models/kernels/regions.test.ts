import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TensorValue } from '../../../models/adapters/adapter.js';
import { gatheredClass } from '../../../models/kernels/gathered-class.js';
import { alignByProducts, withoutSpare, withSpare } from '../../../models/kernels/region-align.js';
import { regionLayers } from '../../../models/kernels/region-layers.js';
import { maskLogits, pooled } from '../../../models/kernels/region-tail.js';
import { flattenBoxes } from '../../../models/nets/roi-features.js';
import { redesignedSubnet } from '../../../models/nets/roi-head.js';
import { GraphBuilder, type Value } from '../../../models/onnx/graph-builder.js';
import { averagePool, conv, deconv } from '../../../models/onnx/ops/convolution.js';
import { relu } from '../../../models/onnx/ops/elementwise.js';
import { reshape, transpose, unsqueeze } from '../../../models/onnx/ops/layout.js';
import { gatherNd, roiAlign } from '../../../models/onnx/ops/selection.js';
import { seededWeights } from '../../../models/weights/seed.js';
import { numbersOf, relativeError, withModel } from '../../support/run-model.js';
import { noise } from './noise.js';

const STRIDE = 16;

/** Corners in cells: inside, on the border, across it, far outside, empty and reversed. */
const corner = (size: number): fc.Arbitrary<number> =>
  fc.oneof(
    fc.double({ min: 0, max: size, noNaN: true }),
    fc.constantFrom(0, size, size - 1, -0.5, -1, size + 1, -3, 2 * size),
  );

describe('RoIAlign as matrix products', () => {
  it('gives what the operator gives, wherever the boxes lie', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc
          .record({
            n: fc.integer({ min: 1, max: 3 }),
            p: fc.integer({ min: 1, max: 5 }),
            c: fc.integer({ min: 1, max: 5 }),
            h: fc.integer({ min: 1, max: 12 }),
            w: fc.integer({ min: 1, max: 12 }),
            samples: fc.integer({ min: 1, max: 4 }),
            bins: fc.constantFrom(7, 14),
          })
          .chain((shape) =>
            fc.record({
              shape: fc.constant(shape),
              boxes: fc.array(fc.tuple(corner(shape.w), corner(shape.h), corner(shape.w), corner(shape.h)), {
                minLength: shape.n * shape.p,
                maxLength: shape.n * shape.p,
              }),
            }),
          ),
        async ({ shape: { n, p, c, h, w, samples, bins }, boxes }) => {
          const g = new GraphBuilder(seededWeights(1));
          const map = g.input('map', 'float32', ['N', c, h, w]);
          const given = g.input('boxes', 'float32', ['N', p, 4]);
          const options = { bins, samples, stride: STRIDE };
          const flat = flattenBoxes(g, given);
          const model = g.finish(
            'align',
            {
              operator: transpose(g, roiAlign(g, map, flat.boxes, flat.frames, options), [0, 2, 3, 1]),
              products: alignByProducts(g, map, given, options),
            },
            {},
          );
          await withModel(model, async (session) => {
            const results = await session.run({
              map: { type: 'float32', dims: [n, c, h, w], data: noise(n * c * h * w, 7) },
              boxes: {
                type: 'float32',
                dims: [n, p, 4],
                data: Float32Array.from(boxes.flat(), (cells) => cells * STRIDE),
              },
            });
            expect(results.products!.dims).toEqual(results.operator!.dims);
            const operator = numbersOf(results, 'operator');
            // All may be 0 where every box is outside; the map's own scale is 1.
            expect(relativeError([...numbersOf(results, 'products'), 1], [...operator, 1])).toBeLessThan(1e-5);
          });
        },
      ),
      { seed: 3, numRuns: 25 },
    );
  });
});

/** The road from regions to pooled features and to masks, both ways. */
function bothWays({ c, middle, out, window }: { c: number; middle: number; out: number; window: 7 | 14 }): {
  direct: Record<string, Value>;
  products: Record<string, Value>;
  g: GraphBuilder;
} {
  const site = { bins: 14, middle, out, channels: 6, classes: 5 };
  const g = new GraphBuilder(seededWeights(2));
  const given = g.input('regions', 'float32', ['R', 14, 14, c]);
  const labels = g.input('labels', 'int64', ['R']);
  const features = redesignedSubnet(g, transpose(g, given, [0, 3, 1, 2]), { middle, out });
  const pool = averagePool(g, features, [window, window]);
  const large = relu(
    g,
    deconv(
      g,
      features,
      g.weight('mask.deconv.weight', [out, 6, 2, 2], { kind: 'he' }),
      g.weight('mask.deconv.bias', [6], { kind: 'uniform', from: -0.05, to: 0.05 }),
    ),
  );
  const every = conv(
    g,
    large,
    g.weight('mask.predict.weight', [5, 6, 1, 1], { kind: 'he' }),
    g.weight('mask.predict.bias', [5], { kind: 'uniform', from: -0.05, to: 0.05 }),
  );
  const spectral = regionLayers(g, { kind: 'redesigned', side: 14, middle, out, blocks: 0 }, c)(g, withSpare(g, given));
  return {
    g,
    direct: {
      vector: reshape(g, pool, ['R', out * (14 / window) ** 2]),
      logits: gatherNd(g, every, unsqueeze(g, labels, 1), 1),
    },
    products: {
      vector: withoutSpare(g, pooled(g, spectral, window), given),
      logits: withoutSpare(g, maskLogits(g, spectral, withSpare(g, labels), site), labels),
      gathered: gatheredClass(g, large, labels, site),
    },
  };
}

describe('the subnet on regions as matrix products', () => {
  it.each([0, 1, 2, 5])('gives what the convolutions give on %i regions', async (count) => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          c: fc.integer({ min: 1, max: 9 }),
          middle: fc.integer({ min: 1, max: 9 }),
          out: fc.integer({ min: 1, max: 12 }),
          window: fc.constantFrom(7 as const, 14 as const),
          seed: fc.integer({ min: 0, max: 1e6 }),
        }),
        async ({ seed, ...shape }) => {
          const { g, direct, products } = bothWays(shape);
          const named = (of: Record<string, Value>, prefix: string): [string, Value][] =>
            Object.entries(of).map(([name, value]) => [prefix + name, value]);
          const model = g.finish(
            'regions',
            Object.fromEntries([...named(direct, 'direct.'), ...named(products, 'products.')]),
            {},
          );
          await withModel(model, async (session) => {
            const regions: TensorValue = {
              type: 'float32',
              dims: [count, 14, 14, shape.c],
              data: noise(count * 196 * shape.c, seed),
            };
            const labels: TensorValue = {
              type: 'int64',
              dims: [count],
              data: BigInt64Array.from({ length: count }, (_, i) => BigInt((i * 3) % 5)),
            };
            const results = await session.run({ regions, labels });
            for (const [way, of] of [
              ['vector', 'vector'],
              ['logits', 'logits'],
              ['gathered', 'logits'],
            ] as const) {
              const expected = results[`direct.${of}`]!;
              expect(results[`products.${way}`]!.dims, way).toEqual(expected.dims);
              const error = relativeError(numbersOf(results, `products.${way}`), numbersOf(results, `direct.${of}`));
              expect(error, way).toBeLessThan(1e-5);
            }
          });
        },
      ),
      { seed: 4, numRuns: 4 },
    );
  });
});
