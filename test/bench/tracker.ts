import {
  createTracker,
  stepTracker,
  type TrackerFrame,
  type TrackerState,
} from '../../operators/tracking/step-tracker.js';
import type { Detection } from '../../operators/types.js';
import { type Bench, interleave, type Variant } from './harness.js';

const OBJECTS = 100;
const STEPS = 200;
const source = { width: 1920, height: 1080 };

/** Objects that cross the picture on straight lines and meet; every twentieth detection is missing. */
function crowd(objects: number): TrackerFrame[] {
  return Array.from({ length: STEPS }, (_, step) => ({
    epoch: 0,
    pts: step / 10,
    source,
    detections: Array.from({ length: objects }, (_, n): Detection => {
      const x = ((n * 397) % 1800) + (((n % 7) - 3) * step) / 2;
      const y = ((n * 211) % 900) + (((n % 5) - 2) * step) / 2;
      return { label: 'person', score: 0.6 + ((n * 7 + step) % 30) / 100, box: [x, y, x + 40, y + 100] };
    }).filter((_, n) => (n + step) % 20 !== 0),
  }));
}

/** One frame of the tracker at several sizes of crowd; the times are of {@link STEPS} frames, `more` has them per frame. */
export const bench: Bench = {
  about: `the tracker's step, ${STEPS} frames a run, crowds of 10, 50 and ${OBJECTS} objects (about ten seconds). Arguments: ROUNDS`,
  async run([rounds = '15'], say) {
    const play = (frames: readonly TrackerFrame[]): void => {
      let state: TrackerState = createTracker({}, 'bench');
      for (const frame of frames) state = stepTracker(state, frame).state;
    };
    const variants: Variant[] = [10, 50, OBJECTS].map((objects) => {
      const frames = crowd(objects);
      return { case: `${STEPS} frames`, variant: `${objects} objects`, run: () => play(frames) };
    });
    const rows = await interleave(variants, { rounds: Number(rounds), say });
    return rows.map((row) => ({ ...row, more: { 'ms a frame': row.medianMs / STEPS } }));
  },
};
