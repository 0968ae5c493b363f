import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { InputError } from '../../../config/errors.js';
import { buildNetwork } from '../../../models/nets/network.js';
import { seededWeights } from '../../../models/weights/seed.js';
import { inForms, made } from '../../bench/kernels/build.js';
import { type Case, casesOn, casesOnProcessor, chosen } from '../../bench/kernels/cases.js';
import { gemm } from '../../bench/kernels/gemm.js';
import { type MeasureOptions, measure } from '../../bench/kernels/measure.js';
import { bench } from '../../bench/kernels.js';
import { TINY } from '../nets/tiny-networks.js';

// Processes that load ONNX Runtime; on a machine busy with training that takes minutes.
vi.setConfig({ testTimeout: 300_000 });

const folder = mkdtempSync(join(tmpdir(), 'maskcast-bench-'));
afterAll(() => rmSync(folder, { recursive: true }));

const said: string[] = [];
const options: MeasureOptions = {
  folder,
  rounds: 1,
  threads: 1,
  tuneS: 0,
  provider: 'cpu',
  rates: true,
  memory: true,
  say: (line) => void said.push(line),
};

describe('bench kernels', () => {
  it('gives each form its time, its share of the work and the peak of a process of its own', async () => {
    const tiny: Case = {
      name: 'tiny',
      batch: 2,
      against: 'direct',
      direct: () => made(folder, 'tiny', () => buildNetwork(TINY.redesigned!, { weights: seededWeights(18) })),
      variants: [
        ['spectral', (direct) => inForms(options, direct, 'tiny spectral', { separated: 'spectral', regions: 'gemm' })],
        [
          'broken',
          async () => {
            throw new Error('no such form');
          },
        ],
      ],
      shapeOf: async () => ({ kind: 'pictures', batch: 2, height: 64, width: 96 }),
    };
    const [rows, product] = await measure(tiny, await made(folder, 'gemm', gemm), options);
    expect(rows.map(({ variant, batch, against }) => [variant, batch, against])).toEqual([
      ['direct', 2, 'direct'],
      ['spectral', 2, 'direct'],
    ]);
    expect(rows[0]!.ratio).toBe(1);
    for (const { peakMB, medianMs, more } of rows) {
      // Node.js and ONNX Runtime alone take some tens of MB.
      expect(peakMB).toBeGreaterThan(40);
      expect(peakMB).toBeLessThan(1000);
      expect(more!.msPerFrame).toBeCloseTo(medianMs / 2, 6);
      expect(more!.instances).toBeGreaterThan(2);
      expect(more!['body GFLOP/s']).toBeGreaterThan(0);
    }
    expect(rows[1]!.more!.forms).toBe('separated=spectral,regions=gemm');
    expect(product).toMatchObject({ case: 'gemm', variant: 'sgemm' });
    expect(said).toContain('tiny batch 2: broken cannot be built here: no such form');
  });

  it('has the cases and variants of its contract', () => {
    const names = (cases: readonly Case[]) => cases.map(({ name, batch }) => `${name} ${batch}`);
    expect(names(casesOnProcessor(options))).toEqual([
      'separated-conv 1',
      'separated-conv 4',
      'framework1 1',
      'edge 1',
      'edge 4',
      'edge-r18 1',
      'edge-r18 4',
    ]);
    const variantsOf = (name: string) => chosen(casesOnProcessor(options), [name])[0]!.variants.map(([one]) => one);
    const contract = ['mask-rcnn-r50-c4', 'spectral', 'int8', 'mixed', 'tuned'];
    // And the fast forms in int8, which only networks with an RPN have throughout.
    expect(variantsOf('edge').toSorted()).toEqual([...contract, 'int8-spectral'].toSorted());
    expect(variantsOf('framework1').toSorted()).toEqual(
      [...contract, 'mask-rcnn-r50-c4-ops', 'int8-spectral', 'int8-spectral-gemm'].toSorted(),
    );
    const onCuda = casesOn('cuda', options);
    expect(names(onCuda)).toEqual(['framework1', 'edge', 'edge-r18'].flatMap((name) => [`${name} 1`, `${name} 8`]));
    expect(onCuda[0]!.variants.map(([name]) => name)).toContain('float16');
    expect(() => chosen(onCuda, ['edge/int8'])).toThrow(/--only names edge\/int8; known are framework1, /);
  });

  it('refuses a provider that is not there in one sentence, before anything is built', async () => {
    const refusal = await bench
      .run(['--provider', 'tensorrt', '--rounds', '0', '--only', 'none'], () => {})
      .then(
        () => undefined,
        (cause: unknown) => cause,
      );
    expect(refusal).toBeInstanceOf(InputError);
    // Where TensorRT is there, the unknown case is what is refused.
    expect((refusal as InputError).message).toMatch(
      /^--provider tensorrt does not work on this machine: [^\n]+$|^--only names none/,
    );
    await expect(bench.run(['--provider', 'magic'], () => {})).rejects.toThrow(
      '--provider is magic; name one of: webgpu, cuda, tensorrt, cpu',
    );
  });
});
