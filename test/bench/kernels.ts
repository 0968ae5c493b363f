import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { InputError } from '../../config/errors.js';
import type { Bench, BenchRow } from './harness.js';
import { made } from './kernels/build.js';
import { casesOn, casesOnProcessor, chosen } from './kernels/cases.js';
import { GEMM_FLOP, gemm } from './kernels/gemm.js';
import { type MeasureOptions, measure } from './kernels/measure.js';
import { isProvider, mustBeThere, PROVIDERS, type Provider } from './kernels/provider.js';

/**
 * The compute core's forms, all of a case in one run, interleaved. `peakMB` of a row: the largest memory of a fresh process that
 * loads and runs nothing else. `more`: its forms, instances found (each costs a mask), the processor time of a run (steadier than
 * the clock on a machine shared with others) and its ratio, and of each stage the GFLOP/s (int8: GOP/s) that it reaches, for the
 * operations that it really does, beside the best matrix product of the same run (case `gemm`).
 *
 * With a provider: framework 1, the baseline and the edge presets there at batch 1 and 8, and what fell back to the processor.
 */
export const bench: Bench = {
  about:
    'kernels: forms of the separated convolution, framework 1 at 800x1088 and the edge presets, against direct and Mask R-CNN R50-C4. [--rounds n] [--threads n] [--only case[/variant],…] [--files dir: keep what is built] [--tune seconds] [--no-profile: no rates] [--no-memory: no peaks] [--provider webgpu|cuda|tensorrt|cpu: whole networks there, batch 1 and 8]; --rounds 0 only builds',
  async run(args, say): Promise<readonly BenchRow[]> {
    const { values } = parseArgs({
      args: [...args],
      options: {
        rounds: { type: 'string' },
        threads: { type: 'string' },
        only: { type: 'string' },
        files: { type: 'string' },
        tune: { type: 'string' },
        provider: { type: 'string' },
        'no-profile': { type: 'boolean' },
        'no-memory': { type: 'boolean' },
      },
    });
    const whole = (name: 'rounds' | 'threads' | 'tune', otherwise: number): number => {
      const value = Number(values[name] ?? otherwise);
      if (!Number.isInteger(value) || value < 0)
        throw new InputError(`--${name} is ${values[name]}; it must be a whole number`);
      return value;
    };
    const provider = providerNamed(values.provider);
    if (provider) await mustBeThere(provider);
    const folder = values.files ?? (await mkdtemp(join(tmpdir(), 'maskcast-kernels-')));
    await mkdir(folder, { recursive: true });
    const options: MeasureOptions = {
      folder,
      rounds: whole('rounds', 5),
      threads: whole('threads', availableParallelism()) || 1,
      tuneS: whole('tune', 120),
      provider: provider ?? 'cpu',
      rates: !values['no-profile'],
      memory: !values['no-memory'],
      say,
    };
    try {
      const product = await made(folder, 'gemm', gemm);
      const rows: BenchRow[] = [];
      const products: BenchRow[] = [];
      const cases = provider ? casesOn(provider, options) : casesOnProcessor(options);
      for (const one of chosen(cases, values.only?.split(',') ?? [])) {
        const [of, best] = await measure(one, product, options);
        rows.push(...of);
        if (best) products.push(best);
      }
      const fastest = products.toSorted((a, b) => a.minMs - b.minMs)[0];
      return fastest ? [...rows, withRate(fastest)] : rows;
    } finally {
      if (!values.files) await rm(folder, { recursive: true });
    }
  },
};

function providerNamed(name: string | undefined): Provider | undefined {
  if (name === undefined || isProvider(name)) return name;
  throw new InputError(`--provider is ${name}; name one of: ${PROVIDERS.join(', ')}`);
}

const withRate = (row: BenchRow): BenchRow => ({
  ...row,
  more: { 'GFLOP/s': Math.round(GEMM_FLOP / row.minMs / 1e6) },
});
