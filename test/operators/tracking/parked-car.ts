import { NO_EVENTS, stepEvents } from '../../../operators/events/step-events.js';
import { createTracker, stepTracker } from '../../../operators/tracking/step-tracker.js';
import type { BoxXyxy, Detection } from '../../../operators/types.js';
import { at, SOURCE, seeded } from './scene.js';

const CAR: BoxXyxy = [520, 355, 680, 445];
const FPS = 5;

/**
 * A car that stands for hours at 5 fps as a small detector sees it: its box jitters by 2 % of a side, its score goes slowly
 * up and down with the light between 0.35 and 0.9, one detection in ten is missing, it is missed for up to a minute now
 * and then (not in its first minute), it is a truck in one frame of twenty; people and cars pass in front of it, and for that time it is hidden or its box is cut.
 *
 * @returns ids that the car's place had, start events there, and the most tracks that were ever kept
 */
export function parkedCar({ hours, seed }: { hours: number; seed: number }) {
  const random = seeded(seed);
  const normal = (): number => random() + random() + random() + random() - 2;
  let state = createTracker({}, 'gate-x');
  let events = NO_EVENTS;
  const carIds = new Set<string>();
  let carEvents = 0;
  let maxTracks = 0;
  let missedUntil = 0;
  let passer:
    | { readonly label: string; readonly size: readonly [number, number]; readonly speed: number; x: number }
    | undefined;
  for (let index = 0; index < hours * 3600 * FPS; index++) {
    const pts = index / FPS;
    const detections: Detection[] = [];
    if (!passer && random() < 1 / (30 * FPS)) {
      const isPerson = random() < 0.7;
      const speed = (isPerson ? 80 : 240) / FPS;
      passer = { label: isPerson ? 'person' : 'car', size: isPerson ? [50, 130] : [190, 115], speed, x: -100 };
    }
    let cut = 0;
    if (passer) {
      passer.x += passer.speed;
      detections.push(at(passer.x, 430, { label: passer.label, size: passer.size, score: 0.8 + 0.15 * random() }));
      cut = Math.max(
        0,
        Math.min(CAR[2], passer.x + passer.size[0] / 2) - Math.max(CAR[0], passer.x - passer.size[0] / 2),
      );
      if (passer.x > SOURCE.width + 100) passer = undefined;
    }
    if (pts > 60 && random() < 1 / (600 * FPS)) missedUntil = pts + 60 * random();
    const isHidden = cut > 0.5 * (CAR[2] - CAR[0]);
    if (!isHidden && pts >= missedUntil && (index < 50 || random() > 0.1)) {
      const jitter = (): number => 0.02 * 160 * normal();
      const light = 0.62 + 0.25 * Math.sin(pts / 700) + 0.06 * normal();
      detections.push({
        label: random() < 0.05 ? 'truck' : 'car',
        score: index < 50 ? 0.85 : light,
        box: [CAR[0] + cut * random() + jitter(), CAR[1] + jitter(), CAR[2] + jitter(), CAR[3] + jitter()],
      });
    }
    const step = stepTracker(state, { epoch: 0, pts, source: SOURCE, detections });
    state = step.state;
    maxTracks = Math.max(maxTracks, state.tracks.length);
    for (const { id, box, state: how, velocity } of step.instances) {
      if (isOnPlace(box) && how === 'stationary' && Math.hypot(...velocity) < 40) carIds.add(id);
    }
    const latency = { capture: 0, queue: 0, detect: 0, track: 0, total: 0 };
    const tracked = { camera: 'gate', epoch: 0, index, pts, time: pts * 1000, source: SOURCE, latency, ...step };
    const next = stepEvents(events, tracked, { labels: { car: 0.5, person: 0.5 }, minUpdateS: 1 });
    events = next.state;
    carEvents += next.events.filter(({ type, box }) => type === 'start' && isOnPlace(box)).length;
  }
  return { carIds, carEvents, maxTracks };
}

const isOnPlace = ([x1, y1, x2, y2]: BoxXyxy): boolean =>
  Math.abs((x1 + x2) / 2 - 600) < 60 && Math.abs((y1 + y2) / 2 - 400) < 20;
