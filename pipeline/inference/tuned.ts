import { availableParallelism } from 'node:os';
import { tunedPlan } from '../../models/tuning/plan.js';
import { chooseLayout } from './layout.js';
import type { DetectorOptions } from './pool.js';
import type { InferenceThread } from './worker-thread.js';

/** A file and how to run it. */
export interface Runnable {
  readonly file: string;
  readonly workers: number;
  readonly threads: number;
  readonly batch: number;
}

export type Tuned = Runnable & { readonly ranOn: string; readonly sentence: string };

/** What was tuned, where the settings leave it to us: a number that the user gave stays. */
export async function planOf(options: DetectorOptions, digest: string | undefined): Promise<Tuned | undefined> {
  const { file, dataFolder, provider, batch, log } = options;
  if (dataFolder === undefined || digest === undefined) return undefined;
  const note = (sentence: string): void => log.warn({ model: file }, sentence);
  const plan = await tunedPlan({ model: file, digest, dataFolder, provider, batch, note });
  if (!plan) return undefined;
  const asked = options.workers !== 'auto' || options.threads !== 'auto';
  return asked ? { ...plan, ...chooseLayout(options, availableParallelism(), true) } : plan;
}

/** The first worker of the tuned form; undefined, with a line in the log, when it is not what was measured. */
export async function startTuned(
  tuned: Tuned,
  start: () => Promise<InferenceThread>,
  { file, log }: DetectorOptions,
): Promise<InferenceThread | undefined> {
  let reason: string;
  try {
    const first = await start();
    if (first.info.provider === tuned.ranOn) {
      log.info({ model: file }, tuned.sentence);
      return first;
    }
    await first.close();
    reason = `it was measured on ${tuned.ranOn} and would run on ${first.info.provider}`;
  } catch (cause) {
    reason = cause instanceof Error ? cause.message : String(cause);
  }
  log.warn({ model: file }, `the tuned form is passed over and the model runs as it is: ${reason}`);
  return undefined;
}
