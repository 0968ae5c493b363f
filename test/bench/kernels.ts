import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { InputError } from '../../config/errors.js';
import { openSession } from '../../models/runtime/session.js';
import { type Bench, type BenchRow, interleave, median, type Variant } from './harness.js';
import {
  type BuildOptions,
  inForms,
  inInt8,
  type KernelVariant,
  made,
  network,
  separatedAlone,
  tuned,
  workOf,
} from './kernels/build.js';
import { feedsOf, type Shape } from './kernels/feeds.js';
import { GEMM_FLOP, GEMM_SHAPE, gemm } from './kernels/gemm.js';
import type { Probed } from './kernels/probe.js';

const BASELINE = 'mask-rcnn-r50-c4';
/** The paper's test size. */
const PAPER = { height: 800, width: 1088 };

interface Options extends BuildOptions {
  readonly rounds: number;
  /** `case` or `case/variant`; empty: all. */
  readonly only: readonly string[];
}

/** One table: variants of a case that read the same thing, timed in turn. */
interface Case {
  readonly name: string;
  readonly batch: number;
  readonly shape: Shape;
  readonly against: string;
  /** In the order of the table. A builder that cannot do it here says why by an error, and its line is left out. */
  readonly variants: readonly (readonly [name: string, build: (direct: string) => Promise<KernelVariant>])[];
  /** The direct form's file. */
  readonly direct: () => Promise<string>;
  /** Reads other pictures than the rest: the baseline beside a preset for small machines. */
  readonly baseline?: Shape;
}

/**
 * The compute core's forms, all of a case in one run, interleaved. `more` of a row: its forms, the largest memory of a fresh
 * process with it, the processor time of a run (steadier than
 * the clock on a machine shared with others) and its ratio, and of each stage the GFLOP/s (int8: GOP/s) that it reaches, for the operations that it really does, beside the
 * best matrix product of the same run (case `gemm`).
 */
export const bench: Bench = {
  about:
    'kernels: forms of the separated convolution, framework 1 at 800x1088 and the edge presets, against direct and Mask R-CNN R50-C4, random weights. [--rounds n] [--threads n] [--only case[/variant],…] [--files dir: keep what is built] [--tune seconds] [--no-profile]; --rounds 0 only builds',
  async run(args, say): Promise<readonly BenchRow[]> {
    const { values } = parseArgs({
      args: [...args],
      options: {
        rounds: { type: 'string' },
        threads: { type: 'string' },
        only: { type: 'string' },
        files: { type: 'string' },
        tune: { type: 'string' },
        'no-profile': { type: 'boolean' },
      },
    });
    const whole = (name: 'rounds' | 'threads' | 'tune', otherwise: number): number => {
      const value = Number(values[name] ?? otherwise);
      if (!Number.isInteger(value) || value < 0)
        throw new InputError(`--${name} is ${values[name]}; it must be a whole number`);
      return value;
    };
    const folder = values.files ?? (await mkdtemp(join(tmpdir(), 'maskcast-kernels-')));
    await mkdir(folder, { recursive: true });
    const options: Options = {
      folder,
      rounds: whole('rounds', 5),
      threads: whole('threads', availableParallelism()) || 1,
      tuneS: whole('tune', 120),
      only: values.only?.split(',') ?? [],
      say,
    };
    try {
      const product = await made(folder, 'gemm', gemm);
      const rows: BenchRow[] = [];
      const products: BenchRow[] = [];
      for (const one of chosen(cases(options), options.only)) {
        const [of, best] = await measure(one, product, options, !values['no-profile']);
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

function cases(options: Options): Case[] {
  const { folder } = options;
  const separated = (batch: number): Case => {
    const shape: Shape = { kind: 'map', dims: [batch, 1024, 50, 68] };
    return {
      name: 'separated-conv',
      batch,
      shape,
      against: 'direct',
      direct: () => made(folder, 'separated-conv', () => separatedAlone(50, 68)),
      variants: [
        ['spectral', (direct) => inForms(options, direct, 'separated-conv spectral', { separated: 'spectral' })],
        [
          'int8',
          (direct) => inInt8(options, direct, 'separated-conv', { kind: 'map', dims: [1, 1024, 50, 68] }, false),
        ],
      ],
    };
  };
  const plain = async (): Promise<KernelVariant> => ({
    name: `${BASELINE}-ops`,
    file: await made(folder, BASELINE, () => network(BASELINE)),
    note: 'regions=ops',
  });
  /** In its own best form: matrix products for RoIAlign and C5 take 0.70 of the operators' processor time. */
  const baseline = async (): Promise<KernelVariant> => {
    const { file } = await plain();
    return { ...(await inForms(options, file, `${BASELINE} gemm`, { regions: 'gemm' })), name: BASELINE };
  };
  const net = (
    name: string,
    batch: number,
    preset: string,
    size: { height: number; width: number },
    extra: Pick<Case, 'baseline'> & { readonly body?: string } = {},
  ): Case => {
    const shape: Shape = { kind: 'pictures', batch, ...size };
    const one: Shape = { ...shape, batch: 1 };
    const { body, ...rest } = extra;
    return {
      ...rest,
      name,
      batch,
      shape,
      against: BASELINE,
      direct: () => made(folder, preset, () => network(preset, size, body)),
      variants: [
        [BASELINE, baseline],
        ...(name === 'framework1' ? [[`${BASELINE}-ops`, plain] as const] : []),
        [
          'spectral',
          // A refined mask branch (the mobile bodies') has no form as products throughout.
          (direct) =>
            inForms(options, direct, `${preset} spectral`, {
              separated: 'spectral',
              regions: body ? 'gathered' : 'gemm',
            }),
        ],
        ['int8', (direct) => inInt8(options, direct, preset, one, false)],
        ['mixed', (direct) => inInt8(options, direct, preset, one, true)],
        ['tuned', (direct) => tuned(options, direct, preset, batch)],
      ],
    };
  };
  const paper: Shape = { kind: 'pictures', batch: 1, ...PAPER };
  const edge = { height: 384, width: 640 };
  return [
    separated(1),
    separated(4),
    net('framework1', 1, 'framework1', PAPER),
    net('edge', 1, 'edge-r18', edge, { baseline: paper }),
    net('edge', 4, 'edge-r18', edge, { baseline: paper }),
    net('edge-street', 1, 'street', { height: 448, width: 576 }, { baseline: paper, body: 'picodet-s' }),
    net('edge-street', 4, 'street', { height: 448, width: 576 }, { baseline: paper, body: 'picodet-s' }),
  ];
}

/** @throws InputError for a name that no case or variant bears */
function chosen(all: readonly Case[], only: readonly string[]): Case[] {
  const names = all.flatMap(({ name, variants }) => [name, `${name}/direct`, ...variants.map(([v]) => `${name}/${v}`)]);
  const unknown = only.find((name) => !names.includes(name));
  if (unknown) throw new InputError(`--only names ${unknown}; known are ${[...new Set(names)].join(', ')}`);
  if (only.length === 0) return [...all];
  return all
    .filter(({ name }) => only.some((one) => one.split('/')[0] === name))
    .map((one) => ({
      ...one,
      // What ratios are against is always there.
      variants: one.variants.filter(
        ([name]) => name === one.against || only.includes(one.name) || only.includes(`${one.name}/${name}`),
      ),
    }));
}

async function measure(
  one: Case,
  product: string,
  options: Options,
  profile: boolean,
): Promise<readonly [BenchRow[], BenchRow | undefined]> {
  const { rounds, threads, say } = options;
  const direct = await one.direct();
  const built: KernelVariant[] = [{ name: 'direct', file: direct, note: 'separated=direct,regions=ops' }];
  for (const [name, build] of one.variants) {
    try {
      built.push(await build(direct));
    } catch (cause) {
      say(`${one.name} batch ${one.batch}: ${name} cannot be built here: ${(cause as Error).message}`);
    }
  }
  if (rounds === 0) return [[], undefined];
  const shapeOf = ({ name }: KernelVariant): Shape => (name === BASELINE && one.baseline ? one.baseline : one.shape);
  const sessions: { release(): Promise<void> }[] = [];
  try {
    const variants: Variant[] = [];
    const cpuMs = new Map<string, number[]>();
    for (const variant of built) {
      try {
        const session = await openSession({ file: variant.file, provider: 'cpu', threads, note: say });
        sessions.push(session);
        const feeds = feedsOf(shapeOf(variant));
        const times: number[] = [];
        cpuMs.set(variant.name, times);
        variants.push({
          case: one.name,
          variant: variant.name,
          batch: one.batch,
          against: one.against,
          async run() {
            const before = process.cpuUsage();
            await session.run(feeds);
            const { user, system } = process.cpuUsage(before);
            times.push((user + system) / 1000);
          },
        });
      } catch (cause) {
        say(`${one.name} batch ${one.batch}: ${variant.name} cannot run here: ${(cause as Error).message}`);
      }
    }
    const session = await openSession({ file: product, provider: 'cpu', threads, note: say });
    sessions.push(session);
    const feeds = feedsOf(GEMM_SHAPE);
    variants.push({ case: 'gemm', variant: 'sgemm', run: () => session.run(feeds) });
    const rows = await interleave(variants, { rounds, say: (line) => say(`${one.name} batch ${one.batch}: ${line}`) });
    const best = rows.at(-1)!;
    // The first is the warm-up's.
    const cpuOf = (name: string): number => median(cpuMs.get(name)?.slice(1) ?? [Number.NaN]);
    const own: BenchRow[] = [];
    for (const row of rows.slice(0, -1)) {
      const variant = built.find(({ name }) => name === row.variant)!; // Rows come of these.
      // The baseline runs one frame at a time, whatever the others do: the ratio is by frame.
      const frames = row.variant === BASELINE ? one.batch : 1;
      const more = profile ? await probed(variant, direct, shapeOf(variant), threads, one.batch) : {};
      const perFrame = one.against === BASELINE && row.variant !== BASELINE ? one.batch : 1;
      own.push({
        ...row,
        ...(frames > 1 && { batch: 1 }),
        ratio: row.ratio * perFrame,
        more: {
          forms: variant.note,
          msPerFrame: row.medianMs / (row.batch / frames),
          cpuMs: Math.round(cpuOf(row.variant)),
          cpuRatio: Number(((cpuOf(one.against) / cpuOf(row.variant)) * perFrame).toFixed(2)),
          ...more,
        },
      });
    }
    return [own, best];
  } finally {
    for (const session of sessions) await session.release();
  }
}

/** Memory and rates of a variant, in a process of its own. */
async function probed(
  variant: KernelVariant,
  direct: string,
  shape: Shape,
  threads: number,
  batch: number,
): Promise<Record<string, number>> {
  const program = fileURLToPath(new URL('./kernels/probe.js', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [
    program,
    variant.file,
    JSON.stringify(shape),
    String(threads),
  ]);
  const { peakMB, stageMs } = JSON.parse(stdout) as Probed; // Our own program's.
  const work = workOf(
    variant,
    variant.name === BASELINE ? variant.file : direct,
    variant.name === BASELINE ? 1 : batch,
  );
  const rates = Object.entries(stageMs).flatMap(([stage, ms]) => {
    const multiplyAdds = work.get(stage) ?? 0;
    return multiplyAdds > 1e6 ? [[`${stage} GFLOP/s`, (2 * multiplyAdds) / ms / 1e6] as const] : [];
  });
  return { peakMB: Math.round(peakMB), ...Object.fromEntries(rates.map(([name, rate]) => [name, Math.round(rate)])) };
}

const withRate = (row: BenchRow): BenchRow => ({
  ...row,
  more: { 'GFLOP/s': Math.round(GEMM_FLOP / row.minMs / 1e6) },
});
