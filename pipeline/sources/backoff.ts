/** Growing, jittered waits between attempts. */
export interface Backoff {
  /** Milliseconds until the next attempt. */
  next(): number;
  /** After a good connection. */
  reset(): void;
}

const FIRST_MS = 500;
/** Frames must flow within 5 s of a camera's return, so waits stay short while its return is likely. */
const EARLY_CAP_MS = 2_000;
const LATE_CAP_MS = 30_000;
const EARLY_MS = 10 * 60_000;

/**
 * 0.5 s, doubling to 2 s for the first ten minutes of an outage and to 30 s later; each shortened by up to a quarter,
 * so that the cameras of a switch that restarts do not knock all at once.
 *
 * @param random  0…1
 * @param nowMs   any clock
 */
export function createBackoff(random: () => number, nowMs: () => number): Backoff {
  let attempts = 0;
  let sinceMs: number | undefined;
  return {
    next() {
      const now = nowMs();
      sinceMs ??= now;
      const cap = now - sinceMs < EARLY_MS ? EARLY_CAP_MS : LATE_CAP_MS;
      const wait = Math.min(cap, FIRST_MS * 2 ** Math.min(attempts++, 16));
      return wait * (1 - 0.25 * random());
    },
    reset() {
      attempts = 0;
      sinceMs = undefined;
    },
  };
}
