import { createTracker, stepTracker, type TrackerState } from '../../operators/tracking/step-tracker.js';
import type { Detection } from '../../operators/types.js';
import { type Bench, type BenchRow, interleave, median } from './harness.js';

const SOURCE = { width: 1920, height: 1080 };
const FPS = 25;
const FRAMES = 200;

/** Small generator of numbers 0…1 from a seed (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** People of one height who walk about in a part of the picture; every one is found in every frame, with jitter. */
function walkers(count: number, width: number, height: number): Detection[][] {
  const random = seeded(count);
  const people = Array.from({ length: count }, () => ({
    x: 200 + width * random(),
    y: 200 + height * random(),
    dx: 2 * (random() - 0.5),
    dy: random() - 0.5,
  }));
  return Array.from({ length: FRAMES }, (_, index) =>
    people.map(({ x, y, dx, dy }): Detection => {
      const jitter = (): number => 2 * (random() - 0.5);
      const left = x + dx * index + jitter();
      const top = y + dy * index + jitter();
      const box = [left, top, left + 40 + jitter(), top + 100 + jitter()] as const;
      return { label: 'person', score: 0.6 + 0.4 * random(), box };
    }),
  );
}

/** Milliseconds of each step, after the tracks were confirmed. */
function timeSteps(scene: readonly (readonly Detection[])[]): {
  readonly times: number[];
  readonly state: TrackerState;
} {
  let state = createTracker({}, 'bench');
  const times: number[] = [];
  for (const [index, detections] of scene.entries()) {
    const start = performance.now();
    state = stepTracker(state, { epoch: 0, pts: index / FPS, source: SOURCE, detections }).state;
    if (index >= 50) times.push(performance.now() - start);
  }
  return { times, state };
}

const SCENES = [
  { name: '10 x 10', scene: walkers(10, 1500, 700) },
  { name: '100 x 100', scene: walkers(100, 1500, 700) },
  { name: '100 x 100 crowd', scene: walkers(100, 400, 300) },
];

/** `npm run bench -- tracker`: one step of the tracker, ms per frame. */
export const bench: Bench = {
  about: 'one step of the tracker, median ms a frame over a run of 150 frames',
  async run(_args, say): Promise<readonly BenchRow[]> {
    const steps = new Map<string, number[]>();
    const rows = await interleave(
      SCENES.map(({ name, scene }) => ({
        case: name,
        variant: 'stepTracker',
        run: () => {
          const { times } = timeSteps(scene);
          steps.set(name, [...(steps.get(name) ?? []), ...times]);
        },
      })),
      { rounds: 9, warmUp: 3, say },
    );
    // The harness times whole runs; what counts is a frame.
    return rows.map((row) => {
      const times = steps.get(row.case)!.toSorted((a, b) => a - b);
      const p95Ms = times[Math.floor(times.length * 0.95)]!;
      return { ...row, n: times.length, medianMs: median(times), minMs: times[0]!, more: { p95Ms } };
    });
  },
};
