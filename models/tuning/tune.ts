import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ModelInfo, ModelProvider } from '../runtime/model.js';
import { agreement } from './agree.js';
import { Budget } from './budget.js';
import { type Candidate, type FormNames, layoutsFor, nameCandidate, nameForms } from './candidate.js';
import type { Verdict } from './choose.js';
import { buildFormFile, type FormFile } from './form-files.js';
import type { ProbeAnswer, ProbeRequest } from './probe-messages.js';
import type { TuningChoice, TuningEntry, TuningKey, TuningRow } from './record.js';
import { candidatesOf, LEAST_LOOKS, type Look, tuneBatch } from './tune-batch.js';

export interface TuneOptions {
  readonly model: string;
  /** SHA-256 of the model. */
  readonly digest: string;
  /** Forms to try, the simpler first, beginning with `{}`. */
  readonly forms: readonly FormNames[];
  readonly key: TuningKey;
  readonly provider: ModelProvider;
  /** Frames a run to measure at; those that the model does not take are passed over. */
  readonly batches: readonly number[];
  /** Most time for all of it. */
  readonly budgetS: number;
  /** More workers are never tried. */
  readonly mostWorkers: number;
  /** Gives up after `mostMs`. */
  readonly probe: (request: ProbeRequest, mostMs: number) => Promise<ProbeAnswer>;
  /** Milliseconds of any steady clock. */
  readonly now: () => number;
  /** UTC. */
  readonly today: string;
  readonly note: (sentence: string) => void;
  /** Share of the way, 0…1. */
  readonly onProgress?: (share: number) => void;
}

/** What a tuning found, ready for the record, and what the model is. */
export interface Tuning {
  readonly entry: TuningEntry;
  readonly info: ModelInfo;
}

/** A look times about this long, or one run. */
const LOOK_MS = 500;
const ONE_WORKER = { workers: 1, threads: 1 };

/**
 * Measures the ways to run a model and picks one for each batch, in two races: first the forms in the default layout (as many
 * workers as cores), then the layouts of the form that won. The direct form in the default layout is the reference of both, and
 * stays the choice unless something beats it by more than noise inside the rounds of the last.
 *
 * @throws Error when the model cannot run as it is, or the time does not suffice for a single look
 */
export async function tune(options: TuneOptions): Promise<Tuning> {
  const { model, digest, key, note } = options;
  const folder = await mkdtemp(join(tmpdir(), 'maskcast-tune-'));
  try {
    const files = new Map<string, FormFile>();
    for (const forms of options.forms) files.set(nameForms(forms), await buildFormFile(model, digest, forms, folder));
    const clock = new Budget(options.now, options.budgetS, options.onProgress);
    const look: Look = ({ forms, workers, threads, batch }) => {
      const { file } = files.get(nameForms(forms))!; // Built above for every name there is.
      const request = { file, provider: options.provider, workers, threads, batch, leastMs: LOOK_MS };
      return options.probe(request, clock.leftMs());
    };
    // The first look tells what the model is, and brings the file into the system's cache.
    const plain = { forms: {}, workers: 1, threads: key.processor.cores, batch: 1 };
    const { info, notes, found: there } = await look(plain);
    for (const sentence of notes) note(sentence);
    if (info.provider !== 'cpu') {
      const { found } = await options.probe(
        { file: model, provider: 'cpu', ...plain, leastMs: LOOK_MS },
        clock.leftMs(),
      );
      const share = (100 * agreement(found, there)).toFixed(0);
      note(`${share} % of the instances found on ${info.provider} and on the processor agree`);
    }

    const layouts = info.provider === 'cpu' ? layoutsFor(key.processor.cores, options.mostWorkers) : [ONE_WORKER];
    const batches = info.fixedBatch === undefined ? inOrder(options.batches) : [info.fixedBatch];
    clock.plan(batches.length * candidatesOf(options.forms.length, layouts.length));
    const table: TuningRow[] = [];
    const choices: TuningChoice[] = [];
    const measured: number[] = [];
    for (const batch of batches) {
      const found = await tuneBatch({ look, clock, layouts, forms: options.forms, batch });
      table.push(...found.verdicts.map(toRow));
      const { winner, ratio, looks } = found;
      if (looks >= LEAST_LOOKS) measured.push(...(info.fixedBatch === undefined ? [batch] : options.batches));
      else note(`batch ${batch}: ${looks} of ${LEAST_LOOKS} looks in the time that was given; give more with --budget`);
      if (winner.n === 0) {
        if (winner.why) throw new Error(`${nameCandidate(winner.candidate)} cannot run: ${winner.why}`);
        continue;
      }
      choices.push({
        ...winner.candidate,
        medianMs: round(winner.medianMs),
        ratio: round(ratio),
        digest: files.get(nameForms(winner.candidate.forms))!.digest,
      });
    }
    if (choices.length === 0)
      throw new Error(`${options.budgetS} s do not suffice for one look; give more with --budget`);
    return {
      info,
      entry: { ...key, ranOn: info.provider, measured: options.today, asked: measured, choices, table },
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const inOrder = (batches: readonly number[]): number[] => [...new Set(batches)].toSorted((a, b) => a - b);

function toRow({
  candidate,
  n,
  medianMs,
  minMs,
  runMs,
  cpuMs,
  peakBytes,
  agreement: agrees,
  ratio,
  chosen,
  why,
}: Verdict<Candidate>): TuningRow {
  const seen = (value: number): number | null => (n > 0 ? round(value) : null);
  return {
    ...candidate,
    n,
    medianMs: seen(medianMs),
    minMs: seen(minMs),
    runMs: seen(runMs),
    cpuMs: seen(cpuMs),
    peakMB: Math.round(peakBytes / 1e6),
    ratio: seen(ratio),
    agreement: round(agrees),
    chosen,
    ...(why && { why }),
  };
}

const round = (value: number): number => Math.round(value * 1000) / 1000;
