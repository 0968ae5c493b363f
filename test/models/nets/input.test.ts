import { describe, expect, it } from 'vitest';
import { BGR_BYTES, foldInput, IMAGENET, type Normalisation, pictures } from '../../../models/nets/input.js';
import { GraphBuilder } from '../../../models/onnx/graph-builder.js';
import { conv } from '../../../models/onnx/ops/convolution.js';
import { seededWeights } from '../../../models/weights/seed.js';
import { numbersOf, relativeError, runModel } from '../../support/run-model.js';

const DETECTRON: Normalisation = { order: 'bgr', mean: [123.675, 116.28, 103.53], std: [1, 1, 1] };
const SIZE = 6;

/** Normalises, pads with zeros and convolves, as a network's training did; weights `[2, 3, 3, 3]`, padding 1. */
function expected(bytes: Uint8Array, weights: Float32Array, { order, mean, std }: Normalisation): number[] {
  const colours = order === 'rgb' ? [0, 1, 2] : [2, 1, 0];
  const out: number[] = [];
  for (let o = 0; o < 2; o++)
    for (let r = 0; r < SIZE; r++)
      for (let q = 0; q < SIZE; q++) {
        let sum = 0;
        for (let plane = 0; plane < 3; plane++)
          for (let a = -1; a <= 1; a++)
            for (let b = -1; b <= 1; b++) {
              if (r + a < 0 || q + b < 0 || r + a >= SIZE || q + b >= SIZE) continue; // Padding: zero, after normalisation.
              const colour = colours[plane]!;
              const value = (bytes[((r + a) * SIZE + q + b) * 3 + colour]! - mean[colour]!) / std[colour]!;
              sum += value * weights[((o * 3 + plane) * 3 + a + 1) * 3 + b + 1]!;
            }
        out.push(sum);
      }
  return out;
}

describe('normalisation in the graph', () => {
  it.each([
    ['ImageNet', IMAGENET],
    ['Detectron', DETECTRON],
    ['bytes, blue first', BGR_BYTES],
  ])('equals normalising first, borders included: %s', async (_, normalisation) => {
    const g = new GraphBuilder(seededWeights(4));
    const weights = g.take('w', [2, 3, 3, 3], { kind: 'he' });
    const x = pictures(g, g.input('images', 'uint8', ['N', SIZE, SIZE, 3]), normalisation);
    const folded = g.constant('w', [2, 3, 3, 3], foldInput(weights, [2, 3, 3, 3], normalisation));
    const y = conv(g, x, folded, undefined, { pads: [1, 1, 1, 1] });
    const bytes = Uint8Array.from({ length: SIZE * SIZE * 3 }, (_, i) => (i * 83) % 256);
    const outputs = await runModel(g.finish('input', { y }, {}), {
      images: { type: 'uint8', data: bytes, dims: [1, SIZE, SIZE, 3] },
    });
    expect(relativeError(numbersOf(outputs, 'y'), expected(bytes, weights, normalisation))).toBeLessThan(1e-6);
  });

  it('serves stems that stack several pictures', () => {
    const dims = [1, 12, 1, 1];
    const folded = foldInput(
      Float32Array.from({ length: 12 }, (_, i) => i),
      dims,
      BGR_BYTES,
    );
    expect([...folded]).toEqual([2, 1, 0, 5, 4, 3, 8, 7, 6, 11, 10, 9]);
  });

  it('refuses a first convolution that reads no pictures', () => {
    expect(() => foldInput(new Float32Array(4), [1, 4, 1, 1], IMAGENET)).toThrow('reads 4 planes');
  });
});
