import type { BoxXyxy, EndedTrack, Instance, TrackEvent, TrackedFrame } from '../types.js';

/**
 * Events of one camera as a pure step. An event is one confirmed track of a chosen label: `start` when it is first
 * seen with enough score, `update` at most once a second when something worth telling changed, `end` exactly once.
 */
export interface EventRules {
  /** COCO class name → lowest score (0…1) at which an instance starts an event. */
  readonly labels: Readonly<Record<string, number>>;
  /** Least distance between two updates, seconds of pts. */
  readonly minUpdateS: number;
}

/** What is remembered of an open event. Treat as opaque. */
interface OpenEvent {
  readonly last: TrackEvent;
  /** What subscribers were told last, to see whether an update says anything new. */
  readonly told: {
    readonly box: BoxXyxy;
    readonly score: number;
    readonly pts: number;
    readonly label: string;
    readonly zones: string;
  };
  readonly entered: readonly string[];
}

export interface EventState {
  readonly open: ReadonlyMap<string, OpenEvent>;
}

export const NO_EVENTS: EventState = { open: new Map() };

/** Below this overlap with the box told last an instance has moved; jitter of a parked object stays above it. */
const MOVED_BELOW_IOU = 0.7;
const BETTER_BY = 0.1;

/** Feeds one tracked frame. The state passed in stays as it was. */
export function stepEvents(
  state: EventState,
  frame: TrackedFrame,
  rules: EventRules,
): { readonly state: EventState; readonly events: readonly TrackEvent[] } {
  const open = new Map(state.open);
  const events: TrackEvent[] = [];
  for (const instance of frame.instances) {
    if (instance.state === 'lost') continue;
    const before = open.get(instance.id);
    if (!before) {
      const least = rules.labels[instance.label];
      if (least === undefined || instance.score < least) continue;
      const event = startOf(instance, frame);
      open.set(instance.id, { last: event, told: told(event), entered: event.entered });
      events.push(event);
      continue;
    }
    const event = updateOf(before, instance, frame);
    const changed = event.pts - before.told.pts >= rules.minUpdateS && isNews(before.told, event);
    if (changed) events.push(event);
    open.set(instance.id, { last: event, told: changed ? told(event) : before.told, entered: event.entered });
  }
  for (const track of frame.ended) {
    const before = open.get(track.id);
    if (!before) continue;
    open.delete(track.id);
    events.push(endOf(before.last, track));
  }
  return { state: { open }, events };
}

/** Ends what is still open: at shutdown, at the end of a file, at the loss of the camera. */
export function closeEvents(state: EventState): readonly TrackEvent[] {
  return [...state.open.values()].map(({ last }) => endOf(last));
}

function startOf(instance: Instance, frame: TrackedFrame): TrackEvent {
  return {
    type: 'start',
    camera: frame.camera,
    epoch: frame.epoch,
    event: instance.id,
    track: instance.id,
    label: instance.label,
    score: instance.score,
    box: instance.box,
    ...(instance.mask && { mask: instance.mask }),
    zones: instance.zones,
    entered: instance.zones,
    start: frame.time - instance.age * 1000,
    startPts: frame.pts - instance.age,
    time: frame.time,
    pts: frame.pts,
  };
}

function updateOf({ last, entered }: OpenEvent, instance: Instance, frame: TrackedFrame): TrackEvent {
  return {
    ...startOf(instance, frame),
    type: 'update',
    score: Math.max(last.score, instance.score),
    entered: [...entered, ...instance.zones.filter((zone) => !entered.includes(zone))],
    start: last.start,
    startPts: last.startPts,
  };
}

/** `end` speaks of the last frame in which the track was detected. */
function endOf(last: TrackEvent, track?: EndedTrack): TrackEvent {
  const endPts = track?.lastPts ?? last.pts;
  const end = last.time + (endPts - last.pts) * 1000;
  return { ...last, type: 'end', end, endPts };
}

const told = ({ box, score, pts, label, zones }: TrackEvent): OpenEvent['told'] => ({
  box,
  score,
  pts,
  label,
  zones: zones.join(),
});

function isNews(before: OpenEvent['told'], event: TrackEvent): boolean {
  return (
    event.label !== before.label ||
    event.zones.join() !== before.zones ||
    event.score >= before.score + BETTER_BY ||
    overlap(event.box, before.box) < MOVED_BELOW_IOU
  );
}

/** Intersection over union of two boxes. */
function overlap(a: BoxXyxy, b: BoxXyxy): number {
  const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  if (width <= 0 || height <= 0) return 0;
  const both = width * height;
  return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both);
}
