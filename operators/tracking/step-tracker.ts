import type { Affine } from '../geometry/affine.js';
import type { Detection, EndedTrack, Instance, Size, TrackEndReason } from '../types.js';
import { admit } from './admit.js';
import { associate } from './associate.js';
import type { BoxMotion } from './kalman.js';
import { TRACKER_DEFAULTS, type TrackerOptions } from './options.js';
import { predictTracks } from './predict-tracks.js';
import { showTracks } from './show-tracks.js';
import { beginTrack, seeTrack, sight, type Track } from './track.js';

export { TRACKER_DEFAULTS, type TrackerOptions } from './options.js';

/** Everything a tracker knows. Treat as opaque; it is never written after it was returned. */
export interface TrackerState {
  readonly options: TrackerOptions;
  readonly idPrefix: string;
  readonly epoch: number;
  readonly pts: number;
  /** Number of the next track to be confirmed: it only grows, so ids are never reused. */
  readonly nextNumber: number;
  readonly nextSerial: number;
  readonly tracks: readonly Track[];
}

export interface TrackerFrame {
  readonly epoch: number;
  /** Seconds; rises strictly inside an epoch. */
  readonly pts: number;
  readonly source: Size;
  readonly detections: readonly Detection[];
  /** How the picture moved since the frame before, where the capture side knows. */
  readonly cameraMotion?: Affine;
  /** The picture changed as a whole: all tracks end. */
  readonly cut?: boolean;
  /** Appearance of each detection, same order; used when `appearanceWeight` is above 0. */
  readonly embeddings?: readonly (Float32Array | undefined)[];
}

export interface TrackerStep {
  readonly state: TrackerState;
  /** Confirmed tracks in the order of their ids: seen ones, and lost ones that are kept, with a predicted box. */
  readonly instances: readonly Instance[];
  /** Confirmed tracks that ended with this frame. */
  readonly ended: readonly EndedTrack[];
}

/**
 * A tracker without tracks.
 *
 * @param idPrefix  ids are `<idPrefix>-<n>`, n from 1
 * @throws RangeError when thresholds contradict each other
 */
export function createTracker(options: Partial<TrackerOptions>, idPrefix: string): TrackerState {
  const all = { ...TRACKER_DEFAULTS, ...options };
  if (options.sureScore === undefined) Object.assign(all, { sureScore: sureAbove(all.highScore) });
  if (!(all.lowScore <= all.highScore && all.highScore <= all.sureScore)) {
    throw new RangeError(
      `lowScore ${all.lowScore}, highScore ${all.highScore}, sureScore ${all.sureScore}: they must rise in this order`,
    );
  }
  return {
    options: all,
    idPrefix,
    epoch: 0,
    pts: Number.NEGATIVE_INFINITY,
    nextNumber: 1,
    nextSerial: 1,
    tracks: [],
  };
}

/** A user who moves `highScore` alone keeps the distance to where scores are beyond doubt, and some room below 1. */
const sureAbove = (highScore: number): number =>
  Math.min(highScore + TRACKER_DEFAULTS.sureScore - TRACKER_DEFAULTS.highScore, (1 + highScore) / 2);

/**
 * One step: predict, associate, correct, begin, end. Pure: the state passed in stays as it was and the same state and
 * frame give the same result, so one process follows many cameras and a test replays any moment.
 *
 * @throws RangeError when `pts` does not rise inside an epoch
 */
export function stepTracker(before: TrackerState, frame: TrackerFrame): TrackerStep {
  const stepS = frame.pts - before.pts;
  const reason = breakReason(before, frame, stepS);
  if (!reason && !(stepS > 0)) {
    throw new RangeError(
      `frame time is ${frame.pts} s after ${before.pts} s; it must rise within an epoch: count the epoch up after a reconnect`,
    );
  }
  const ended = reason ? endAll(before, reason) : [];
  const { options } = before;
  const { candidates, index } = admit(frame.detections, frame.source, options);
  const sightings = candidates.map(({ detection, index }) => sight(detection, frame.embeddings?.[index], options));
  const predictions = predictTracks(reason ? [] : before.tracks, before.pts, frame, sightings, index, options);
  const { detectionOf, fresh } = associate(predictions, sightings, index, options);

  let { nextNumber, nextSerial } = before;
  const confirm = (track: Track): Track =>
    track.number === 0 && isConfirmed(track, options) ? { ...track, number: nextNumber++ } : track;
  const tracks: Track[] = [];
  const unseen = new Map<Track, BoxMotion>();
  for (const [row, { track, motion, unseenS }] of predictions.entries()) {
    const sighting = sightings[detectionOf[row]!];
    if (sighting) tracks.push(confirm(seeTrack(track, sighting, motion, frame.pts, stepS, options)));
    else if (unseenS <= patienceOf(track, options)) {
      tracks.push(track);
      unseen.set(track, motion);
    } else if (track.number > 0) ended.push(endOf(before, track, 'gone'));
  }
  for (const column of fresh) {
    const sighting = sightings[column]!;
    if (sighting.detection.score < options.newScore) continue;
    tracks.push(confirm(beginTrack(nextSerial++, sighting, frame.pts, options)));
  }
  const state = { ...before, epoch: frame.epoch, pts: frame.pts, nextNumber, nextSerial, tracks };
  return { state, instances: showTracks(state, unseen, frame.source), ended };
}

/** Ends everything: at shutdown, at the end of a file, at the loss of the camera. */
export const closeTracker = (state: TrackerState): { readonly ended: readonly EndedTrack[] } => ({
  ended: endAll(state, 'closed'),
});

function breakReason(state: TrackerState, frame: TrackerFrame, stepS: number): TrackEndReason | undefined {
  if (state.pts === Number.NEGATIVE_INFINITY || frame.epoch !== state.epoch) return 'epoch';
  if (frame.cut) return 'cut';
  return stepS > state.options.maxGapS ? 'gap' : undefined;
}

function isConfirmed(track: Track, options: TrackerOptions): boolean {
  if (track.hits < options.confirmHits) return false;
  return track.evidence >= options.confirmEvidence || track.lastPts - track.firstPts >= options.confirmS;
}

/** How long a track may stay unseen, in seconds. */
function patienceOf(track: Track, options: TrackerOptions): number {
  const { keepTentativeS, keepLostS, keepStationaryS } = options;
  // Time stamps are sums of fractions: the last bit must not decide.
  const slack = 1e-9;
  if (track.number === 0) return keepTentativeS + slack;
  const lived = track.lastPts - track.firstPts + keepTentativeS;
  if (!track.still.isStationary) return Math.min(keepLostS, lived) + slack;
  const stood = track.lastPts - track.still.sincePts;
  return Math.max(keepLostS, Math.min(keepStationaryS, stood)) + slack;
}

const endAll = (state: TrackerState, reason: TrackEndReason): EndedTrack[] =>
  state.tracks.filter((track) => track.number > 0).map((track) => endOf(state, track, reason));

const endOf = ({ idPrefix }: TrackerState, { number, label, lastPts }: Track, reason: TrackEndReason): EndedTrack => ({
  id: `${idPrefix}-${number}`,
  label,
  lastPts,
  reason,
});
