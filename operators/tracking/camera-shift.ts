import { boxScale } from '../geometry/box.js';
import { type BoxIndex, firstReaching } from '../geometry/box-index.js';
import type { BoxXyxy } from '../types.js';
import type { Prediction } from './likeness.js';
import type { Sighting } from './track.js';

/** Fewer tracks than this may all have turned by chance. */
const LEAST_TRACKS = 5;
/** The oldest so many are asked: more would not move the median. */
const MOST_TRACKS = 32;
const LEAST_HITS = 3;
const LEAST_OVERLAP = 0.3;
const WIDEN = 0.3;
/** A shift by less than this share of a middling box changes no pair and is not worth its time. */
const LEAST_SHIFT = 0.01;
/** Where the tracks disagree by more than six times what they move together, it is chance. */
const LEAST_TRUST = 0.15;

/**
 * A shift of the camera as the boxes see it: the median by which detections lie beside the predictions that they overlap
 * best, taken back to the degree to which the tracks disagree. Where nobody moves the camera it is next to nothing, for
 * predictions err in all directions.
 *
 * @param index  of the boxes of all sightings
 * @returns `[dx, dy]` in pixels; undefined when fewer than five tracks can tell, or they do not agree
 */
export function agreedShift(
  predictions: readonly Prediction[],
  sightings: readonly Sighting[],
  index: BoxIndex,
): readonly [number, number] | undefined {
  const [dx, dy, scales]: [number[], number[], number[]] = [[], [], []];
  for (const { track, box, isLost } of predictions) {
    if (dx.length === MOST_TRACKS) break;
    if (isLost || track.hits < LEAST_HITS) continue;
    const best = sightings[mostOverlapping(box, index)]?.detection.box;
    if (!best) continue;
    dx.push((best[0] + best[2] - box[0] - box[2]) / 2);
    scales.push(boxScale(box));
    dy.push((best[1] + best[3] - box[1] - box[3]) / 2);
  }
  if (dx.length < LEAST_TRACKS) return undefined;
  const x = middle(dx);
  const y = middle(dy);
  const spread = middle(dx.map((value) => Math.abs(value - x))) + middle(dy.map((value) => Math.abs(value - y)));
  const length = Math.abs(x) + Math.abs(y);
  const trust = length / (length + spread);
  if (length < LEAST_SHIFT * middle(scales) || trust < LEAST_TRUST) return undefined;
  return [trust * x, trust * y];
}

/** Index of the detection that, both widened, overlaps the box most, or −1. */
function mostOverlapping(box: BoxXyxy, index: BoxIndex): number {
  const { boxes, order, widest } = index;
  const growX = WIDEN * (box[2] - box[0]);
  const growY = WIDEN * (box[3] - box[1]);
  const [x1, y1, x2, y2] = [box[0] - growX, box[1] - growY, box[2] + growX, box[3] + growY];
  const area = (x2 - x1) * (y2 - y1);
  const end = x2 + WIDEN * widest;
  let best = -1;
  let most = LEAST_OVERLAP;
  for (let place = firstReaching(index, x1, WIDEN); boxes[4 * place]! < end; place++) {
    const at = 4 * place;
    const growOtherX = WIDEN * (boxes[at + 2]! - boxes[at]!);
    const width = Math.min(x2, boxes[at + 2]! + growOtherX) - Math.max(x1, boxes[at]! - growOtherX);
    if (width <= 0) continue;
    const growOtherY = WIDEN * (boxes[at + 3]! - boxes[at + 1]!);
    const height = Math.min(y2, boxes[at + 3]! + growOtherY) - Math.max(y1, boxes[at + 1]! - growOtherY);
    if (height <= 0) continue;
    const both = width * height;
    const other = (growOtherX * growOtherY * (1 + 2 * WIDEN) ** 2) / WIDEN ** 2;
    const overlap = both / (area + other - both);
    if (overlap > most) {
      most = overlap;
      best = order[place]!;
    }
  }
  return best;
}

/** Upper of the two middle values for an even count. */
const middle = (values: readonly number[]): number => Float64Array.from(values).sort()[values.length >> 1]!;
