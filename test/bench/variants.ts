import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { InputError } from '../../config/errors.js';
import { FORMS, type Forms, formsFor, withForms } from '../../models/kernels/forms.js';
import { assemble } from '../../models/nets/assemble.js';
import { countModel } from '../../models/onnx/count.js';
import { writeModel } from '../../models/onnx/encode.js';
import type { OnnxModel } from '../../models/onnx/model.js';
import { type ModelSession, openSession } from '../../models/runtime/session.js';
import { type Bench, type BenchRow, median } from './harness.js';

const BASELINE = 'mask-rcnn-r50-c4';

/** Test times of the paper on a 1080 Ti, ms; Table III gives none. */
const PAPER_MS: Readonly<Record<string, number | undefined>> = {
  [BASELINE]: 209,
  'faster-rcnn-r50-c4': 172,
  framework1: 103,
  'framework1 spectral': 103,
  framework2: 163,
  'sep64-c5': 81,
  'sep128-c5': 120,
  'sep256-c5': 182,
  'sep64-redesigned': 71,
  'sep128-redesigned': 92,
  'out256-pool14': undefined,
  'out256-pool7': undefined,
  'out512-pool14': undefined,
};

/** A variant's file and what of it does not depend on the machine. */
interface Built {
  readonly name: string;
  readonly file: string;
  readonly more: Readonly<Record<string, number>>;
  readonly timesMs: number[];
  /** Time of all threads; on a machine shared with others far steadier than the clock. */
  readonly cpuMs: number[];
}

/**
 * Every network of Tables I to III at short side 800 in one run. In each round each variant is loaded, warmed up once and timed once:
 * a drift of the machine hits all alike, and only one holds memory at a time.
 */
export const bench: Bench = {
  about:
    "variants: every network of the paper at 800x1088, 300 proposals, random weights; ratios to Mask R-CNN R50-C4 beside the paper's. [--rounds n] [--threads n] [--size HxW] [--only a,b] [--form direct|fast]",
  async run(args, say): Promise<readonly BenchRow[]> {
    const { rounds, threads, size, names, fast } = options(args);
    const folder = await mkdtemp(join(tmpdir(), 'maskcast-variants-'));
    try {
      const variants: Built[] = [];
      for (const name of names) variants.push(await build(folder, name, size, fast));
      const pixels = new Uint8Array(size.height * size.width * 3).map((_, i) => (i * 7 + (i >> 9) * 13) % 256);
      for (let round = 1; round <= rounds; round++) {
        for (const variant of variants) {
          const session = await openSession({
            file: variant.file,
            provider: 'cpu',
            threads,
            note: say,
          });
          try {
            await timed(session, pixels, size);
            const before = process.cpuUsage();
            variant.timesMs.push(await timed(session, pixels, size));
            const { user, system } = process.cpuUsage(before);
            variant.cpuMs.push((user + system) / 1000);
          } finally {
            await session.release();
          }
          say(`round ${round} of ${rounds}: ${variant.name} ${variant.timesMs.at(-1)!.toFixed(0)} ms`);
        }
      }
      return rowsOf(variants);
    } finally {
      await rm(folder, { recursive: true });
    }
  },
};

function options(args: readonly string[]): {
  rounds: number;
  threads: number;
  size: { height: number; width: number };
  names: string[];
  /** Every network, the baseline too, in matrix products and in the frequency domain. */
  fast: boolean;
} {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: 'string' },
      threads: { type: 'string' },
      size: { type: 'string' },
      only: { type: 'string' },
      form: { type: 'string' },
    },
  });
  const number = (name: 'rounds' | 'threads', otherwise: number): number => {
    const value = Number(values[name] ?? otherwise);
    if (!Number.isInteger(value) || value < 1)
      throw new InputError(`--${name} is ${values[name]}; it must be a whole number from 1`);
    return value;
  };
  const [height = 800, width = 1088] = (values.size ?? '').split('x').filter(Boolean).map(Number);
  const chosen = values.only?.split(',') ?? Object.keys(PAPER_MS);
  const unknown = chosen.find((name) => !Object.hasOwn(PAPER_MS, name));
  if (unknown) throw new InputError(`--only names ${unknown}; known are ${Object.keys(PAPER_MS).join(', ')}`);
  // The baseline is always there: ratios are to it.
  const names = [BASELINE, ...chosen.filter((name) => name !== BASELINE)];
  const { form = 'direct' } = values;
  if (form !== 'direct' && form !== 'fast') throw new InputError(`--form is ${form}; it must be direct or fast`);
  return {
    rounds: number('rounds', 3),
    threads: number('threads', availableParallelism()),
    size: { height, width },
    names,
    fast: form === 'fast',
  };
}

async function build(
  folder: string,
  name: string,
  size: { height: number; width: number },
  fast: boolean,
): Promise<Built> {
  const [preset = name, form] = name.split(' ');
  const { model: plain, card } = assemble({
    preset,
    seed: 1,
    ...size,
    ...(form === 'spectral' && { forms: { separated: 'spectral' } }),
  });
  const model = fast && !form ? withForms(preset, plain, lastForms(plain)) : plain;
  const file = join(folder, `${preset}-${form ?? 'direct'}.onnx`);
  await writeModel(file, model);
  const { multiplyAdds, parameters } = countModel(model, { N: 1, M: card.network.detections.most });
  return { name, file, more: { gmac: multiplyAdds / 1e9, mparams: parameters / 1e6 }, timesMs: [], cpuMs: [] };
}

/** The furthest from the operators of each part's forms. */
function lastForms(model: OnnxModel): Partial<Forms> {
  const possible = formsFor(model);
  const parts = Object.keys(FORMS) as (keyof Forms)[]; // FORMS has exactly these keys.
  return Object.fromEntries(parts.map((part) => [part, possible[part].at(-1)!]));
}

async function timed(
  session: ModelSession,
  pixels: Uint8Array,
  { height, width }: { height: number; width: number },
): Promise<number> {
  const start = performance.now();
  await session.run({ images: { type: 'uint8', data: pixels, dims: [1, height, width, 3] } });
  return performance.now() - start;
}

function rowsOf(variants: readonly Built[]): BenchRow[] {
  const baseline = median(variants[0]!.timesMs);
  const baselineCpu = median(variants[0]!.cpuMs);
  return variants.map(({ name, more, timesMs, cpuMs }) => {
    const paperMs = PAPER_MS[name];
    return {
      case: 'paper',
      variant: name,
      batch: 1,
      n: timesMs.length,
      medianMs: median(timesMs),
      minMs: Math.min(...timesMs),
      against: BASELINE,
      ratio: baseline / median(timesMs),
      more: {
        ...(paperMs && { paperMs, paperRatio: PAPER_MS[BASELINE]! / paperMs }),
        cpuMs: median(cpuMs),
        cpuRatio: baselineCpu / median(cpuMs),
        ...more,
      },
    };
  });
}
