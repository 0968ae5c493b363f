import { readFile, writeFile } from 'node:fs/promises';
import cliProgress from 'cli-progress';
import { Command, Option } from 'commander';
import { InputError } from '../../config/errors.js';
import { checkConfig } from '../../config/load.js';
import { evaluatedClasses } from '../../models/eval/coco/classes.js';
import { type CocoFigures, evaluateCoco } from '../../models/eval/coco/evaluate.js';
import { type CocoResult, parseCocoResults, resultsToJson } from '../../models/eval/coco/results.js';
import { type CocoTruth, parseCocoTruth } from '../../models/eval/coco/truth.js';
import { detectCocoResults } from '../inference/coco-results.js';
import { openDetector } from '../inference/pool.js';
import { createLog, type Log } from '../log.js';
import { modelFile } from '../settings.js';

interface EvalCocoOptions {
  readonly annotations: string;
  readonly model?: string;
  readonly images?: string;
  readonly results?: string;
  readonly classes?: string;
  readonly minScore: string;
  readonly save?: string;
  readonly json?: boolean;
}

/** Figures of a run; `segm` only where ground truth and results have masks. */
interface Evaluation {
  readonly images: number;
  readonly bbox: CocoFigures;
  readonly segm?: CocoFigures;
}

/**
 * `maskcast eval coco --annotations FILE (--model FILE --images FOLDER | --results FILE) [--classes a,b] [--save FILE] [--json]`:
 * box and mask figures as the COCO tools compute them.
 */
export function evalCocoCommand(): Command {
  return new Command('coco')
    .description('score a detector, or its saved results, against COCO ground truth')
    .requiredOption('--annotations <file>', 'COCO ground truth (JSON)')
    .option('-m, --model <file>', 'detector to run on the pictures: ONNX file, or name of a model')
    .option('--images <folder>', 'pictures of the ground truth')
    .addOption(
      new Option('--results <file>', 'COCO results (JSON) instead of a model').conflicts(['model', 'images', 'save']),
    )
    .option('--classes <names>', 'only these classes, separated by commas')
    .option('--min-score <score>', 'leave out instances below this score; low, for every one counts', '0.01')
    .option('--save <file>', 'write what the model found as COCO results')
    .option('--json', 'print one JSON object')
    .action(async (options: EvalCocoOptions) => {
      const log = createLog('warn');
      const truth = parseCocoTruth(await readJson(options.annotations), options.annotations);
      const wanted = options.classes?.split(',').map((name) => name.trim());
      const classes = evaluatedClasses(truth, wanted);
      const { results, masks } = await obtainResults(options, truth, classes.bbox, log);
      if (options.save !== undefined) await saveResults(options.save, results, truth);
      const kinds = masks && classes.segm.length > 0 ? (['bbox', 'segm'] as const) : (['bbox'] as const);
      if (masks && classes.segm.length < classes.bbox.length) {
        const names = classes.bbox.filter((id) => !classes.segm.includes(id)).map((id) => truth.categories.get(id));
        log.warn({ classes: names }, 'the ground truth has objects of these classes without a mask; boxes only');
      }
      const bar = progressBar('classes');
      try {
        bar?.start(
          kinds.reduce((sum, kind) => sum + classes[kind].length, 0),
          0,
        );
        const figures = kinds.map((kind) => [
          kind,
          evaluateCoco(truth, results, kind, classes[kind], () => bar?.increment()),
        ]);
        const evaluation = { images: truth.images.size, ...Object.fromEntries(figures) } as Evaluation; // of `kinds`
        bar?.stop();
        process.stdout.write(`${options.json ? JSON.stringify(evaluation) : describe(evaluation)}\n`);
      } finally {
        bar?.stop();
      }
    });
}

async function obtainResults(
  { results, model, images, minScore, annotations }: EvalCocoOptions,
  truth: CocoTruth,
  categories: readonly number[],
  log: Log,
): Promise<{ results: CocoResult[]; masks: boolean }> {
  if (results !== undefined) {
    const parsed = parseCocoResults(await readJson(results), results, truth);
    return { results: parsed, masks: parsed.some(({ mask }) => mask) };
  }
  if (model === undefined || images === undefined) {
    throw new InputError(
      `eval coco --annotations ${annotations} has nothing to score; give --model FILE with --images FOLDER, or --results FILE`,
    );
  }
  const least = Number(minScore);
  if (!(least >= 0 && least <= 1)) {
    throw new InputError(`--min-score is "${minScore}"; it must be a number from 0 to 1`);
  }
  const detector = await openDetector({ ...checkConfig({}).model, file: modelFile(model), minScore: least, log });
  const bar = progressBar('pictures');
  try {
    const unknown = categories
      .map((id) => truth.categories.get(id)!)
      .filter((name) => !detector.info.labels.includes(name));
    if (unknown.length > 0) {
      log.warn(
        { classes: unknown },
        'the model does not know these classes; they count with 0 unless --classes leaves them out',
      );
    }
    bar?.start(truth.images.size, 0);
    const found = await detectCocoResults(detector, truth, images, () => bar?.increment());
    return { results: found, masks: detector.info.masks };
  } finally {
    bar?.stop();
    await detector.close();
  }
}

async function readJson(file: string): Promise<unknown> {
  const text = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new InputError(`${file}: cannot be read (${cause.code ?? cause.message}); name a JSON file`, { cause });
  });
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new InputError(`${file}: is not JSON (${(cause as Error).message})`, { cause });
  }
}

async function saveResults(file: string, results: readonly CocoResult[], truth: CocoTruth): Promise<void> {
  await writeFile(file, JSON.stringify(resultsToJson(results, truth))).catch((cause: NodeJS.ErrnoException) => {
    throw new InputError(`--save ${file}: cannot be written (${cause.code}); name a file in a folder that exists`, {
      cause,
    });
  });
}

function progressBar(unit: string): cliProgress.SingleBar | undefined {
  if (!process.stderr.isTTY) return undefined;
  const format = `{bar} {value}/{total} ${unit} | {eta_formatted} left`;
  return new cliProgress.SingleBar({ stream: process.stderr, clearOnComplete: true, format });
}

/** A line per kind with the twelve figures, then a line per class. */
function describe({ images, bbox, segm }: Evaluation): string {
  const kinds = [['bbox', bbox] as const, ...(segm ? [['segm', segm] as const] : [])];
  const { perClass, ...twelve } = bbox;
  const columns = Object.keys(twelve) as (keyof typeof twelve)[]; // the keys of `twelve`, no more
  const summary = [
    ['', ...columns],
    ...kinds.map(([kind, of]) => [kind, ...columns.map((column) => digits(of[column]))]),
  ];
  const classes = Object.keys(perClass).map((name) => [
    name,
    ...kinds.flatMap(([, of]) => [digits(of.perClass[name]?.AP ?? null), digits(of.perClass[name]?.AP50 ?? null)]),
  ]);
  const head = ['class', ...kinds.flatMap(([kind]) => [`${kind} AP`, `${kind} AP50`])];
  return [`${images} pictures`, '', table(summary), '', table([head, ...classes])].join('\n');
}

/** Three digits, as COCO figures are quoted; a dash where there is nothing to be found. */
function digits(value: number | null): string {
  return value === null ? '-' : value.toFixed(3);
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) => row.map((cell, i) => (i === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[i]!))).join('  '))
    .join('\n');
}
