import type { RecordConfig } from '../../config/schema.js';
import type { Segment, TrackEvent, TrackedFrame } from '../../operators/types.js';

/** A clip that can be made now: all of its pictures are recorded and analysed, or no more will come. */
export interface ClipOrder {
  /** The event's `start` message. */
  readonly event: TrackEvent;
  /** Range of source time, s. */
  readonly fromPts: number;
  readonly toPts: number;
  /** Those that touch the range, by time; empty when nothing was recorded. */
  readonly segments: readonly Segment[];
  readonly frames: readonly TrackedFrame[];
}

/** A track is confirmed, and its event begins, so long after its first detection at most, s. */
const CONFIRMED_AFTER_S = 10;
/** A clip waits no longer for pictures that should have come: so much later ones are here, s. */
const PATIENCE_S = 120;
/** Analysed frames kept of one camera; more than the longest clip at any usual rate. */
const MAX_FRAMES = 60_000;

interface OpenClip {
  readonly event: TrackEvent;
  readonly fromPts: number;
  /** Known once the event has ended. */
  toPts: number | undefined;
}

interface Epoch {
  readonly number: number;
  segments: Segment[];
  frames: TrackedFrame[];
  clips: OpenClip[];
  ended: boolean;
}

/**
 * Decides for one camera which clip covers what, and when it can be made; keeps the frames and segments that an event
 * may still need and lets go of all others. No clock and no disk: only the times of what comes in count.
 */
export class CameraClips {
  readonly #config: RecordConfig;
  readonly #order: (order: ClipOrder) => void;
  readonly #letGo: (segment: Segment) => void;
  readonly #epochs = new Map<number, Epoch>();

  /**
   * @param order  takes a clip that can be made
   * @param letGo  takes a segment that no later clip will need
   */
  constructor(config: RecordConfig, order: (order: ClipOrder) => void, letGo: (segment: Segment) => void) {
    this.#config = config;
    this.#order = order;
    this.#letGo = letGo;
  }

  /** Clips that wait for the end of their event or for their pictures. */
  get open(): number {
    return [...this.#epochs.values()].reduce((sum, { clips }) => sum + clips.length, 0);
  }

  segment(segment: Segment): void {
    const epoch = this.#epoch(segment.epoch);
    epoch.segments.push(segment);
    this.#advance(epoch);
  }

  tracked(frame: TrackedFrame): void {
    const epoch = this.#epoch(frame.epoch);
    epoch.frames.push(frame);
    if (epoch.frames.length > MAX_FRAMES) epoch.frames = epoch.frames.slice(MAX_FRAMES / 10);
    this.#advance(epoch);
  }

  /** @returns whether the event has a clip */
  event(event: TrackEvent): boolean {
    const { labels, preRoll, postRoll, maxLength } = this.#config;
    if (labels && !labels.includes(event.label)) return false;
    const epoch = this.#epoch(event.epoch);
    const open = epoch.clips.find((clip) => clip.event.event === event.event);
    if (event.type === 'start' && !open) {
      epoch.clips.push({ event, fromPts: event.startPts - preRoll, toPts: undefined });
    } else if (event.type === 'end' && open) {
      open.toPts = Math.min((event.endPts ?? event.pts) + postRoll, open.fromPts + maxLength);
      this.#advance(epoch);
    }
    return true;
  }

  /** No more frames or segments of this epoch will come: its clips are made of what is there. */
  epochEnded(number: number): void {
    const epoch = this.#epochs.get(number);
    if (!epoch) return;
    epoch.ended = true;
    this.#advance(epoch);
    for (const segment of epoch.segments) this.#letGo(segment);
    this.#epochs.delete(number);
  }

  /** The same for all epochs. */
  finish(): void {
    for (const number of [...this.#epochs.keys()]) this.epochEnded(number);
  }

  #epoch(number: number): Epoch {
    let epoch = this.#epochs.get(number);
    if (!epoch) {
      epoch = { number, segments: [], frames: [], clips: [], ended: false };
      this.#epochs.set(number, epoch);
    }
    return epoch;
  }

  #advance(epoch: Epoch): void {
    const trackedTo = epoch.frames.at(-1)?.pts ?? Number.NEGATIVE_INFINITY;
    const recordedTo = epoch.segments.at(-1)?.endPts ?? Number.NEGATIVE_INFINITY;
    const due = epoch.clips.filter((clip) => {
      // A clip is at most so long, whatever the event does.
      if (clip.toPts === undefined && trackedTo >= clip.fromPts + this.#config.maxLength) {
        clip.toPts = clip.fromPts + this.#config.maxLength;
      }
      const { toPts } = clip;
      if (epoch.ended) return true;
      if (toPts === undefined) return false;
      return (trackedTo >= toPts && recordedTo >= toPts) || Math.max(trackedTo, recordedTo) >= toPts + PATIENCE_S;
    });
    if (due.length > 0) {
      epoch.clips = epoch.clips.filter((clip) => !due.includes(clip));
      for (const { event, fromPts, toPts } of due) {
        const until = toPts ?? Math.max(trackedTo, recordedTo, fromPts) + 1;
        this.#order({
          event,
          fromPts,
          toPts: until,
          segments: epoch.segments.filter((segment) => segment.endPts > fromPts && segment.startPts < until),
          // Their pictures may begin earlier than asked for, at a key frame.
          frames: epoch.frames.filter(({ pts }) => pts < until + 1),
        });
      }
    }
    this.#forget(epoch, trackedTo, recordedTo);
  }

  /** Lets go of what is older than any pre-roll of an event to come and than every open clip. */
  #forget(epoch: Epoch, trackedTo: number, recordedTo: number): void {
    const { preRoll } = this.#config;
    // Without analysis (all frames dropped, a broken model) the recording itself tells how time goes.
    const horizon = Math.max(trackedTo - preRoll - CONFIRMED_AFTER_S, recordedTo - preRoll - PATIENCE_S);
    const neededFrom = epoch.clips.reduce((least, { fromPts }) => Math.min(least, fromPts), horizon);
    let kept = 0;
    while (kept < epoch.segments.length && epoch.segments[kept]!.endPts < neededFrom) {
      this.#letGo(epoch.segments[kept]!);
      kept++;
    }
    if (kept > 0) epoch.segments = epoch.segments.slice(kept);
    // The first segment may begin earlier, and a clip with it. In one go now and then, for moving an array costs.
    const framesFrom = Math.min(neededFrom, epoch.segments[0]?.startPts ?? neededFrom);
    const old = epoch.frames.findIndex(({ pts }) => pts >= framesFrom);
    if (old > 256) epoch.frames = epoch.frames.slice(old);
  }
}
