import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InputError } from '../../config/errors.js';
import { isOlderProcessor, olderRuntime } from '../support/older-processor.js';
import { type Bench, type BenchRow, machine } from './harness.js';

/** `npm run bench -- NAME [--json] [--as avx2|avx-vnni: the kernels of an older processor] [arguments of the benchmark]` */
const args = process.argv.slice(2);
const as = args.indexOf('--as');
const [, kind = ''] = as < 0 ? [] : args.splice(as, 2);
const json = args.includes('--json');
const [name, ...rest] = args.filter((arg) => arg !== '--json');
const known = readdirSync(new URL('.', import.meta.url))
  .filter((file) => file.endsWith('.js') && !['main.js', 'harness.js'].includes(file))
  .map((file) => file.slice(0, -'.js'.length));

if (as >= 0) {
  process.exitCode = await asOlder(kind, args);
} else if (!name || !known.includes(name)) {
  console.error(`benchmark "${name ?? ''}" is not known; name one of: ${known.join(', ')}`);
  process.exitCode = 2;
} else {
  const { bench } = (await import(`./${name}.js`)) as { bench: Bench };
  console.error(bench.about);
  try {
    const rows = await bench.run(rest, (line) => console.error(line));
    console.log(json ? JSON.stringify({ name, machine: machine(), rows }) : table(rows));
  } catch (cause) {
    if (!(cause instanceof InputError || isUsage(cause))) throw cause;
    console.error(cause.message);
    process.exitCode = 2;
  }
}

/** The same benchmark in a process whose runtime takes the processor for an older one. */
async function asOlder(kind: string, args: readonly string[]): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'maskcast-bench-as-'));
  try {
    const library = isOlderProcessor(kind) ? await olderRuntime(kind, folder) : undefined;
    if (!library) {
      console.error(`--as "${kind}" cannot be: name avx2 or avx-vnni, on Linux and x64`);
      return 2;
    }
    const env = { ...process.env, LD_LIBRARY_PATH: library, MASKCAST_BENCH_AS: kind };
    const child = spawn(process.execPath, [process.argv[1]!, ...args], { stdio: 'inherit', env });
    const [code] = (await once(child, 'exit')) as [number | null];
    return code ?? 1;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** What `parseArgs` throws for an option or argument that a benchmark does not have. */
function isUsage(cause: unknown): cause is Error {
  return cause instanceof Error && 'code' in cause && String(cause.code).startsWith('ERR_PARSE_ARGS');
}

function table(rows: readonly BenchRow[]): string {
  const { cpu, features, cores, node, onnxruntime } = machine();
  const memory = rows.some(({ peakMB }) => peakMB !== undefined);
  const lines = rows.map((row) => [
    row.case,
    row.variant,
    String(row.batch),
    String(row.n),
    row.medianMs.toFixed(2),
    row.minMs.toFixed(2),
    `${row.ratio.toFixed(2)}x ${row.against}`,
    ...(memory ? [row.peakMB === undefined ? '-' : String(Math.round(row.peakMB))] : []),
    Object.entries(row.more ?? {})
      .map(([key, value]) => `${key}=${typeof value === 'number' ? Number(value.toPrecision(4)) : value}`)
      .join(' '),
  ]);
  const titles = ['case', 'variant', 'batch', 'n', 'median ms', 'min ms', 'ratio', ...(memory ? ['peak MB'] : []), ''];
  const all = [titles, ...lines];
  const widths = all[0]!.map((_, column) => Math.max(...all.map((line) => line[column]!.length)));
  const body = all.map((line) =>
    line
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  );
  return [`${cpu} (${features}), ${cores} cores, Node ${node}, ONNX Runtime ${onnxruntime}`, ...body].join('\n');
}
