/**
 * How tracks begin, live and end. Scores are 0…1, times seconds of the source's clock, lengths shares of an object's
 * longer side: nothing is counted in frames or pixels, so that frame rate and picture size do not matter.
 */
export interface TrackerOptions {
  /** First association takes detections from this score on, and only from these a track begins. */
  readonly highScore: number;
  /**
   * Between `highScore` and this a detection needs more overlap, and much more to bring a lost track back. Left out: 0.2
   * above `highScore`, or halfway from there to 1 where that is less.
   */
  readonly sureScore: number;
  /** Second association takes those from this score on, for tracks that were there a frame ago; lower ones are left out. */
  readonly lowScore: number;
  /** A track begins only from a detection of at least this score. */
  readonly newScore: number;

  /** Least likeness (height-weighted overlap) of a prediction and a detection in the first association. */
  readonly minLikeness: number;
  /** The same in the second association. */
  readonly minLikenessLow: number;

  /** A track is confirmed with this many detections or more … */
  readonly confirmHits: number;
  /** … once the sum of (score − `doubtScore`) over them reaches this … */
  readonly confirmEvidence: number;
  /** … where a score this low says nothing … */
  readonly doubtScore: number;
  /** … or when it has lived this long, whatever its scores. */
  readonly confirmS: number;
  /** An unconfirmed track is dropped when it is missed for longer than this. */
  readonly keepTentativeS: number;

  /** How long a confirmed track may come back under its id; never longer than it had lived. */
  readonly keepLostS: number;
  /**
   * A track that does not stand is carried on by low scores alone for so long at a score of 0, for twice as long at half of
   * `highScore`, for ten times as long at nine tenths of it.
   */
  readonly keepDimS: number;
  /** A gap between two frames longer than this ends all tracks. */
  readonly maxGapS: number;

  /** A track whose box stayed in place for so long is expected there while something hides it, wholly or in part. */
  readonly restAfterS: number;
  /** A track whose box stayed in place for so long is stationary. */
  readonly stationaryAfterS: number;
  /** A stationary track that is away from its place for longer than this moves again. */
  readonly leaveAfterS: number;
  /** A stationary track may be missed for as long as it has stood, but not longer than this. */
  readonly keepStationaryS: number;

  /** Detections of one object twice (same or easily confused class) overlap at least this much; the lower score goes. */
  readonly duplicateIou: number;
  /** Classes that a detector takes for one another: only inside such a group may a track change its class. */
  readonly confusable: readonly (readonly string[])[];
  /** Time constant in which old votes for a track's class fade. */
  readonly labelMemoryS: number;

  /** Compare masks where the detector gives them and boxes alone leave a choice. */
  readonly maskCue: boolean;
  /** A track's last mask is compared no longer than this after it was seen. */
  readonly maskMemoryS: number;
  /**
   * `auto`: the affine that comes with the frame, else a shift that the boxes themselves agree on; `given`: only what
   * comes with the frame; `off`: neither.
   */
  readonly cameraMotion: 'auto' | 'given' | 'off';
  /** Weight of the likeness of embeddings that come with the detections; 0 leaves them unused. */
  readonly appearanceWeight: number;
  /** Direction of travel is taken over this stretch of observations. */
  readonly directionS: number;

  /** Share of the filter in the box that is given out, the rest is the detection. A box with a mask is never smoothed. */
  readonly smoothing: number;
  /** Cut boxes that are given out to the frame. */
  readonly clipToFrame: boolean;

  /** Standard deviation of a detector's box, as a share of its longer side. */
  readonly measureNoise: number;
  /** Random walk of position and size, sides per √s. */
  readonly walkNoise: number;
  /** White acceleration of the centre, sides per s^1.5. */
  readonly accelerationNoise: number;
  /** White acceleration of width and height, sides per s^1.5. */
  readonly sizeNoise: number;
  /** Doubt about the speed of a new track, sides per s. */
  readonly firstRate: number;
}

/** One set for all cameras and benchmarks; where the numbers come from: docs/decisions/0005-tracker.md. */
export const TRACKER_DEFAULTS: TrackerOptions = {
  highScore: 0.5,
  sureScore: 0.7,
  lowScore: 0.1,
  newScore: 0.5,
  minLikeness: 0.22,
  minLikenessLow: 0.38,
  confirmHits: 2,
  confirmEvidence: 0.8,
  doubtScore: 0.55,
  confirmS: 0.5,
  keepTentativeS: 0.2,
  keepLostS: 2,
  keepDimS: 0.5,
  maxGapS: 5,
  restAfterS: 1,
  stationaryAfterS: 10,
  leaveAfterS: 1,
  keepStationaryS: 600,
  duplicateIou: 0.85,
  confusable: [
    ['car', 'truck', 'bus', 'train'],
    ['bicycle', 'motorcycle'],
    ['cat', 'dog', 'horse', 'sheep', 'cow', 'bear'],
  ],
  labelMemoryS: 10,
  maskCue: true,
  maskMemoryS: 1,
  cameraMotion: 'auto',
  appearanceWeight: 0,
  directionS: 0.2,
  smoothing: 0.65,
  clipToFrame: true,
  measureNoise: 0.12,
  walkNoise: 0.17,
  accelerationNoise: 1.2,
  sizeNoise: 0.1,
  firstRate: 2,
};

/** True when a detection of class `b` may continue a track of class `a`. */
export function mayBecome(a: string, b: string, { confusable }: TrackerOptions): boolean {
  return a === b || confusable.some((group) => group.includes(a) && group.includes(b));
}
