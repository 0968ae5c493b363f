import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TensorValue } from '../../../models/adapters/adapter.js';
import { lineForm } from '../../../models/kernels/spectral-lines.js';
import { spectralSeparated } from '../../../models/kernels/spectral-separated.js';
import { directSeparated } from '../../../models/nets/separated-conv.js';
import { GraphBuilder } from '../../../models/onnx/graph-builder.js';
import { seededWeights } from '../../../models/weights/seed.js';
import { numbersOf, relativeError, withModel } from '../../support/run-model.js';
import { noise } from './noise.js';

describe('a line in the frequency domain', () => {
  it('is the zero-padded correlation, for lines shorter and longer than the kernel', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 0, max: 15 }),
        fc.integer({ min: 0, max: 1e6 }),
        (length, half, seed) => {
          const kernel = 2 * half + 1;
          const { products, a, b, g } = lineForm(length, kernel);
          const x = noise(length, seed);
          const w = noise(kernel, seed + 1);
          const dot = (table: Float32Array, row: number, values: Float32Array): number =>
            values.reduce((sum, value, i) => sum + table[row * values.length + i]! * value, 0);
          const factors = Float32Array.from({ length: products }, (_, p) => dot(b, p, x) * dot(g, p, w));
          const got = Array.from({ length }, (_, t) => dot(a, t, factors));
          const expected = got.map((_, t) => w.reduce((sum, tap, k) => sum + tap * (x[t + k - half] ?? 0), 0));
          expect(relativeError(got, expected)).toBeLessThan(2e-5);
        },
      ),
      { seed: 1, numRuns: 200 },
    );
  });
});

describe('the spectral separated convolution', () => {
  it('gives the direct one within 1e-5, and each frame of a batch bit for bit what it gives alone', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          n: fc.integer({ min: 1, max: 4 }),
          c: fc.integer({ min: 1, max: 20 }),
          // Products with a single row or column take another path in ONNX Runtime, for which the law does not hold.
          h: fc.integer({ min: 2, max: 40 }),
          w: fc.integer({ min: 2, max: 40 }),
          half: fc.integer({ min: 0, max: 9 }),
          middle: fc.integer({ min: 2, max: 12 }),
          out: fc.integer({ min: 2, max: 12 }),
          bias: fc.boolean(),
          seed: fc.integer({ min: 0, max: 1e6 }),
        }),
        async ({ n, c, h, w, half, middle, out, bias, seed }) => {
          const options = { kernel: 2 * half + 1, middle, out, relu: false, bias };
          const g = new GraphBuilder(seededWeights(seed));
          const x = g.input('x', 'float32', ['N', c, h, w]);
          const model = g.finish(
            'both',
            { direct: directSeparated(g, x, options), spectral: spectralSeparated(g, x, options) },
            {},
          );
          await withModel(model, async (session) => {
            const frame = c * h * w;
            const data = noise(n * frame, seed);
            const feed = (from: number, to: number): { x: TensorValue } => ({
              x: { type: 'float32', dims: [to - from, c, h, w], data: data.slice(from * frame, to * frame) },
            });
            const all = await session.run(feed(0, n));
            const spectral = numbersOf(all, 'spectral');
            expect(relativeError(spectral, numbersOf(all, 'direct'))).toBeLessThan(1e-5);
            for (let i = 0; i < n; i++) {
              const alone = numbersOf(await session.run(feed(i, i + 1)), 'spectral');
              expect(alone).toEqual(spectral.slice(i * alone.length, (i + 1) * alone.length));
            }
          });
        },
      ),
      { seed: 2, numRuns: 25 },
    );
  });

  it('takes a map of the size and depth that the paper has, also where numbers are large', async () => {
    const options = { kernel: 15, middle: 8, out: 8, relu: false, bias: true };
    const g = new GraphBuilder(seededWeights(4));
    const x = g.input('x', 'float32', ['N', 64, 50, 68]);
    const model = g.finish(
      'both',
      { direct: directSeparated(g, x, options), spectral: spectralSeparated(g, x, options) },
      {},
    );
    const data = noise(64 * 50 * 68, 3).map((value, i) => value * (i % 97 ? 1 : 1e4));
    await withModel(model, async (session) => {
      const results = await session.run({ x: { type: 'float32', dims: [1, 64, 50, 68], data } });
      expect(relativeError(numbersOf(results, 'spectral'), numbersOf(results, 'direct'))).toBeLessThan(1e-5);
    });
  });
});
