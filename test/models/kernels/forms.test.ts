import { describe, expect, it } from 'vitest';
import type { TensorValue } from '../../../models/adapters/adapter.js';
import {
  checkedForms,
  DIRECT,
  FORMS,
  type Forms,
  formsFor,
  formsIn,
  withForms,
} from '../../../models/kernels/forms.js';
import { buildNetwork } from '../../../models/nets/network.js';
import { countModel } from '../../../models/onnx/count.js';
import { decodeModel } from '../../../models/onnx/decode.js';
import { encodeModel } from '../../../models/onnx/encode.js';
import type { OnnxModel } from '../../../models/onnx/model.js';
import { toFloat16 } from '../../../models/quantize/float16.js';
import type { ModelSession } from '../../../models/runtime/session.js';
import { cardIn, type ModelCard } from '../../../models/weights/card.js';
import { seededWeights } from '../../../models/weights/seed.js';
import { numbersOf, relativeError, withModel } from '../../support/run-model.js';
import { pictures, TINY } from '../nets/tiny-networks.js';

const HEIGHT = 64;
const WIDTH = 96;
const FRAME = HEIGHT * WIDTH * 3;
const PICTURES = pictures(3, HEIGHT, WIDTH).fill(124, FRAME, 2 * FRAME);
const OUTPUTS = ['boxes', 'scores', 'labels', 'frames', 'masks'] as const;

const build = (card: ModelCard): OnnxModel => buildNetwork(card, { weights: seededWeights(3) });
const images = (pixels: Uint8Array): { images: TensorValue } => ({
  images: { type: 'uint8', data: pixels, dims: [pixels.length / FRAME, HEIGHT, WIDTH, 3] },
});
const withMinScore = (card: ModelCard, minScore: number): ModelCard => ({
  ...card,
  network: { ...card.network, detections: { ...card.network.detections, minScore } },
});

/** Every choice of forms that a network has. */
function choices(model: OnnxModel): Forms[] {
  const possible = formsFor(model);
  return possible.separated.flatMap((separated) => possible.regions.map((regions) => ({ separated, regions })));
}

/** As a file would have it. */
const reread = (model: OnnxModel): OnnxModel => decodeModel(Buffer.concat(encodeModel(model)));

describe('forms of a network', () => {
  it('are known for each network: the C5 head has no separated convolution before it', () => {
    expect(formsFor(build(TINY.redesigned!))).toEqual(FORMS);
    expect(formsFor(build(TINY.global!))).toEqual(FORMS);
    expect(formsFor(build(TINY.baseline!))).toEqual({ ...FORMS, separated: ['direct'] });
    // Halves the size on the 3x3, which reads every bin: not the layers that the products are made for.
    const later = { kind: 'resnet', depth: 50, width: 4, strideOn: '3x3' } as const;
    const { network } = TINY.baseline!;
    expect(formsFor(build({ ...TINY.baseline!, network: { ...network, body: later } }))).toEqual({
      separated: ['direct'],
      regions: ['ops', 'gathered', 'aligned'],
    });
  });

  it('RoIAlign as products is only for graphs that bear our card, in float16 too, where it stays float32', async () => {
    const ours = build(TINY.redesigned!);
    expect(formsFor({ ...ours, metadata: {} }).regions).toEqual(['ops', 'gathered', 'gemm']);
    const { model: half } = toFloat16(ours);
    const [plain, aligned] = await Promise.all(
      [half, withForms('it', half, { regions: 'aligned' })].map((model) =>
        withModel(reread(model), async (session) => numbersOf(await session.run(images(PICTURES)), 'scores')),
      ),
    );
    expect(plain!.length).toBeGreaterThan(5);
    expect(aligned).toHaveLength(plain!.length);
    expect(relativeError(aligned!, plain!)).toBeLessThan(0.01);
  });

  it.each(Object.entries(TINY))(
    'of %s find the same instances up to rounding, in a batch bit for bit as alone',
    async (_, card) => {
      const direct = reread(build(card));
      const expected = await withModel(direct, (session) => session.run(images(PICTURES)));
      expect(expected.boxes!.dims[0]).toBeGreaterThan(5);
      for (const forms of choices(direct)) {
        const name = JSON.stringify(forms);
        const model = withForms('it', direct, forms);
        await withModel(model, async (session) => {
          const all = await session.run(images(PICTURES));
          for (const output of OUTPUTS) {
            expect(all[output]!.dims, name).toEqual(expected[output]!.dims);
            expect(relativeError(numbersOf(all, output), numbersOf(expected, output)), name).toBeLessThan(1e-5);
          }
          for (const output of ['boxes', 'scores', 'labels', 'masks'] as const) {
            const alone = await eachAlone(session, output);
            expect(alone, name).toEqual(numbersOf(all, output));
          }
        });
      }
    },
  );

  it('give nothing in the right shapes, and one instance in a frame as in a batch', async () => {
    const card = TINY.redesigned!;
    const everything = withForms('it', build(card), { separated: 'spectral', regions: 'gemm' });
    const scores = await withModel(everything, async (session) =>
      numbersOf(await session.run(images(PICTURES)), 'scores'),
    );
    const [best, second] = scores.toSorted((a, b) => b - a);
    for (const [minScore, count] of [
      [1, 0],
      [(best! + second!) / 2, 1],
    ] as const) {
      const model = withForms('it', build(withMinScore(card, minScore)), { regions: 'gemm' });
      await withModel(model, async (session) => {
        const all = await session.run(images(PICTURES));
        expect(all.masks!.dims).toEqual([count, 28, 28]);
        expect(await eachAlone(session, 'masks')).toEqual(numbersOf(all, 'masks'));
      });
    }
  });

  it('keep card and digest, are noted in the file, and leave other stages as they were', () => {
    const direct = build(TINY.redesigned!);
    expect(formsIn('it', direct.metadata)).toEqual(DIRECT);
    const fast = reread(withForms('it', direct, { separated: 'spectral', regions: 'gemm' }));
    expect(formsIn('it', fast.metadata)).toEqual({ separated: 'spectral', regions: 'gemm' });
    expect(cardIn('it', fast.metadata)).toEqual(cardIn('it', direct.metadata));
    const stage = (model: OnnxModel, name: string) =>
      model.graph.nodes.filter((node) => node.name.startsWith(`${name}/`)).map((node) => node.name);
    for (const name of ['input', 'body', 'rpn', 'detections'])
      expect(stage(fast, name).toSorted()).toEqual(stage(direct, name).toSorted());
    expect(fast.graph.nodes.some(({ op, name }) => op === 'Conv' && /^(separated|head|mask)/.test(name))).toBe(false);
    // A spare region beside the M: costs that are linear in M + 1.
    const cost = (m: number): number => countModel(fast, { N: 1, M: m }).multiplyAdds;
    expect((cost(21) - cost(10)) / 11).toBeCloseTo(cost(11) - cost(10), 0);
    expect(cost(11)).toBeGreaterThan(cost(10));
  });

  it('say what is wrong with what is asked', () => {
    const direct = build(TINY.baseline!);
    expect(() => withForms('net.onnx', direct, { separated: 'spectral' })).toThrow(
      'net.onnx: its part separated cannot be spectral; it can be direct',
    );
    const fast = withForms('net.onnx', direct, { regions: 'gathered' });
    expect(() => withForms('net.onnx', fast, { regions: 'ops' })).toThrow('regions is gathered already');
    expect(() => checkedForms({ head: 'gemm' })).toThrow('part "head" is not known; name one of: separated, regions');
    expect(() => checkedForms({ regions: 'fast' })).toThrow('regions has no form "fast"');
    expect(() => formsIn('net.onnx', { 'maskcast-forms': 'regions=warp' })).toThrow(
      'net.onnx: its note maskcast-forms is "regions=warp"',
    );
    expect(checkedForms({ regions: 'gemm' })).toEqual({ separated: 'direct', regions: 'gemm' });
  });
});

async function eachAlone(session: ModelSession, output: string): Promise<number[]> {
  const values: number[] = [];
  for (const n of [0, 1, 2])
    values.push(...numbersOf(await session.run(images(PICTURES.slice(n * FRAME, (n + 1) * FRAME))), output));
  return values;
}
