import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import type { ModelInfo, ModelProvider } from '../runtime/model.js';
import { agreement } from './agree.js';
import {
  type Candidate,
  type FormNames,
  layoutsFor,
  nameCandidate,
  nameForms,
  PRECISION,
  type Sample,
} from './candidate.js';
import { type ChoiceRule, choose, type Verdict } from './choose.js';
import { buildFormFile, type FormFile } from './form-files.js';
import type { ProbeAnswer, ProbeRequest } from './probe-messages.js';
import { race } from './race.js';
import type { TuningChoice, TuningEntry, TuningKey, TuningRow } from './record.js';

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
  readonly probe: (request: ProbeRequest) => Promise<ProbeAnswer>;
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

const ROUNDS = 5;
/** A candidate must win this much: medians of equal ones differ by up to 3 % on a quiet machine. */
const MARGIN = 0.05;
const LEAST_LOOKS = 3;
/** A look times about this long, or one run. */
const LOOK_MS = 500;
/** Below it, a form does not compute what the direct form computes. */
const LEAST_AGREEMENT = 0.95;
/** A candidate may take this share of the machine's memory: ffmpeg, clips and other programs need the rest. */
const MEMORY_SHARE = 0.5;

/**
 * Measures the ways to run a model and picks one for each batch, in two races: first the forms in the default layout (as many
 * workers as cores), then the layouts of the form that won. The direct form in the default layout is the reference of the
 * first race, and stays the choice unless something beats it by more than noise.
 *
 * @throws Error when the model cannot run as it is
 */
export async function tune(options: TuneOptions): Promise<Tuning> {
  const { model, digest, key, provider, now, note, today } = options;
  const start = now();
  const end = start + options.budgetS * 1000;
  const folder = await mkdtemp(join(tmpdir(), 'maskcast-tune-'));
  try {
    const files = new Map<string, FormFile>();
    for (const forms of options.forms) files.set(nameForms(forms), await buildFormFile(model, digest, forms, folder));

    const look = (candidate: Candidate): Promise<ProbeAnswer> => {
      const { workers, threads, batch } = candidate;
      const { file } = files.get(nameForms(candidate.forms))!; // Built above for every name there is.
      return options.probe({ file, provider, workers, threads, batch, leastMs: LOOK_MS });
    };
    // The first look tells what the model is, and brings the file into the system's cache.
    const plain: Candidate = { forms: {}, workers: 1, threads: key.processor.cores, batch: 1 };
    const { info, notes } = await look(plain);
    for (const sentence of notes) note(sentence);

    const layouts = info.provider === 'cpu' ? layoutsFor(key.processor.cores, options.mostWorkers) : [ONE_WORKER];
    const batches = batchesFor(options.batches, info.fixedBatch);
    const races = batches.length * 2;
    const table: TuningRow[] = [];
    const choices: TuningChoice[] = [];
    for (const [i, batch] of batches.entries()) {
      const reference = { forms: {}, ...layouts[0]!, batch };
      let truth: ProbeAnswer | undefined;
      const measure = async (candidate: Candidate): Promise<Sample> => {
        const answer = await look(candidate);
        truth ??= answer;
        return { ...answer.sample, agreement: mustAgree(candidate, answer, truth) };
      };
      const run = async (candidates: readonly Candidate[], step: number): Promise<Verdict<Candidate>[]> => {
        let looks = 0;
        const share = (): number => (step + looks / (candidates.length * ROUNDS)) / races;
        const verdicts = choose(
          await race(candidates, {
            measure,
            rounds: candidates.length > 1 ? ROUNDS : LEAST_LOOKS,
            until: now() + (end - now()) / (races - step),
            now,
            onLook: () => {
              looks++;
              options.onProgress?.(share());
            },
          }),
          RULE,
        );
        table.push(...verdicts.map(toRow));
        return verdicts;
      };
      const forms = await run(
        options.forms.map((one) => ({ ...reference, forms: one })),
        2 * i,
      );
      const winner = chosenOf(forms);
      if (winner.n === 0)
        throw new Error(`${nameCandidate(winner.candidate)} cannot run: ${winner.why ?? 'no time was given'}`);
      const others = layouts.slice(1).map((layout) => ({ ...winner.candidate, ...layout }));
      const final = others.length ? chosenOf(await run([winner.candidate, ...others], 2 * i + 1)) : winner;
      if (forms[0]!.n < LEAST_LOOKS)
        note(
          `batch ${batch}: ${forms[0]!.n} of ${LEAST_LOOKS} looks in the time that was given; give more with --budget`,
        );
      choices.push({
        ...final.candidate,
        medianMs: final.medianMs,
        // Through both races; the second one's reference is the first one's winner.
        ratio: final === winner ? winner.ratio : winner.ratio * final.ratio,
        digest: files.get(nameForms(final.candidate.forms))!.digest,
      });
    }
    return {
      info,
      entry: { ...key, ranOn: info.provider, measured: today, asked: [...options.batches], choices, table },
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const ONE_WORKER = { workers: 1, threads: 1 };
const RULE: ChoiceRule = { margin: MARGIN, least: LEAST_LOOKS, mostBytes: totalmem() * MEMORY_SHARE };

function batchesFor(asked: readonly number[], fixed: number | undefined): number[] {
  if (fixed !== undefined) return [fixed];
  return [...new Set(asked)].toSorted((a, b) => a - b);
}

const chosenOf = (verdicts: readonly Verdict<Candidate>[]): Verdict<Candidate> =>
  verdicts.find(({ chosen }) => chosen)!;

/**
 * @returns share of agreement with the direct form
 * @throws Error when a form that should compute the same does not
 */
function mustAgree({ forms }: Candidate, answer: ProbeAnswer, truth: ProbeAnswer): number {
  const share = agreement(truth.found, answer.found);
  if (share < LEAST_AGREEMENT && !(PRECISION in forms))
    throw new Error(`its result differs: ${(100 * share).toFixed(0)} % of the instances agree with the direct form's`);
  return share;
}

function toRow({
  candidate,
  n,
  medianMs,
  minMs,
  runMs,
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
    peakMB: Math.round(peakBytes / 1e6),
    ratio: seen(ratio),
    agreement: round(agrees),
    chosen,
    ...(why && { why }),
  };
}

const round = (value: number): number => Math.round(value * 1000) / 1000;
