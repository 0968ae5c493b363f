import { type Affine, shiftBy } from '../geometry/affine.js';
import { boxIou } from '../geometry/box.js';
import type { BoxXyxy } from '../types.js';
import type { Prediction } from './likeness.js';
import type { Sighting } from './track.js';

/** Fewer tracks than this may all have turned by chance. */
const LEAST_TRACKS = 5;
const LEAST_HITS = 3;
const LEAST_OVERLAP = 0.3;
const WIDEN = 0.3;

/**
 * A shift of the camera as the boxes see it: the median by which detections lie beside the predictions that they overlap
 * best, taken back to the degree to which the tracks disagree. Where nobody moves the camera it is next to nothing, for
 * predictions err in all directions.
 *
 * @returns undefined when fewer than five tracks can tell
 */
export function agreedShift(predictions: readonly Prediction[], sightings: readonly Sighting[]): Affine | undefined {
  const [dx, dy]: [number[], number[]] = [[], []];
  for (const { track, box, isLost } of predictions) {
    if (isLost || track.hits < LEAST_HITS) continue;
    let best: BoxXyxy | undefined;
    let most = LEAST_OVERLAP;
    const wide = widen(box);
    for (const { detection } of sightings) {
      const overlap = boxIou(wide, widen(detection.box));
      if (overlap > most) {
        most = overlap;
        best = detection.box;
      }
    }
    if (!best) continue;
    dx.push((best[0] + best[2] - box[0] - box[2]) / 2);
    dy.push((best[1] + best[3] - box[1] - box[3]) / 2);
  }
  if (dx.length < LEAST_TRACKS) return undefined;
  const x = middle(dx);
  const y = middle(dy);
  const spread = middle(dx.map((value) => Math.abs(value - x))) + middle(dy.map((value) => Math.abs(value - y)));
  const length = Math.abs(x) + Math.abs(y);
  if (length === 0) return undefined;
  const trust = length / (length + spread);
  return shiftBy(trust * x, trust * y);
}

function widen([x1, y1, x2, y2]: BoxXyxy): BoxXyxy {
  const width = WIDEN * (x2 - x1);
  const height = WIDEN * (y2 - y1);
  return [x1 - width, y1 - height, x2 + width, y2 + height];
}

/** Upper of the two middle values for an even count. */
const middle = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;
