import { firstReaching, indexBoxes } from '../geometry/box-index.js';
import { assign } from './assignment.js';
import { likeness, maskLikeness, type Prediction, support, withMask } from './likeness.js';
import { mayBecome, type TrackerOptions } from './options.js';
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
 */
export function associate(
  predictions: readonly Prediction[],
  sightings: readonly Sighting[],
  options: TrackerOptions,
): Association {
  const detectionOf = new Int32Array(predictions.length).fill(-1);
  const isTaken = new Uint8Array(sightings.length);
  const all = predictions.map((_, index) => index);
  const isHigh = (column: number): boolean => sightings[column]!.detection.score >= options.highScore;
  const isFree = (column: number): boolean => isTaken[column] === 0;
  const columns = sightings.map((_, index) => index);
  const confirmed = all.filter((row) => predictions[row]!.track.number > 0);

  pair(confirmed, columns.filter(isHigh), highGate);
  pair(
    confirmed.filter((row) => detectionOf[row] === -1 && mayBeDim(predictions[row]!)),
    columns.filter((column) => !isHigh(column)),
    ({ isLost }) => (isLost ? Math.max(PLACE, options.minLikenessLow) : options.minLikenessLow),
  );
  const tentative = all.filter((row) => predictions[row]!.track.number === 0);
  pair(
    tentative,
    columns.filter((column) => isHigh(column) && isFree(column)),
    () => options.minLikeness,
  );
  return { detectionOf, fresh: columns.filter((column) => isHigh(column) && isFree(column)) };

  /** Least likeness in the first stage. A middling score must overlap more, above all to bring a lost track back. */
  function highGate({ track, isLost, unseenS }: Prediction, { detection }: Sighting): number {
    const { sureScore, highScore, minLikeness, keepLostS } = options;
    const doubt = Math.max(0, Math.min(1, (sureScore - detection.score) / (sureScore - highScore)));
    const gate = minLikeness + doubt * (DOUBT + (isLost ? LOST_DOUBT : 0));
    // Where something stood long ago only something that fills the place may be it.
    return track.still.isStationary && unseenS > keepLostS ? Math.max(gate, PLACE) : gate;
  }

  function pair(
    rows: readonly number[],
    candidates: readonly number[],
    gateOf: (prediction: Prediction, sighting: Sighting) => number,
  ): void {
    if (rows.length === 0 || candidates.length === 0) return;
    const weight = weigh(
      rows.map((row) => predictions[row]!),
      candidates.map((column) => sightings[column]!),
      gateOf,
      options,
    );
    assign(weight, rows.length, candidates.length).forEach((column, index) => {
      if (column < 0) return;
      detectionOf[rows[index]!] = candidates[column]!;
      isTaken[candidates[column]!] = 1;
    });
  }
}

/** Low scores carry on what was just there, and what stands: a parked car at dusk is dim for hours. */
const mayBeDim = ({ isLost, track }: Prediction): boolean => !isLost || track.still.isStationary;

const DOUBT = 0.15;
const LOST_DOUBT = 0.5;
const PLACE = 0.5;
/** Weight of a pair just at its gate, with nothing else for or against it. */
const AT_GATE = 0.01;
/** Weight of a pair that is allowed although everything beside the overlap speaks against it. */
const LEAST = 1e-6;

/** `[rows, columns]` weights for the assignment: 0 where a pair is not allowed, else above 0. */
function weigh(
  rows: readonly Prediction[],
  columns: readonly Sighting[],
  gateOf: (prediction: Prediction, sighting: Sighting) => number,
  options: TrackerOptions,
): Float64Array {
  const alike = new Float64Array(rows.length * columns.length);
  const choices = new Int32Array(rows.length + columns.length);
  const pairs: number[] = [];
  const gates: number[] = [];
  const index = indexBoxes(columns.map(({ detection }) => detection.box));
  for (let row = 0; row < rows.length; row++) {
    const prediction = rows[row]!;
    const { box, buffer } = prediction;
    const grow = buffer * (box[2] - box[0]);
    const end = box[2] + grow + buffer * index.widest;
    for (let place = firstReaching(index, box[0] - grow, buffer); index.boxes[4 * place]! < end; place++) {
      const value = likeness(prediction, index.boxes, 4 * place);
      if (value === 0) continue;
      const column = index.order[place]!;
      const sighting = columns[column]!;
      const gate = gateOf(prediction, sighting);
      if (value < gate) continue;
      if (!mayBecome(prediction.track.label, sighting.detection.label, options)) continue;
      const at = row * columns.length + column;
      alike[at] = value;
      choices[row]! += 1;
      choices[rows.length + column]! += 1;
      pairs.push(at);
      gates.push(gate);
    }
  }
  for (const [nth, at] of pairs.entries()) {
    const column = at % columns.length;
    const row = (at - column) / columns.length;
    const [prediction, sighting, boxLikeness] = [rows[row]!, columns[column]!, alike[at]!];
    // Masks cost time, so they are compared only where boxes leave a choice.
    const isOpen = options.maskCue && (choices[row]! > 1 || choices[rows.length + column]! > 1);
    const masks = isOpen ? maskLikeness(prediction, sighting, options) : undefined;
    const both = masks === undefined ? boxLikeness : withMask(boxLikeness, masks);
    alike[at] = Math.max(LEAST, both - gates[nth]! + support(prediction, sighting, options) + AT_GATE);
  }
  return alike;
}
