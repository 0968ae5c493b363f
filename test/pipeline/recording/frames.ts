import type { Instance, Size, TrackEvent, TrackedFrame } from '../../../operators/types.js';
import { squareOf } from '../../support/numbered-video.js';

/** Id of the only track of the generated videos. */
export const TRACK = 'gate-mb2k9c-1';

/** The square of picture `number` as an instance. */
export function squareInstance(number: number, size: Size, more: Partial<Instance> = {}): Instance {
  return {
    id: TRACK,
    label: 'person',
    score: 0.9,
    box: squareOf(number, size),
    state: 'moving',
    zones: [],
    age: 0,
    velocity: [0, 0],
    ...more,
  };
}

/** A tracked frame of picture `number` at `pts`. */
export function trackedFrame(
  number: number,
  pts: number,
  source: Size,
  instances: readonly Instance[] = [squareInstance(number, source)],
): TrackedFrame {
  return {
    camera: 'gate',
    epoch: 0,
    index: number,
    pts,
    time: 1_700_000_000_000 + pts * 1000,
    source,
    latency: { capture: 0, queue: 0, detect: 0, track: 0, total: 0 },
    instances,
    ended: [],
  };
}

/** An event of that track. */
export function trackEvent(type: TrackEvent['type'], pts: number, more: Partial<TrackEvent> = {}): TrackEvent {
  return {
    type,
    camera: 'gate',
    epoch: 0,
    event: TRACK,
    track: TRACK,
    label: 'person',
    score: 0.9,
    box: [0, 0, 10, 10],
    zones: [],
    entered: [],
    start: 1_700_000_000_000 + pts * 1000,
    startPts: pts,
    time: 1_700_000_000_000 + pts * 1000,
    pts,
    ...more,
  };
}
