import { basename } from 'node:path';
import cliProgress from 'cli-progress';
import { Command, InvalidArgumentError } from 'commander';
import { InputError } from '../../config/errors.js';
import { modelSchema } from '../../config/schema.js';
import { readModel } from '../../models/onnx/decode.js';
import type { ModelProvider } from '../../models/runtime/model.js';
import type { FormNames } from '../../models/tuning/candidate.js';
import { formFile } from '../../models/tuning/form-files.js';
import { formsToTry, triedInt8 } from '../../models/tuning/forms-to-try.js';
import { describeChoice, tuningKey } from '../../models/tuning/plan.js';
import { probe } from '../../models/tuning/probe.js';
import {
  entryFor,
  type TuningEntry,
  type TuningKey,
  type TuningRecord,
  withEntry,
} from '../../models/tuning/record.js';
import { fileDigest, readRecords, tunedFolder, writeRecord } from '../../models/tuning/store.js';
import { explainTable } from '../../models/tuning/table.js';
import { tune } from '../../models/tuning/tune.js';
import { MOST_WORKERS } from '../inference/layout.js';

interface TuneFlags {
  readonly batch: readonly number[];
  readonly provider: ModelProvider;
  readonly budget: number;
  readonly data: string;
  readonly allow?: 'int8';
  readonly explain?: boolean;
  readonly force?: boolean;
  readonly json?: boolean;
}

/** `maskcast model tune <model.onnx>`: measures the ways to run a model on this machine, and keeps the fastest. */
export function tuneCommand(): Command {
  return new Command('tune')
    .description('measure forms, threads and batches of a model on this machine and keep the fastest for later runs')
    .argument('<file>', 'ONNX file')
    .option('--batch <list>', 'frames a run to measure at', batchesOf, [1, 4])
    .option('--provider <name>', 'where it will run', providerOf, 'auto')
    .option('--budget <seconds>', 'most time to measure', secondsOf, 300)
    .option(
      '--allow <int8>',
      'try int8 twins too (model.int8.onnx or model.int8-NAME.onnx beside it); results differ',
      allowOf,
    )
    .option('--data <dir>', 'data folder: keeps files in other forms', 'maskcast-data')
    .option('--explain', 'print the table of all that was measured')
    .option('--force', 'measure again')
    .option('--json', 'print one JSON object')
    .action(async (file: string, flags: TuneFlags) => {
      const say = (sentence: string): void => void process.stderr.write(`${file}: ${sentence}\n`);
      const model = readModel(file);
      const digest = await fileDigest(file);
      const key = tuningKey(flags.provider);
      const records = await readRecords(file, digest, flags.data, say);
      const known = records.find(({ record }) => entryFor(record, key));
      const before = known && entryFor(known.record, key);
      if (known && before && !flags.force && covers(before, flags)) {
        if (!flags.json) say('measured before on this machine; --force measures again');
        report(file, before, known.file, flags);
        return;
      }
      const { names, notes } = formsToTry(file, model, { int8: flags.allow === 'int8' });
      for (const note of notes) say(note);
      const entry = await measure(file, digest, key, names, flags, say);
      const record = withEntry(records[0]?.record, { file: basename(file), digest }, entry);
      report(file, entry, await keep(file, record, entry, flags.data), flags);
    });
}

/** Whether an entry answers what is asked for now. */
function covers(entry: TuningEntry, { batch, allow }: TuneFlags): boolean {
  return batch.every((frames) => entry.asked.includes(frames)) && (!allow || triedInt8(entry.table));
}

async function measure(
  file: string,
  digest: string,
  key: TuningKey,
  forms: readonly FormNames[],
  flags: TuneFlags,
  note: (sentence: string) => void,
): Promise<TuningEntry> {
  const stop = new AbortController();
  const onSignal = (): void => stop.abort();
  for (const signal of SIGNALS) process.once(signal, onSignal);
  const bar = process.stderr.isTTY
    ? new cliProgress.SingleBar({
        stream: process.stderr,
        clearOnComplete: true,
        format: 'measuring [{bar}] {percentage}%',
      })
    : undefined;
  bar?.start(100, 0);
  try {
    const { entry } = await tune({
      model: file,
      digest,
      forms,
      key,
      provider: flags.provider,
      batches: flags.batch,
      budgetS: flags.budget,
      mostWorkers: MOST_WORKERS,
      probe: async (request, mostMs) => {
        stop.signal.throwIfAborted();
        return await probe(request, AbortSignal.any([stop.signal, AbortSignal.timeout(Math.ceil(mostMs))]));
      },
      now: () => performance.now(),
      today: new Date().toISOString(),
      note,
      onProgress: (share) => bar?.update(Math.round(100 * share)),
    });
    return entry;
  } finally {
    bar?.stop();
    for (const signal of SIGNALS) process.removeListener(signal, onSignal);
  }
}

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** Writes the record and the files in the forms that were chosen. @returns the record's file */
async function keep(file: string, record: TuningRecord, entry: TuningEntry, data: string): Promise<string> {
  try {
    for (const { forms, digest: wanted } of entry.choices)
      await formFile(file, record.model.digest, forms, { folder: tunedFolder(data), wanted, note: () => {} });
    return await writeRecord(file, data, record);
  } catch (cause) {
    throw new InputError(
      `the choice for ${file} cannot be kept: ${cause instanceof Error ? cause.message : cause}; name a folder that takes files with --data`,
      { cause },
    );
  }
}

function report(file: string, entry: TuningEntry, keptIn: string, { explain, json }: TuneFlags): void {
  if (json) {
    process.stdout.write(`${JSON.stringify({ file, keptIn, ...entry })}\n`);
    return;
  }
  const lines = [
    ...(explain ? [explainTable(entry)] : []),
    ...entry.choices.map((choice) => describeChoice(choice, entry.measured)),
    `kept in ${keptIn}`,
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

function batchesOf(text: string): number[] {
  const batches = text.split(',').map(Number);
  if (batches.length === 0 || batches.some((frames) => !Number.isInteger(frames) || frames < 1 || frames > 64))
    throw new InvalidArgumentError('it must be whole numbers from 1 to 64, separated by commas, such as 1,4');
  return batches;
}

function providerOf(text: string): ModelProvider {
  const parsed = modelSchema.shape.provider.safeParse(text);
  if (!parsed.success)
    throw new InvalidArgumentError('it must be auto, cpu, webgpu, cuda, tensorrt, coreml or directml');
  return parsed.data;
}

function secondsOf(text: string): number {
  const seconds = Number(text);
  if (!(seconds >= 1 && seconds <= 86_400))
    throw new InvalidArgumentError('it must be a number of seconds from 1 to 86400');
  return seconds;
}

function allowOf(text: string): 'int8' {
  if (text !== 'int8') throw new InvalidArgumentError('it must be int8');
  return text;
}
