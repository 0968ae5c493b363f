import type { BoxXyxy, Detection, EndedTrack, Instance, InstanceState, Size, TrackEndReason } from '../types.js';
import { assign } from './assignment.js';
import { type BoxMotion, boxOf, correctMotion, predictMotion, startMotion, velocityOf } from './kalman.js';

/** How tracks begin, live and end. Scores 0…1, times in seconds of the source's clock. */
export interface TrackerOptions {
  /** First association takes detections from this score on. */
  readonly highScore: number;
  /** Second association takes those from this score on; lower ones are left out. */
  readonly lowScore: number;
  /** A track begins only from a detection of at least this score. */
  readonly newScore: number;
  /** Least overlap (IoU) of the predicted box and a detection. */
  readonly minIou: number;
  /** A track is confirmed with this many detections … */
  readonly confirmHits: number;
  /** … and dropped when it misses one for this long before that. */
  readonly keepTentativeS: number;
  /** How long a confirmed track may come back under its id. */
  readonly keepLostS: number;
  /** A gap between two frames longer than this ends all tracks. */
  readonly maxGapS: number;
  /** A track whose box stayed in place for so long is stationary … */
  readonly stationaryAfterS: number;
  /** … and is then kept this long through misses, for example behind passers-by. */
  readonly keepStationaryS: number;
}

export const TRACKER_DEFAULTS: TrackerOptions = {
  highScore: 0.5,
  lowScore: 0.1,
  newScore: 0.5,
  minIou: 0.2,
  confirmHits: 3,
  keepTentativeS: 0.35,
  keepLostS: 2,
  maxGapS: 5,
  stationaryAfterS: 10,
  keepStationaryS: 60,
};

interface Track {
  /** 0 until confirmed: numbers are given to confirmed tracks only. */
  readonly number: number;
  readonly motion: BoxMotion;
  readonly last: Detection;
  readonly firstPts: number;
  readonly lastPts: number;
  readonly hits: number;
  /** Sum of scores of each label: the label is the one with the most. */
  readonly labels: Readonly<Record<string, number>>;
  /** Box and pts since which it has not moved from there. */
  readonly still: { readonly box: BoxXyxy; readonly sincePts: number };
}

export interface TrackerState {
  readonly options: TrackerOptions;
  readonly idPrefix: string;
  readonly epoch: number;
  readonly pts: number;
  readonly nextNumber: number;
  readonly tracks: readonly Track[];
}

export interface TrackerFrame {
  readonly epoch: number;
  readonly pts: number;
  readonly source: Size;
  readonly detections: readonly Detection[];
  /** The picture changed as a whole: all tracks end. */
  readonly cut?: boolean;
}

export interface TrackerStep {
  readonly state: TrackerState;
  readonly instances: readonly Instance[];
  readonly ended: readonly EndedTrack[];
}

/** @param idPrefix  ids are `<idPrefix>-<n>`, n from 1 */
export function createTracker(options: Partial<TrackerOptions>, idPrefix: string): TrackerState {
  return {
    options: { ...TRACKER_DEFAULTS, ...options },
    idPrefix,
    epoch: 0,
    pts: Number.NEGATIVE_INFINITY,
    nextNumber: 1,
    tracks: [],
  };
}

/**
 * One step: predict, associate in two stages (high scores, then low ones for what is left; Zhang et al., ByteTrack),
 * correct, begin, end. Pure: the state passed in stays as it was.
 *
 * @throws RangeError when `pts` does not rise inside an epoch
 */
export function stepTracker(before: TrackerState, frame: TrackerFrame): TrackerStep {
  const { options } = before;
  const dtS = frame.pts - before.pts;
  const reason = breakReason(before, frame, dtS);
  const ended = reason ? endAll(before, reason) : [];
  const state = reason ? { ...before, tracks: [] } : before;
  if (!reason && !(dtS > 0)) {
    throw new RangeError(`frame time is ${frame.pts} s after ${before.pts} s; it must rise within an epoch`);
  }
  const detections = frame.detections.flatMap((detection) => clipped(detection, frame.source));
  const tracks = state.tracks.map((track) => ({ ...track, motion: predictMotion(track.motion, dtS) }));
  const { matched, fresh } = associate(tracks, detections, options);

  let { nextNumber } = state;
  const kept: Track[] = [];
  tracks.forEach((track, index) => {
    const detection = matched.get(index);
    const next = detection ? seen(track, detection, frame.pts) : track;
    if (!detection && frame.pts - track.lastPts > patience(track, options)) {
      if (track.number > 0) ended.push(endOf(state, track, 'gone'));
      return;
    }
    kept.push(next.number === 0 && next.hits >= options.confirmHits ? { ...next, number: nextNumber++ } : next);
  });
  for (const detection of fresh) if (detection.score >= options.newScore) kept.push(begin(detection, frame.pts));
  const after = { ...state, epoch: frame.epoch, pts: frame.pts, nextNumber, tracks: kept };
  const instances = kept.filter((track) => track.number > 0).map((track) => instanceOf(after, track));
  return { state: after, instances, ended };
}

/** Ends everything: at shutdown, at the end of a file, at the loss of the camera. */
export const closeTracker = (state: TrackerState): { readonly ended: readonly EndedTrack[] } => ({
  ended: endAll(state, 'closed'),
});

function breakReason(state: TrackerState, frame: TrackerFrame, dtS: number): TrackEndReason | undefined {
  if (state.pts === Number.NEGATIVE_INFINITY) return 'epoch';
  if (frame.epoch !== state.epoch) return 'epoch';
  if (frame.cut) return 'cut';
  return dtS > state.options.maxGapS ? 'gap' : undefined;
}

const endAll = (state: TrackerState, reason: TrackEndReason): EndedTrack[] =>
  state.tracks.filter((track) => track.number > 0).map((track) => endOf(state, track, reason));

const endOf = (state: TrackerState, track: Track, reason: TrackEndReason): EndedTrack => ({
  id: `${state.idPrefix}-${track.number}`,
  label: labelOf(track),
  lastPts: track.lastPts,
  reason,
});

/** Boxes are cut to the frame; what has no area, no number or no score is refused. */
function clipped(detection: Detection, { width, height }: Size): Detection[] {
  const [x1, y1, x2, y2] = detection.box;
  const box: BoxXyxy = [Math.max(0, x1), Math.max(0, y1), Math.min(width, x2), Math.min(height, y2)];
  // NaN fails every comparison.
  return box[2] - box[0] > 0 && box[3] - box[1] > 0 && detection.score >= 0 ? [{ ...detection, box }] : [];
}

function associate(
  tracks: readonly Track[],
  detections: readonly Detection[],
  { highScore, lowScore, minIou }: TrackerOptions,
) {
  const matched = new Map<number, Detection>();
  const high = detections.filter(({ score }) => score >= highScore);
  const low = detections.filter(({ score }) => score >= lowScore && score < highScore);
  const all = tracks.map((_, index) => index);
  const left = match(all, high);
  match(
    all.filter((index) => !matched.has(index)),
    low,
  );
  return { matched, fresh: left };

  function match(rows: readonly number[], candidates: readonly Detection[]): Detection[] {
    const weight = new Float64Array(rows.length * candidates.length);
    rows.forEach((row, i) => {
      const track = tracks[row]!;
      const predicted = boxOf(track.motion);
      candidates.forEach((candidate, j) => {
        const iou = boxIou(predicted, candidate.box);
        // Another class may be the same object seen badly, but its own class is the better guess.
        const same = candidate.label === track.last.label;
        weight[i * candidates.length + j] = iou < minIou ? 0 : 1 + iou - (same ? 0 : 0.3);
      });
    });
    const taken = new Set<number>();
    assign(weight, rows.length, candidates.length).forEach((column, i) => {
      if (column < 0) return;
      matched.set(rows[i]!, candidates[column]!);
      taken.add(column);
    });
    return candidates.filter((_, index) => !taken.has(index));
  }
}

function begin(detection: Detection, pts: number): Track {
  return {
    number: 0,
    motion: startMotion(detection.box),
    last: detection,
    firstPts: pts,
    lastPts: pts,
    hits: 1,
    labels: { [detection.label]: detection.score },
    still: { box: detection.box, sincePts: pts },
  };
}

function seen(track: Track, detection: Detection, pts: number): Track {
  const { label, score, box } = detection;
  return {
    ...track,
    motion: correctMotion(track.motion, box),
    last: detection,
    lastPts: pts,
    hits: track.hits + 1,
    labels: { ...track.labels, [label]: (track.labels[label] ?? 0) + score },
    still: boxIou(box, track.still.box) >= STILL_IOU ? track.still : { box, sincePts: pts },
  };
}

/** Jitter of a box in place stays above this overlap. */
const STILL_IOU = 0.7;

const isStationary = (track: Track, { stationaryAfterS }: TrackerOptions): boolean =>
  track.lastPts - track.still.sincePts >= stationaryAfterS;

function patience(track: Track, options: TrackerOptions): number {
  if (track.number === 0) return options.keepTentativeS;
  return isStationary(track, options) ? options.keepStationaryS : options.keepLostS;
}

function instanceOf({ options, idPrefix, pts }: TrackerState, track: Track): Instance {
  const isSeen = track.lastPts === pts;
  const state: InstanceState = !isSeen ? 'lost' : isStationary(track, options) ? 'stationary' : 'moving';
  return {
    id: `${idPrefix}-${track.number}`,
    label: labelOf(track),
    score: track.last.score,
    box: isSeen ? track.last.box : boxOf(track.motion),
    ...(isSeen && track.last.mask && { mask: track.last.mask }),
    state,
    zones: [],
    age: pts - track.firstPts,
    velocity: velocityOf(track.motion),
  };
}

const labelOf = ({ labels }: Track): string =>
  Object.entries(labels).reduce((best, entry) => (entry[1] > best[1] ? entry : best))[0];

/** Intersection over union. */
function boxIou(a: BoxXyxy, b: BoxXyxy): number {
  const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  if (width <= 0 || height <= 0) return 0;
  const both = width * height;
  return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both);
}
