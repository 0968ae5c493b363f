import type { Affine } from '../geometry/affine.js';
import type { BoxIndex } from '../geometry/box-index.js';
import { agreedShift } from './camera-shift.js';
import { type BoxMotion, predictMotion, standAt, stayInPlace } from './kalman.js';
import { type Prediction, predictionOf, shiftPrediction } from './likeness.js';
import { mayBecome, type TrackerOptions } from './options.js';
import { isInPlace } from './stillness.js';
import { type Sighting, type Track, warpTrack } from './track.js';

/** The doubt about the place of something that stands grows no longer than this. */
const STANDING_DOUBT_S = 0.5;

/**
 * Moves all tracks on to the time of a frame, and with the camera.
 *
 * @param index      of the boxes of all sightings
 * @param beforePts  time of the frame before: a track seen earlier than this is lost
 */
export function predictTracks(
  tracks: readonly Track[],
  beforePts: number,
  frame: { readonly pts: number; readonly cameraMotion?: Affine },
  sightings: readonly Sighting[],
  index: BoxIndex,
  options: TrackerOptions,
): Prediction[] {
  const predict = (track: Track): Prediction => {
    const isLost = track.lastPts < beforePts;
    const isBack = isBackInPlace(track, sightings, options);
    return predictionOf(track, moveOn(track, frame.pts - track.lastPts, isLost, isBack, options), frame.pts, isLost);
  };
  const given = options.cameraMotion === 'off' ? undefined : frame.cameraMotion;
  if (given) return tracks.map((track) => predict(warpTrack(track, given)));
  const predictions = tracks.map(predict);
  const agreed = options.cameraMotion === 'auto' ? agreedShift(predictions, sightings, index) : undefined;
  return agreed ? predictions.map((prediction) => shiftPrediction(prediction, ...agreed)) : predictions;
}

/**
 * What stood when it was last seen is expected in its place, however long ago that was. Not where the filter left it: a
 * passer-by cuts its box bit by bit before it is hidden, which looks like shrinking.
 */
function moveOn(
  { motion, still }: Track,
  unseenS: number,
  isLost: boolean,
  isBack: boolean,
  options: TrackerOptions,
): BoxMotion {
  if (!still.isResting) return predictMotion(motion, unseenS, options);
  const moved = predictMotion(motion, Math.min(unseenS, STANDING_DOUBT_S), options);
  if (isBack) return standAt(moved, still.box);
  if (!isLost) return moved;
  return still.awayPts === undefined ? standAt(moved, still.box) : stayInPlace(moved, motion);
}

/**
 * True when something fills the place of what stands and was seen beside it a moment ago. Behind a passer-by a detector
 * may see but a piece of it elsewhere, often weakly; following that and finding the whole object anew would make two of it.
 */
function isBackInPlace({ still, label }: Track, sightings: readonly Sighting[], options: TrackerOptions): boolean {
  if (!still.isResting || still.awayPts === undefined) return false;
  return sightings.some(
    ({ detection }) => mayBecome(label, detection.label, options) && isInPlace(still, detection.box),
  );
}
