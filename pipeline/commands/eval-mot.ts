import cliProgress from 'cli-progress';
import { Command, Option } from 'commander';
import { InputError } from '../../config/errors.js';
import { readBenchmark, readResults } from '../../models/eval/mot/benchmark.js';
import type { MotView } from '../../models/eval/mot/clear.js';
import { countSequence, figuresOf, type MotCounts, type MotFigures, sumCounts } from '../../models/eval/mot/figures.js';

interface EvalMotOptions {
  readonly gt: string;
  readonly results: string;
  readonly switches: MotView;
  readonly sequences?: string;
  readonly json?: boolean;
}

/** `maskcast eval mot --gt FOLDER --results FOLDER [--switches devkit|trackeval] [--json]`: CLEAR, identity and HOTA figures. */
export function evalMotCommand(): Command {
  return new Command('mot')
    .description('score tracking results against MOTChallenge ground truth')
    .requiredOption('--gt <folder>', 'folder of sequences with gt/gt.txt each, or one such sequence')
    .requiredOption('--results <folder>', 'folder of SEQUENCE.txt files, or a path with {seq} for the name')
    .option('--sequences <names>', 'only these sequences, separated by commas')
    .addOption(
      new Option('--switches <view>', 'whose count of switches and fragments where they differ')
        .choices(['devkit', 'trackeval'])
        .default('devkit'),
    )
    .option('--json', 'print one JSON object')
    .action((options: EvalMotOptions) => {
      const counts = countAll(options);
      const sequences = Object.fromEntries([...counts].map(([name, one]) => [name, figuresOf(one)]));
      const overall = figuresOf(sumCounts([...counts.values()]));
      if (options.json) process.stdout.write(`${JSON.stringify({ overall, sequences })}\n`);
      else process.stdout.write(`${figureTable(Object.entries({ ...sequences, OVERALL: overall }))}\n`);
    });
}

function countAll({ gt, results, switches, sequences }: EvalMotOptions): Map<string, MotCounts> {
  const all = readBenchmark(gt);
  const names = sequences?.split(',').map((name) => name.trim());
  const unknown = names?.find((name) => !all.some((truth) => truth.name === name));
  if (unknown !== undefined) {
    throw new InputError(
      `--sequences names "${unknown}", which ${gt} does not hold; it has ${all.map(({ name }) => name).join(', ')}`,
    );
  }
  const chosen = names ? all.filter(({ name }) => names.includes(name)) : all;
  const bar = process.stderr.isTTY
    ? new cliProgress.SingleBar({
        stream: process.stderr,
        clearOnComplete: true,
        format: '{bar} {value}/{total} {name}',
      })
    : undefined;
  const counts = new Map<string, MotCounts>();
  try {
    bar?.start(chosen.length, 0, { name: '' });
    for (const truth of chosen) {
      const { file, rows } = readResults(results, truth.name);
      counts.set(truth.name, countSequence(truth, rows, file, switches));
      bar?.increment({ name: truth.name });
    }
  } finally {
    bar?.stop();
  }
  return counts;
}

const COLUMNS = [
  ...(['MOTA', 'MOTP', 'IDF1', 'IDP', 'IDR', 'HOTA', 'DetA', 'AssA', 'LocA'] as const),
  ...(['FP', 'FN', 'IDSW', 'FM', 'MT', 'PT', 'ML'] as const),
] satisfies readonly (keyof MotFigures)[];

const COUNTS: ReadonlySet<string> = new Set(['FP', 'FN', 'IDSW', 'FM', 'MT', 'PT', 'ML']);

/** A line per sequence, aligned; percentages with two digits. */
function figureTable(rows: readonly (readonly [string, MotFigures])[]): string {
  const cells = rows.map(([name, figures]) => [
    name,
    ...COLUMNS.map((column) => (COUNTS.has(column) ? String(figures[column]) : figures[column].toFixed(2))),
  ]);
  const table = [['sequence', ...COLUMNS], ...cells];
  const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)));
  return table
    .map((row) =>
      row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))).join('  '),
    )
    .join('\n');
}
