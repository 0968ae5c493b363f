import { boxScale, moveBox } from '../geometry/box.js';
import { type MaskSpans, spansIou } from '../masks/spans.js';
import type { BoxXyxy } from '../types.js';
import { type BoxMotion, boxOf, doubtOf, shiftMotion } from './kalman.js';
import type { TrackerOptions } from './options.js';
import { directionOf, type Sighting, shiftTrack, type Track } from './track.js';

/** A track moved on to the time of a frame, with all that comparing it needs. */
export interface Prediction {
  readonly track: Track;
  readonly motion: BoxMotion;
  readonly box: BoxXyxy;
  /** Share of its size by which boxes are widened before they are compared. */
  readonly buffer: number;
  /** Not seen in the frame before. */
  readonly isLost: boolean;
  /** Seconds since it was seen. */
  readonly unseenS: number;
  readonly direction: readonly [number, number] | undefined;
}

/** Boxes grow by this share of the doubt about the centre, and by no more than half a side. */
const BUFFER_PER_DOUBT = 0.25;
const MAX_BUFFER = 0.5;

export function predictionOf(track: Track, motion: BoxMotion, pts: number, isLost: boolean): Prediction {
  return {
    track,
    motion,
    box: boxOf(motion),
    buffer: Math.min(MAX_BUFFER, BUFFER_PER_DOUBT * doubtOf(motion)),
    isLost,
    unseenS: pts - track.lastPts,
    direction: directionOf(track),
  };
}

/** The prediction, and its track, as a camera sees it that moved by so much. */
export function shiftPrediction(prediction: Prediction, dx: number, dy: number): Prediction {
  return {
    ...prediction,
    track: shiftTrack(prediction.track, dx, dy),
    motion: shiftMotion(prediction.motion, dx, dy),
    box: moveBox(prediction.box, dx, dy),
  };
}

/**
 * How alike a predicted box and a detection are, 0…1: the overlap of both boxes widened by the doubt about the
 * prediction (Yang et al., C-BIoU, but wider only where the filter is unsure, so that a low frame rate gets what it needs
 * and a high one no confusion), times the ratio of heights to the power of 1.5 (after Yang et al., Hybrid-SORT: people differ in height
 * on the picture with their distance, and a cut box has another height).
 *
 * @param boxes  `[n, 4]` detections
 * @param at     where the detection begins in it
 */
export function likeness({ box, buffer }: Prediction, boxes: Float64Array, at: number): number {
  const b0 = boxes[at]!;
  const b2 = boxes[at + 2]!;
  const widthA = box[2] - box[0];
  const widthB = b2 - b0;
  const growX = buffer * widthA;
  const growXB = buffer * widthB;
  const width = Math.min(box[2] + growX, b2 + growXB) - Math.max(box[0] - growX, b0 - growXB);
  if (width <= 0) return 0;
  const b1 = boxes[at + 1]!;
  const b3 = boxes[at + 3]!;
  const heightA = box[3] - box[1];
  const heightB = b3 - b1;
  const growY = buffer * heightA;
  const growYB = buffer * heightB;
  const height = Math.min(box[3] + growY, b3 + growYB) - Math.max(box[1] - growY, b1 - growYB);
  if (height <= 0) return 0;
  const both = width * height;
  const overlap = both / ((widthA * heightA + widthB * heightB) * (1 + 2 * buffer) ** 2 - both);
  const heights = Math.min(heightA, heightB) / Math.max(heightA, heightB);
  return overlap * heights * Math.sqrt(heights);
}

/** What a mask that is not at all alike takes off the weight of a pair, beside one that is. */
export const MASK_SHARE = 0.5;

/** Overlap of a detection's mask with the track's last one, moved as the prediction moved its box; undefined without both. */
export function maskLikeness(prediction: Prediction, { spans }: Sighting, options: TrackerOptions): number | undefined {
  const before = prediction.track.spans;
  if (!before || !spans || prediction.unseenS > options.maskMemoryS) return undefined;
  const [from, to] = [prediction.track.last.box, prediction.box];
  const dx = Math.round((to[0] + to[2] - from[0] - from[2]) / 2);
  const dy = Math.round((to[1] + to[3] - from[1] - from[3]) / 2);
  return spansIou(moveSpans(before, dx, dy), spans);
}

/** Weights of what speaks for a pair beside its likeness. */
const DIRECTION = 0.2;
const SCORE = 0.15;
const LOST = 0.1;
const OTHER_CLASS = 0.1;

/**
 * What else speaks for (or against) a pair: it lies in the direction of travel (Cao et al., OC-SORT), its score is good, the track was
 * not lost and has the class, the embeddings agree.
 */
export function support(prediction: Prediction, sighting: Sighting, options: TrackerOptions): number {
  const { detection } = sighting;
  let sum = SCORE * detection.score;
  if (prediction.isLost) sum -= LOST;
  if (prediction.track.label !== detection.label) sum -= OTHER_CLASS;
  const agreement = agreementOf(prediction, detection.box);
  if (agreement !== undefined) sum += DIRECTION * detection.score * agreement;
  if (options.appearanceWeight > 0) sum += options.appearanceWeight * appearance(prediction.track, sighting);
  return sum;
}

/** 0.5 straight on, −0.5 straight back, linear in the angle; undefined where either has no direction. */
function agreementOf({ direction, track }: Prediction, box: BoxXyxy): number | undefined {
  if (!direction) return undefined;
  const from = track.path[track.path.length - 1]!;
  const dx = (box[0] + box[2]) / 2 - from.x;
  const dy = (box[1] + box[3]) / 2 - from.y;
  const length = Math.hypot(dx, dy);
  // Within rounding of the same place there is no direction.
  if (length < 1e-6 * boxScale(box)) return undefined;
  const cosine = (dx * direction[0] + dy * direction[1]) / length;
  return 0.5 - Math.acos(Math.max(-1, Math.min(1, cosine))) / Math.PI;
}

/** Cosine of both embeddings, −1…1; 0 without both. */
function appearance({ embedding }: Track, sighting: Sighting): number {
  const other = sighting.embedding;
  if (!embedding || !other || other.length !== embedding.length) return 0;
  let [product, length] = [0, 0];
  for (let index = 0; index < other.length; index++) {
    product += embedding[index]! * other[index]!;
    length += other[index]! ** 2;
  }
  return length > 0 ? product / Math.sqrt(length) : 0;
}

function moveSpans({ spans, area, box }: MaskSpans, dx: number, dy: number): MaskSpans {
  if (dx === 0 && dy === 0) return { spans, area, box };
  const moved = spans.map((value, index) => value + (index % 3 === 0 ? dx : dy));
  return { spans: moved, area, box: [box[0] + dx, box[1] + dy, box[2] + dx, box[3] + dy] };
}
