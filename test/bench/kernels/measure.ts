import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describePlacement } from '../../../models/runtime/placement.js';
import { type ModelSession, openSession } from '../../../models/runtime/session.js';
import { workerUrl } from '../../../models/runtime/worker-url.js';
import { type BenchRow, interleave, median, type Variant } from '../harness.js';
import { type BuildOptions, type KernelVariant, workOf } from './build.js';
import { type Case, isBaseline } from './cases.js';
import { feedsOf, type Shape } from './feeds.js';
import { GEMM_SHAPE } from './gemm.js';
import type { Probed, ProbeOptions } from './probe.js';
import type { Provider } from './provider.js';

export interface MeasureOptions extends BuildOptions {
  /** 0: only builds. */
  readonly rounds: number;
  readonly provider: Provider;
  /** Whether each stage's rate is told, and each variant's peak of memory. */
  readonly rates: boolean;
  readonly memory: boolean;
}

/** A variant that runs. */
interface Ready {
  readonly variant: KernelVariant;
  readonly session: ModelSession;
  readonly shape: Shape;
  /** Found in the first run; undefined for what finds none. */
  readonly instances: number | undefined;
  /** Where its nodes ran, on a provider other than the processor. */
  readonly placed: string | undefined;
  /** Processor time of each run, ms. */
  readonly cpuMs: number[];
}

/**
 * Builds the variants of a case and times them in turn, the matrix product last.
 *
 * @param product  its file
 * @returns rows of the case, and that of the product; nothing where only files are asked for
 */
export async function measure(
  one: Case,
  product: string,
  options: MeasureOptions,
): Promise<readonly [BenchRow[], BenchRow | undefined]> {
  const { rounds, threads, provider, say } = options;
  const direct = await one.direct();
  const title = `${one.name} batch ${one.batch}`;
  const built: KernelVariant[] = [{ name: 'direct', file: direct, note: 'separated=direct,regions=ops' }];
  for (const [name, build] of one.variants) {
    try {
      built.push(await build(direct));
    } catch (cause) {
      say(`${title}: ${name} cannot be built here: ${(cause as Error).message}`);
    }
  }
  if (rounds === 0) return [[], undefined];
  const ready: Ready[] = [];
  const gemm = await openSession({ file: product, provider, threads, note: say });
  try {
    const variants: Variant[] = [];
    for (const variant of built) {
      try {
        const opened = await open(variant, await one.shapeOf(variant.name), options);
        ready.push(opened);
        variants.push(timed(opened, one));
      } catch (cause) {
        say(`${title}: ${variant.name} cannot run here: ${(cause as Error).message}`);
      }
    }
    const feeds = feedsOf(GEMM_SHAPE);
    variants.push({ case: 'gemm', variant: 'sgemm', run: () => gemm.run(feeds) });
    const rows = await interleave(variants, { rounds, say: (line) => say(`${title}: ${line}`) });
    const best = rows.at(-1)!;
    const own: BenchRow[] = [];
    for (const [i, row] of rows.slice(0, -1).entries()) own.push(await inFull(row, ready[i]!, ready, direct, options));
    return [own, best];
  } finally {
    for (const { session } of [...ready, { session: gemm }]) await session.release();
  }
}

/** Opens a variant and runs it once: on a provider, that run tells where the nodes are. */
async function open(variant: KernelVariant, shape: Shape, options: MeasureOptions): Promise<Ready> {
  const { provider, threads, say } = options;
  const session = await openSession({ file: variant.file, provider, threads, note: say });
  try {
    const { scores } = await session.run(feedsOf(shape));
    // Asked for now, for the profile that it is read from makes runs slower.
    const placement = await session.placement();
    const placed = placement && describePlacement(provider, placement);
    if (placed) say(`${variant.name}: ${placed}`);
    return { variant, session, shape, instances: scores?.dims[0], placed, cpuMs: [] };
  } catch (cause) {
    await session.release();
    throw cause;
  }
}

function timed({ variant, session, shape, cpuMs }: Ready, { name, against }: Case): Variant {
  const feeds = feedsOf(shape);
  return {
    case: name,
    variant: variant.name,
    batch: shape.batch,
    against,
    async run() {
      const before = process.cpuUsage();
      await session.run(feeds);
      const { user, system } = process.cpuUsage(before);
      cpuMs.push((user + system) / 1000);
    },
  };
}

/** A row with all that is known of its variant. Ratios are by frame, for the baseline may run other batches than the rest. */
async function inFull(
  row: BenchRow,
  { variant, shape, instances, placed, cpuMs }: Ready,
  all: readonly Ready[],
  direct: string,
  options: MeasureOptions,
): Promise<BenchRow> {
  const reference = all.find((other) => other.variant.name === row.against)!; // Of the same case.
  const perFrame = shape.batch / reference.shape.batch;
  // The first is the warm-up's.
  const cpuOf = (times: readonly number[]): number => median(times.slice(1));
  const own = isBaseline(variant.name) ? variant.file : direct;
  const { peakMB, ...rates } = await probed(variant, own, shape, instances ?? 0, options);
  return {
    ...row,
    ratio: row.ratio * perFrame,
    ...(peakMB !== undefined && { peakMB }),
    more: {
      forms: variant.note,
      msPerFrame: row.medianMs / shape.batch,
      ...(instances !== undefined && { instances }),
      cpuMs: Math.round(cpuOf(cpuMs)),
      cpuRatio: Number(((cpuOf(reference.cpuMs) / cpuOf(cpuMs)) * perFrame).toFixed(2)),
      ...(placed !== undefined && { placed }),
      ...rates,
    },
  };
}

/** Memory and rates of a variant on the processor, in a process of its own; elsewhere a process does not hold what a device does. */
async function probed(
  { name, file, note }: KernelVariant,
  direct: string,
  shape: Shape,
  instances: number,
  { threads, provider, rates, memory }: MeasureOptions,
): Promise<{ readonly peakMB?: number } & Readonly<Record<string, number>>> {
  if (provider !== 'cpu' || !(rates || memory)) return {};
  const program = fileURLToPath(workerUrl(import.meta.url, './probe.js'));
  const asked: ProbeOptions = { file, shape, threads, profile: rates };
  const { stdout } = await promisify(execFile)(process.execPath, [program, JSON.stringify(asked)]);
  const { peakMB, stageMs } = JSON.parse(stdout) as Probed; // Our own program's.
  const work = workOf({ name, file, note }, direct, shape.batch, instances);
  const reached = Object.entries(stageMs).flatMap(([stage, ms]) => {
    const multiplyAdds = work.get(stage) ?? 0;
    return multiplyAdds > 1e6 ? [[`${stage} GFLOP/s`, Math.round((2 * multiplyAdds) / ms / 1e6)] as const] : [];
  });
  return { ...(memory && { peakMB: Math.round(peakMB) }), ...Object.fromEntries(reached) };
}
