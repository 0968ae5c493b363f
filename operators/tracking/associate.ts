import { type BoxIndex, firstReaching } from '../geometry/box-index.js';
import { assign } from './assignment.js';
import { likeness, MASK_SHARE, maskLikeness, type Prediction, support } from './likeness.js';
import { mayBecome, type TrackerOptions } from './options.js';
import { isCut } from './stillness.js';
import type { Sighting } from './track.js';

/** What belongs together in a frame. */
export interface Association {
  /** For each prediction the index of its detection, or −1. */
  readonly detectionOf: Int32Array;
  /** Indices of the detections of high score that belong to no track. */
  readonly fresh: readonly number[];
}

/**
 * Two-stage association (Zhang et al., ByteTrack): confirmed tracks take detections of high score; those of them that are left
 * and were there a frame ago, or stand, take low ones; what is left of the high ones goes to the unconfirmed tracks.
 *
 * @param index  of the boxes of all sightings
 */
export function associate(
  predictions: readonly Prediction[],
  sightings: readonly Sighting[],
  index: BoxIndex,
  options: TrackerOptions,
): Association {
  const detectionOf = new Int32Array(predictions.length).fill(-1);
  const isTaken = new Uint8Array(sightings.length);
  const all = predictions.map((_, index) => index);
  const isHigh = (column: number): boolean => sightings[column]!.detection.score >= options.highScore;
  const confirmed = all.filter((row) => predictions[row]!.track.number > 0);

  const columns = sightings.map((_, index) => index);

  pair(confirmed, columns.filter(isHigh), highGate);
  pair(
    confirmed.filter((row) => detectionOf[row] === -1 && mayBeDim(predictions[row]!, options)),
    columns.filter((column) => !isHigh(column)),
    lowGate,
  );
  const isLeft = (column: number): boolean => isHigh(column) && isTaken[column] === 0;
  const tentative = all.filter((row) => predictions[row]!.track.number === 0);
  pair(tentative, columns.filter(isLeft), () => options.minLikeness);
  return { detectionOf, fresh: columns.filter(isLeft) };

  /**
   * Least likeness in the second stage. A weak detection beside the place of something that stands says nothing about it: a detector
   * that sees half of a car behind a passer-by boxes odd pieces, and following them from one to the next would end elsewhere.
   */
  function lowGate({ track, isLost }: Prediction, { detection }: Sighting): number {
    const mustFill = isLost || (track.still.isStationary && !isCut(track.still, detection.box));
    return mustFill ? Math.max(PLACE, options.minLikenessLow) : options.minLikenessLow;
  }

  /** Least likeness in the first stage. A middling score must overlap more, above all to bring a lost track back. */
  function highGate({ track, isLost, unseenS }: Prediction, { detection }: Sighting): number {
    const { sureScore, highScore, minLikeness, keepLostS } = options;
    const { score } = detection;
    const doubt = score >= sureScore ? 0 : Math.min(1, (sureScore - score) / (sureScore - highScore));
    // What stands is not anywhere: missed or not, it is expected in its place, and there even a weak detection may be it.
    const isAstray = isLost && !track.still.isResting;
    const gate = minLikeness + doubt * (DOUBT + (isAstray ? LOST_DOUBT : 0));
    // Who drives past what stands covers it for a moment and is not it: only what fills the place may be, or, if it was
    // there just now, what is left of it behind a passer-by.
    const mayBePart = unseenS <= keepLostS && isCut(track.still, detection.box);
    return track.still.isStationary && !mayBePart ? Math.max(gate, PLACE) : gate;
  }

  function pair(rows: readonly number[], candidates: readonly number[], gateOf: GateOf): void {
    if (rows.length === 0 || candidates.length === 0) return;
    const { weight, cells } = weigh(
      rows.map((row) => predictions[row]!),
      candidates,
      sightings,
      index,
      gateOf,
      options,
    );
    const pairs = assign(weight, rows.length, candidates.length, cells);
    for (let nth = 0; nth < pairs.length; nth++) {
      const column = candidates[pairs[nth]!];
      if (column === undefined) continue;
      detectionOf[rows[nth]!] = column;
      isTaken[column] = 1;
    }
  }
}

/** Least likeness of a pair. */
type GateOf = (prediction: Prediction, sighting: Sighting) => number;

/**
 * Low scores carry on what was just there, though not for ever: where somebody left the picture, the wall behind scores
 * 0.15 frame after frame. And what stands: a parked car at dusk is dim for hours.
 */
const mayBeDim = ({ isLost, track }: Prediction, { keepDimS }: TrackerOptions): boolean =>
  track.still.isStationary || (!isLost && track.dimS <= keepDimS);

const DOUBT = 0.15;
const LOST_DOUBT = 0.5;
const PLACE = 0.5;
/** Weight of a pair just at its gate, with nothing else for or against it. */
const AT_GATE = 0.01;
/** Weight of a pair that is allowed although everything beside the overlap speaks against it. */
const LEAST = 1e-6;

/**
 * Weights for the assignment, `[rows, candidates]`: 0 where a pair is not allowed, else above 0; and where they are above 0.
 *
 * @param candidates  indices of the sightings that take part
 * @param index       of the boxes of all sightings
 */
function weigh(
  rows: readonly Prediction[],
  candidates: readonly number[],
  sightings: readonly Sighting[],
  index: BoxIndex,
  gateOf: GateOf,
  options: TrackerOptions,
): { readonly weight: Float64Array; readonly cells: readonly number[] } {
  const count = candidates.length;
  const columnOf = new Int32Array(sightings.length).fill(-1);
  for (let column = 0; column < count; column++) columnOf[candidates[column]!] = column;
  const weight = new Float64Array(rows.length * count);
  const choices = new Int32Array(rows.length + count);
  const cells: number[] = [];
  const gates: number[] = [];
  for (let row = 0; row < rows.length; row++) {
    const prediction = rows[row]!;
    const { box, buffer } = prediction;
    const grow = buffer * (box[2] - box[0]);
    const end = box[2] + grow + buffer * index.widest;
    for (let place = firstReaching(index, box[0] - grow, buffer); index.boxes[4 * place]! < end; place++) {
      const column = columnOf[index.order[place]!]!;
      if (column < 0) continue;
      const value = likeness(prediction, index.boxes, 4 * place);
      if (value === 0) continue;
      const sighting = sightings[candidates[column]!]!;
      const gate = gateOf(prediction, sighting);
      if (value < gate || !mayBecome(prediction.track.label, sighting.detection.label, options)) continue;
      weight[row * count + column] = value;
      choices[row]! += 1;
      choices[rows.length + column]! += 1;
      cells.push(row * count + column);
      gates.push(gate);
    }
  }
  const masks = options.maskCue ? compareMasks() : undefined;
  for (let nth = 0; nth < cells.length; nth++) {
    const at = cells[nth]!;
    const column = at % count;
    const prediction = rows[(at - column) / count]!;
    const sighting = sightings[candidates[column]!]!;
    const value = weight[at]! - (masks ? masks[nth]! : 0);
    weight[at] = Math.max(LEAST, value - gates[nth]! + support(prediction, sighting, options) + AT_GATE);
  }
  return { weight, cells };

  /** What masks say against each cell: how much less its mask is like the detection's than that of the track most like it. */
  function compareMasks(): Float64Array {
    const alike = new Float64Array(cells.length).fill(Number.NaN);
    const best = new Float64Array(count);
    cells.forEach((at, nth) => {
      const column = at % count;
      const row = (at - column) / count;
      // Masks cost time, so they are compared only where boxes leave a choice.
      if (choices[row]! < 2 && choices[rows.length + column]! < 2) return;
      const value = maskLikeness(rows[row]!, sightings[candidates[column]!]!, options);
      if (value === undefined) return;
      alike[nth] = value;
      best[column] = Math.max(best[column]!, value);
    });
    return alike.map((value, nth) => (Number.isNaN(value) ? 0 : MASK_SHARE * (best[cells[nth]! % count]! - value)));
  }
}
