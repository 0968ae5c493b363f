import { createTracker, stepTracker, type TrackerOptions } from '../../../operators/tracking/step-tracker.js';
import type { Instance, Size } from '../../../operators/types.js';
import type { MotRow } from './rows.js';

export interface TrackRowsOptions {
  readonly fps: number;
  /** Frames of the sequence; left out: up to the last detection. */
  readonly frames?: number | undefined;
  /** Size of the pictures; left out: no box counts as outside. */
  readonly source?: Size | undefined;
  /** A trusted track is also written while it is unseen for no longer than this, in seconds; 0 writes seen ones only. */
  readonly coastS: number;
  readonly tracker?: Partial<TrackerOptions>;
}

/** Of a track that may coast: mean score of its detections, and the time it has lived when it was last seen. */
const TRUSTED_SCORE = 0.97;
const TRUSTED_AGE_S = 1;

/** As much room as no picture has: nothing is outside. */
const BOUNDLESS: Size = { width: Number.MAX_SAFE_INTEGER, height: Number.MAX_SAFE_INTEGER };

/**
 * Runs the tracker over MOTChallenge detections. Strictly online: what is written for a frame depends on it and earlier
 * ones only; nothing is filled in afterwards. Detections carry no class and count as persons; their scores are cut to 0…1.
 *
 * @param rows  detections in any order; `value` is the score
 * @returns     sorted by frame, then id; boxes may leave the picture as the benchmark's own do; `value` is the score
 */
export function trackRows(rows: readonly MotRow[], options: TrackRowsOptions): MotRow[] {
  const byFrame = new Map<number, MotRow[]>();
  let last = options.frames ?? 0;
  for (const row of rows) {
    last = Math.max(last, row.frame);
    const same = byFrame.get(row.frame);
    if (same) same.push(row);
    else byFrame.set(row.frame, [row]);
  }
  const prefix = 'mot';
  const source = options.source ?? BOUNDLESS;
  let state = createTracker({ clipToFrame: false, ...options.tracker }, prefix);
  const records = new Map<string, Sightings>();
  const tracked: MotRow[] = [];
  for (let frame = 1; frame <= last; frame++) {
    const pts = (frame - 1) / options.fps;
    const detections = (byFrame.get(frame) ?? []).map(detectionOf);
    const step = stepTracker(state, { epoch: 0, pts, source, detections });
    state = step.state;
    for (const instance of step.instances) {
      if (instance.state !== 'lost') records.set(instance.id, record(records.get(instance.id), instance, pts));
      else if (!mayCoast(records.get(instance.id), pts, options.coastS)) continue;
      tracked.push(rowOf(instance, frame, Number(instance.id.slice(prefix.length + 1))));
    }
  }
  return tracked;
}

interface Sightings {
  readonly count: number;
  readonly scoreSum: number;
  readonly lastPts: number;
  readonly ageS: number;
}

const record = (before: Sightings | undefined, { score, age }: Instance, lastPts: number): Sightings => ({
  count: (before?.count ?? 0) + 1,
  scoreSum: (before?.scoreSum ?? 0) + score,
  lastPts,
  ageS: age,
});

function mayCoast(seen: Sightings | undefined, pts: number, coastS: number): boolean {
  if (!seen || pts - seen.lastPts > coastS + 1e-9) return false;
  return seen.scoreSum / seen.count >= TRUSTED_SCORE && seen.ageS >= TRUSTED_AGE_S;
}

const detectionOf = ({ left, top, width, height, value }: MotRow) => ({
  label: 'person',
  score: Math.min(1, Math.max(0, value)),
  box: [left, top, left + width, top + height] as const,
});

const rowOf = ({ box: [x1, y1, x2, y2], score }: Instance, frame: number, id: number): MotRow => ({
  frame,
  id,
  left: x1,
  top: y1,
  width: x2 - x1,
  height: y2 - y1,
  value: score,
});

/** Result lines as the benchmarks take them: ten columns, the last three −1. */
export function formatMotRows(rows: readonly MotRow[]): string {
  return rows
    .map(({ frame, id, left, top, width, height, value }) => {
      const box = [left, top, width, height].map((side) => side.toFixed(2)).join(',');
      return `${frame},${id},${box},${value.toFixed(4)},-1,-1,-1\n`;
    })
    .join('');
}
