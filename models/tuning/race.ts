import type { Sample } from './candidate.js';

/** A candidate's way through a race. */
export interface Standing<C> {
  readonly candidate: C;
  /** In the order of the rounds; undefined where it took no part. */
  readonly samples: readonly (Sample | undefined)[];
  /** Why it left before the end. */
  readonly left?: string;
}

export interface RaceOptions<C> {
  /** One look at a candidate. @throws any error: the candidate cannot run here */
  readonly measure: (candidate: C) => Promise<Sample>;
  readonly rounds: number;
  /** No new look begins after this moment of `now`. */
  readonly until: number;
  /** Milliseconds of any steady clock. */
  readonly now: () => number;
  /** Called after each look. */
  readonly onLook?: (candidate: C) => void;
}

/**
 * This much behind the fastest after one look, after two and more, and it is out: looks at it would only cost time that close
 * rivals need. No hiccup of a shared machine makes twice the time out of the fastest's.
 */
const HOPELESS = [2, 1.3];

/**
 * Looks at each candidate once a round, in turn, so that a drift of a shared machine hits all alike; each round starts one place
 * further on. The first candidate is the reference: it takes part in every round.
 */
export async function race<C>(candidates: readonly C[], options: RaceOptions<C>): Promise<Standing<C>[]> {
  const { measure, rounds, until, now, onLook } = options;
  const runs = candidates.map((candidate) => ({
    candidate,
    samples: [] as (Sample | undefined)[],
    left: undefined as string | undefined,
  }));
  const reference = runs[0]!;
  for (let round = 0; round < rounds && !reference.left; round++) {
    for (let i = 0; i < runs.length; i++) {
      const run = runs[(i + round) % runs.length]!;
      if (run.left !== undefined) continue;
      if (now() >= until) return finished(runs);
      try {
        run.samples[round] = await measure(run.candidate);
      } catch (cause) {
        if (now() >= until) return finished(runs); // The time cut it off: no fault of its own.
        run.left = cause instanceof Error ? cause.message : String(cause);
      }
      onLook?.(run.candidate);
    }
    const best = Math.min(
      ...runs.map((run) => (run.left === undefined ? least(run.samples) : Number.POSITIVE_INFINITY)),
    );
    for (const run of runs) {
      if (run === reference || run.left !== undefined) continue;
      const behind = least(run.samples) / best;
      if (behind > (HOPELESS[round] ?? HOPELESS.at(-1)!))
        run.left = `${behind.toFixed(1)} times the fastest's time after ${round + 1} ${round ? 'looks' : 'look'}`;
    }
  }
  return finished(runs);
}

function finished<C>(
  runs: readonly { candidate: C; samples: (Sample | undefined)[]; left: string | undefined }[],
): Standing<C>[] {
  return runs.map(({ candidate, samples, left }) => ({
    candidate,
    samples,
    ...(left !== undefined && { left }),
  }));
}

const least = (samples: readonly (Sample | undefined)[]): number =>
  Math.min(...samples.flatMap((sample) => (sample ? [sample.msPerFrame] : [])));

/** Middle value; mean of the two middle ones for an even count; NaN for none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}
