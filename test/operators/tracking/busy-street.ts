import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createTracker, stepTracker } from '../../../operators/tracking/step-tracker.js';
import type { Detection } from '../../../operators/types.js';
import { at, SOURCE, seeded } from './scene.js';

const FPS = 5;
const LABELS = ['person', 'person', 'person', 'car', 'bicycle'];

/**
 * Hours of a busy street: somebody new every second, up to twelve at once, who cross the picture or stop in it; misses, low
 * scores, false detections.
 *
 * @returns characters of the state as JSON and bytes of the heap after collection, each quarter, and the tracks confirmed in all
 */
export function busyStreet({ hours, seed }: { hours: number; seed: number }) {
  const random = seeded(seed);
  let state = createTracker({}, 'street-x');
  let walkers: { label: string; x: number; y: number; dx: number; until: number; stop: number }[] = [];
  const frameCount = hours * 3600 * FPS;
  const stateLengths: number[] = [];
  const heapBytes: number[] = [];
  for (let index = 0; index < frameCount; index++) {
    const pts = index / FPS;
    if (walkers.length < 12 && random() < 1 / FPS) {
      const label = LABELS[Math.floor(random() * LABELS.length)]!;
      const dx = (random() < 0.5 ? 1 : -1) * (60 + 100 * random());
      const stop = random() < 0.2 ? pts + 4 + 4 * random() : Infinity;
      walkers.push({
        label,
        x: dx > 0 ? 0 : SOURCE.width,
        y: 150 + 450 * random(),
        dx,
        until: stop + 60 * random(),
        stop,
      });
    }
    for (const walker of walkers) if (pts < walker.stop || pts > walker.until) walker.x += walker.dx / FPS;
    walkers = walkers.filter(({ x }) => x >= 0 && x <= SOURCE.width);
    const seen = walkers.flatMap(({ label, x, y }): Detection[] =>
      random() < 0.1 ? [] : [at(x + 3 * random(), y + 3 * random(), { label, score: 0.3 + 0.7 * random() })],
    );
    if (random() < 0.2) seen.push(at(SOURCE.width * random(), SOURCE.height * random(), { score: 0.9 * random() }));
    state = stepTracker(state, { epoch: 0, pts, source: SOURCE, detections: seen }).state;
    if ((index + 1) % (frameCount / 4) === 0) {
      stateLengths.push(JSON.stringify(state).length);
      heapBytes.push(collectedHeap());
    }
  }
  return { stateLengths, heapBytes, confirmed: state.nextNumber - 1 };
}

function collectedHeap(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed;
}
