import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';

/** One line of a benchmark's table; the JSON contract of `npm run bench -- NAME --json`. */
export interface BenchRow {
  readonly case: string;
  readonly variant: string;
  readonly batch: number;
  /** Counted runs. */
  readonly n: number;
  readonly medianMs: number;
  readonly minMs: number;
  /** Variant of the same case that `ratio` compares with. */
  readonly against: string;
  /** Median of `against` ÷ median of this row, same run: above 1 is faster. */
  readonly ratio: number;
  /** Largest memory of a fresh process that does nothing else, MB; Node.js itself (some 60 MB) included. */
  readonly peakMB?: number;
  /** Further figures of the row, such as GFLOP/s. */
  readonly more?: Readonly<Record<string, number | string>>;
}

/** A benchmark: `test/bench/<name>.ts` exports it as `bench`. */
export interface Bench {
  readonly about: string;
  run(args: readonly string[], say: (line: string) => void): Promise<readonly BenchRow[]>;
}

export interface Variant {
  readonly case: string;
  readonly variant: string;
  readonly batch?: number;
  /** Variant of the same case to compare with; left out: the first of the case. */
  readonly against?: string;
  run(): Promise<unknown> | unknown;
}

/** Middle value; mean of the two middle ones for an even count. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

/**
 * Times variants in turn (A B C A B C …), so that a drift of the shared machine hits all alike.
 *
 * @param rounds  counted runs of each
 */
export async function interleave(
  variants: readonly Variant[],
  { rounds, warmUp = 1, say }: { rounds: number; warmUp?: number; say?: (line: string) => void },
): Promise<BenchRow[]> {
  const times = variants.map((): number[] => []);
  for (let round = -warmUp; round < rounds; round++) {
    for (const [index, variant] of variants.entries()) {
      const start = performance.now();
      await variant.run();
      if (round >= 0) times[index]!.push(performance.now() - start);
    }
    say?.(`round ${round + 1} of ${rounds}`);
  }
  const medianOf = (name: string, of: string): number =>
    median(times[variants.findIndex((one) => one.case === of && one.variant === name)] ?? [Number.NaN]);
  return variants.map((one, index) => {
    const against = one.against ?? variants.find((other) => other.case === one.case)!.variant;
    const medianMs = median(times[index]!);
    return {
      case: one.case,
      variant: one.variant,
      batch: one.batch ?? 1,
      n: rounds,
      medianMs,
      minMs: Math.min(...times[index]!),
      against,
      ratio: medianOf(against, one.case) / medianMs,
    };
  });
}

/** The machine, as every table names it. */
export function machine(): Record<'cpu' | 'features' | 'cores' | 'node' | 'onnxruntime', string | number> {
  const flags = /^flags\s*:(.*)$/m.exec(safeRead('/proc/cpuinfo'))?.[1]?.split(' ') ?? [];
  const features = ['avx2', 'avx512f', 'avx512_vnni', 'avx_vnni', 'amx_int8', 'asimd'].filter((flag) =>
    flags.includes(flag),
  );
  const as = process.env.MASKCAST_BENCH_AS;
  const manifest = safeRead(new URL('../../../node_modules/onnxruntime-node/package.json', import.meta.url));
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    features: as ? `kernels for ${as} alone; has ${features.join(' ')}` : features.join(' '),
    cores: cpus().length,
    node: process.versions.node,
    onnxruntime: manifest ? (JSON.parse(manifest) as { version: string }).version : 'unknown',
  };
}

function safeRead(file: string | URL): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
