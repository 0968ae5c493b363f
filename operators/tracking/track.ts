import { type Affine, warpBox, warpPoint } from '../geometry/affine.js';
import { moveBox } from '../geometry/box.js';
import { type MaskSpans, maskSpans } from '../masks/spans.js';
import type { BoxXyxy, Detection } from '../types.js';
import { type BoxMotion, correctMotion, predictMotion, shiftMotion, startMotion, warpMotion } from './kalman.js';
import type { TrackerOptions } from './options.js';
import { isCut, keepStill, type Stillness, startStill } from './stillness.js';

/** One object over time. Never written after it was made. */
export interface Track {
  /** Order of birth; decides nothing but the order of equal costs. */
  readonly serial: number;
  /** Number in the public id, from 1; 0 until confirmed, so that ids count confirmed tracks only. */
  readonly number: number;
  /** As of the last detection. */
  readonly motion: BoxMotion;
  readonly last: Detection;
  readonly firstPts: number;
  readonly lastPts: number;
  /** How long, times how far, its scores have been below `highScore` since the last good one, seconds. */
  readonly dimS: number;
  readonly hits: number;
  /** Sum of (score − doubtScore). */
  readonly evidence: number;
  /** Fading votes for each class; the class is the one with the most. */
  readonly votes: Readonly<Record<string, number>>;
  readonly label: string;
  readonly still: Stillness;
  /** Centres of observations, oldest first, a little more than `directionS` of them. */
  readonly path: readonly PathPoint[];
  /** Foreground of the last mask, taken apart once; undefined where there was none. */
  readonly spans: MaskSpans | undefined;
  /** Unit vector that follows the object's embeddings slowly. */
  readonly embedding: Float32Array | undefined;
}

interface PathPoint {
  readonly pts: number;
  readonly x: number;
  readonly y: number;
}

/** A detection with what was computed from it once. */
export interface Sighting {
  readonly detection: Detection;
  readonly spans: MaskSpans | undefined;
  readonly embedding: Float32Array | undefined;
}

/** More points than this in `directionS` say nothing more. */
const PATH_POINTS = 8;
const EMBEDDING_FOLLOWS = 0.1;

export function beginTrack(serial: number, sighting: Sighting, pts: number, options: TrackerOptions): Track {
  const { detection, spans, embedding } = sighting;
  return {
    serial,
    number: 0,
    motion: startMotion(detection.box, options),
    last: detection,
    firstPts: pts,
    lastPts: pts,
    dimS: 0,
    hits: 1,
    evidence: detection.score - options.doubtScore,
    votes: { [detection.label]: detection.score },
    label: detection.label,
    still: startStill(detection.box, pts),
    path: [pathPoint(detection.box, pts)],
    spans,
    embedding: embedding && unit(embedding),
  };
}

/**
 * The track after it was seen.
 *
 * @param predicted  its motion, moved on to `pts`
 * @param stepS      time since the frame before: a longer absence is replayed
 */
export function seeTrack(
  track: Track,
  { detection, spans, embedding }: Sighting,
  predicted: BoxMotion,
  pts: number,
  stepS: number,
  options: TrackerOptions,
): Track {
  const { label, score, box } = detection;
  const votes = vote(track, label, score, pts, options);
  const still = keepStill(track.still, box, pts, options);
  return {
    serial: track.serial,
    number: track.number,
    motion: moveTo(track, detection, predicted, still, pts, stepS, options),
    last: detection,
    firstPts: track.firstPts,
    lastPts: pts,
    // What stands may be dim for hours; only once it leaves its time runs.
    dimS: isStanding(still) ? 0 : dimAfter(track, score, pts, options),
    hits: track.hits + 1,
    evidence: track.evidence + score - options.doubtScore,
    votes,
    label: mostVoted(votes, label),
    still,
    path: walk(track.path, pathPoint(box, pts), options.directionS),
    spans,
    embedding: embedding ? follow(track.embedding, embedding) : track.embedding,
  };
}

/** The track as a moved camera would have seen it. */
export function warpTrack(track: Track, affine: Affine): Track {
  return {
    ...track,
    motion: warpMotion(track.motion, affine),
    last: { ...track.last, box: warpBox(affine, track.last.box) },
    still: { ...track.still, box: warpBox(affine, track.still.box) },
    path: track.path.map(({ pts, x, y }) => {
      const [warpedX, warpedY] = warpPoint(affine, x, y);
      return { pts, x: warpedX, y: warpedY };
    }),
  };
}

/** The track moved aside, but for the place where it stands: guessed shifts add up over hours. */
export function shiftTrack(track: Track, dx: number, dy: number): Track {
  return {
    ...track,
    motion: shiftMotion(track.motion, dx, dy),
    last: { ...track.last, box: moveBox(track.last.box, dx, dy) },
    path: track.path.map(({ pts, x, y }) => ({ pts, x: x + dx, y: y + dy })),
  };
}

/** Unit vector along the last observations; undefined for a track that has not moved. */
export function directionOf({ path }: Track): readonly [number, number] | undefined {
  const first = path[0]!;
  const last = path[path.length - 1]!;
  const length = Math.hypot(last.x - first.x, last.y - first.y);
  return length > 0 ? [(last.x - first.x) / length, (last.y - first.y) / length] : undefined;
}

function moveTo(
  track: Track,
  detection: Detection,
  predicted: BoxMotion,
  still: Stillness,
  pts: number,
  stepS: number,
  options: TrackerOptions,
): BoxMotion {
  const cut = isCut(still, detection.box);
  if (cut || isStanding(track.still) || isStanding(still)) {
    // A passer-by who covers half of a parked car does not push it: it is confirmed where it stands.
    return correctMotion(predicted, cut ? still.box : detection.box, detection.score, options);
  }
  return (
    replay(track, detection, pts, stepS, options) ?? correctMotion(predicted, detection.box, detection.score, options)
  );
}

const isStanding = ({ isStationary, awayPts }: Stillness): boolean => isStationary && awayPts === undefined;

/** Longest absence that is replayed in single steps. */
const REPLAY_STEPS = 4;

/**
 * Re-update after a gap (Cao et al., OC-SORT): the errors that built up while the object was unseen are undone by
 * following the straight line between the two observations instead of the prediction.
 */
function replay(
  track: Track,
  { box, score }: Detection,
  pts: number,
  stepS: number,
  options: TrackerOptions,
): BoxMotion | undefined {
  const gapS = pts - track.lastPts;
  const steps = Math.min(REPLAY_STEPS, Math.round(gapS / stepS));
  if (steps < 2 || track.hits < 2) return undefined;
  const from = track.last.box;
  let motion = track.motion;
  for (let step = 1; step <= steps; step++) {
    const share = step / steps;
    const between = from.map((side, index) => side + (box[index]! - side) * share) as unknown as BoxXyxy; // four sides again
    motion = correctMotion(predictMotion(motion, gapS / steps, options), between, score, options);
  }
  return motion;
}

/** A score just under the limit adds next to nothing, one near 0 the whole time. */
const dimAfter = ({ dimS, lastPts }: Track, score: number, pts: number, { highScore }: TrackerOptions): number =>
  score >= highScore ? 0 : dimS + (pts - lastPts) * (1 - score / highScore);

function vote({ votes, lastPts }: Track, label: string, score: number, pts: number, { labelMemoryS }: TrackerOptions) {
  const fade = Math.exp(-(pts - lastPts) / labelMemoryS);
  const next: Record<string, number> = {};
  for (const one in votes) next[one] = votes[one]! * fade;
  next[label] = (next[label] ?? 0) + score;
  return next;
}

function mostVoted(votes: Readonly<Record<string, number>>, among: string): string {
  let best = among;
  for (const one in votes) if (votes[one]! > votes[best]!) best = one;
  return best;
}

const pathPoint = (box: BoxXyxy, pts: number): PathPoint => ({
  pts,
  x: (box[0] + box[2]) / 2,
  y: (box[1] + box[3]) / 2,
});

/** Appends a point; of those before keeps one at least `directionS` old, and few in between. */
function walk(path: readonly PathPoint[], point: PathPoint, directionS: number): readonly PathPoint[] {
  const next = [...path, point];
  while (next.length > 1 && next[1]!.pts <= point.pts - directionS) next.shift();
  const before = next[next.length - 3];
  const isClose = before !== undefined && point.pts - before.pts < directionS / PATH_POINTS;
  if (isClose) next.splice(next.length - 2, 1);
  return next;
}

function follow(before: Float32Array | undefined, now: Float32Array): Float32Array {
  const target = unit(now);
  if (!before || before.length !== target.length) return target;
  return unit(before.map((value, index) => value + EMBEDDING_FOLLOWS * (target[index]! - value)));
}

function unit(vector: Float32Array): Float32Array {
  const length = Math.hypot(...vector);
  return length > 0 ? vector.map((value) => value / length) : vector;
}

/** Takes the mask apart where it will be compared. */
export const sight = (
  detection: Detection,
  embedding: Float32Array | undefined,
  { maskCue }: TrackerOptions,
): Sighting => ({
  detection,
  spans: maskCue && detection.mask ? maskSpans(detection.mask) : undefined,
  embedding,
});
