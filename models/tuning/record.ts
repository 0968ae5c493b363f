import { z } from 'zod';

/** The file that keeps what was measured and chosen for one model: one entry a kind of processor, runtime and provider. */

const formNames = z.record(z.string(), z.string());

const rowSchema = z.object({
  batch: z.number().int().positive(),
  forms: formNames,
  workers: z.number().int().positive(),
  threads: z.number().int().positive(),
  /** Looks that count. */
  n: z.number().int().nonnegative(),
  /** ms a frame while all workers are busy; null without a look. */
  medianMs: z.number().nullable(),
  minMs: z.number().nullable(),
  /** ms one run takes. */
  runMs: z.number().nullable(),
  /** ms of all cores together a frame. */
  cpuMs: z.number().nullable(),
  peakMB: z.number(),
  /** Reference's time ÷ this one's, same race; null without a look. */
  ratio: z.number().nullable(),
  /** Share of the instances that this and the direct form agree on. */
  agreement: z.number(),
  chosen: z.boolean(),
  why: z.string().optional(),
});

const choiceSchema = z.object({
  batch: z.number().int().positive(),
  forms: formNames,
  workers: z.number().int().positive(),
  threads: z.number().int().positive(),
  medianMs: z.number(),
  /** Direct form in the default layout ÷ this, ms a frame. */
  ratio: z.number(),
  /** SHA-256 of the file in these forms; the model's own for none. */
  digest: z.string(),
});

const entrySchema = z.object({
  processor: z.object({
    model: z.string(),
    features: z.array(z.string()).readonly(),
    cores: z.number().int().positive(),
  }),
  runtime: z.string(),
  /** As asked for: `auto` and `cpu` are measured and kept each on its own. */
  provider: z.string(),
  /** Where it ran. */
  ranOn: z.string(),
  /** When, UTC. */
  measured: z.string(),
  /** Batches that were asked for; the model may have taken others. */
  asked: z.array(z.number().int().positive()),
  /** One a batch, smallest first. */
  choices: z.array(choiceSchema).min(1),
  /** Everything that was looked at; race by race. */
  table: z.array(rowSchema),
});

export const recordSchema = z.object({
  schema: z.literal(1),
  model: z.object({ file: z.string(), digest: z.string() }),
  entries: z.array(entrySchema),
});

export type TuningRow = z.output<typeof rowSchema>;
export type TuningChoice = z.output<typeof choiceSchema>;
export type TuningEntry = z.output<typeof entrySchema>;
export type TuningRecord = z.output<typeof recordSchema>;

/** What an entry must match to be used. */
export type TuningKey = Pick<TuningEntry, 'processor' | 'runtime' | 'provider'>;

/** The entry measured under the same circumstances. */
export function entryFor(record: TuningRecord, key: TuningKey): TuningEntry | undefined {
  return record.entries.find((entry) => sameKey(entry, key));
}

/** The record with this entry, which takes the place of an older one of the same key. */
export function withEntry(
  record: TuningRecord | undefined,
  model: TuningRecord['model'],
  entry: TuningEntry,
): TuningRecord {
  const others = record?.model.digest === model.digest ? record.entries.filter((one) => !sameKey(one, entry)) : [];
  return { schema: 1, model, entries: [...others, entry] };
}

/** The choice for runs of `batch` frames: the one measured at the largest batch that is not above it, else the smallest. */
export function choiceFor({ choices }: TuningEntry, batch: number): TuningChoice {
  const sorted = choices.toSorted((a, b) => a.batch - b.batch);
  return sorted.findLast((choice) => choice.batch <= batch) ?? sorted[0]!;
}

/**
 * The choice where the batch is left to us: the least time a frame; of those that differ by less than `margin` the smallest batch,
 * in which no frame waits for others.
 */
export function bestChoice({ choices }: TuningEntry, margin: number): TuningChoice {
  const leastMs = Math.min(...choices.map(({ medianMs }) => medianMs));
  return choices.toSorted((a, b) => a.batch - b.batch).find(({ medianMs }) => medianMs <= leastMs * (1 + margin))!;
}

function sameKey(a: TuningKey, b: TuningKey): boolean {
  return (
    a.provider === b.provider &&
    a.runtime === b.runtime &&
    a.processor.model === b.processor.model &&
    a.processor.cores === b.processor.cores &&
    a.processor.features.join() === b.processor.features.join()
  );
}
