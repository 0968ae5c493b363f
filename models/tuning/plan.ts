import type { ModelProvider } from '../runtime/model.js';
import { nameForms } from './candidate.js';
import { formFile } from './form-files.js';
import { describeProcessor, runtimeVersion, thisProcessor } from './processor.js';
import { bestChoice, choiceFor, entryFor, type TuningChoice, type TuningKey } from './record.js';
import { readRecords, tunedFolder } from './store.js';

/** How to run a model, as `maskcast model tune` chose on this machine. */
export interface TunedPlan {
  /** The model itself, or the same in another form. */
  readonly file: string;
  readonly workers: number;
  readonly threads: number;
  readonly batch: number;
  /** Where it was measured; another provider makes it void. */
  readonly ranOn: string;
  /** One line for the log. */
  readonly sentence: string;
}

export interface PlanOptions {
  readonly model: string;
  /** SHA-256 of the model. */
  readonly digest: string;
  readonly dataFolder: string;
  readonly provider: ModelProvider;
  readonly batch: number | 'auto';
  /** Hears what is passed over and why. */
  readonly note: (sentence: string) => void;
}

/** Difference between batches that no one notices. */
const BATCH_MARGIN = 0.05;

/** What makes a measurement valid: the processor at hand, the runtime, and the provider that was asked for. */
export function tuningKey(provider: ModelProvider): TuningKey {
  return { processor: thisProcessor(), runtime: runtimeVersion(), provider };
}

/**
 * The choice that was measured for this model on this machine; undefined when there is none that holds. Never throws for what it
 * finds on disk: a damaged record, a stale one or a form that cannot be had leads to the model as it is, and `note` says so.
 */
export async function tunedPlan(options: PlanOptions): Promise<TunedPlan | undefined> {
  const { model, digest, dataFolder, provider, batch, note } = options;
  const key = tuningKey(provider);
  const records = await readRecords(model, digest, dataFolder, note);
  const entry = records.map(({ record }) => entryFor(record, key)).find((one) => one !== undefined);
  if (!entry) {
    if (records.length > 0)
      note(
        `it is not tuned for this machine (${describeProcessor(key.processor)}, ${key.runtime}, ${provider}); run \`maskcast model tune\``,
      );
    return undefined;
  }
  const choice = batch === 'auto' ? bestChoice(entry, BATCH_MARGIN) : choiceFor(entry, batch);
  const { workers, threads } = choice;
  try {
    const file = await formFile(model, digest, choice.forms, {
      folder: tunedFolder(dataFolder),
      wanted: choice.digest,
      note,
    });
    return {
      file,
      workers,
      threads,
      batch: batch === 'auto' ? choice.batch : batch,
      ranOn: entry.ranOn,
      sentence: describeChoice(choice, entry.measured),
    };
  } catch (cause) {
    note(
      `the form ${nameForms(choice.forms)} cannot be had and the model runs as it is: ${cause instanceof Error ? cause.message : cause}`,
    );
    return undefined;
  }
}

/** `tuned: separated=spectral, 2x1 (workers x threads), batch 1: 2.1 times as fast as untuned, measured 2026-11-24` */
export function describeChoice({ forms, workers, threads, batch, ratio }: TuningChoice, measured: string): string {
  const gain = ratio > 1.005 ? `${ratio.toFixed(2)} times as fast as untuned` : 'as fast as untuned';
  return `tuned: ${nameForms(forms)}, ${workers}x${threads} (workers x threads), batch ${batch}: ${gain}, measured ${measured.slice(0, 10)}`;
}
