import { boxIou, boxScale, clipBox } from '../geometry/box.js';
import type { BoxXyxy, Instance, InstanceState, Size } from '../types.js';
import { type BoxMotion, boxOf, velocityOf } from './kalman.js';
import type { TrackerOptions } from './options.js';
import type { Track } from './track.js';

/**
 * What the world sees of the confirmed tracks, in the order of their ids. A lost track has a predicted box and no mask; it
 * is left out while it lies outside the frame, or where a seen one of its class lies on it.
 *
 * @param unseen  motion, at the time of the frame, of the tracks that were not seen in it
 */
export function showTracks(
  state: {
    readonly options: TrackerOptions;
    readonly idPrefix: string;
    readonly pts: number;
    readonly tracks: readonly Track[];
  },
  unseen: ReadonlyMap<Track, BoxMotion>,
  source: Size,
): Instance[] {
  const { options, idPrefix, pts } = state;
  const confirmed = state.tracks.filter(({ number }) => number > 0).sort((a, b) => a.number - b.number);
  const instances: Instance[] = [];
  for (const track of confirmed) {
    const lost = unseen.get(track);
    if (lost && isCovered(track, boxOf(lost), confirmed, unseen, options)) continue;
    const box = lost ? boxOf(lost) : shownBox(track, options);
    const clipped = options.clipToFrame ? clipBox(box, source) : box;
    if (!clipped) continue;
    const state: InstanceState = lost ? 'lost' : track.still.isStationary ? 'stationary' : 'moving';
    instances.push({
      id: `${idPrefix}-${track.number}`,
      label: track.label,
      score: track.last.score,
      box: clipped,
      ...(!lost && track.last.mask && { mask: track.last.mask }),
      state,
      zones: [],
      age: pts - track.firstPts,
      velocity: velocityOf(lost ?? track.motion),
    });
  }
  return instances;
}

/** A box is moved away from its detection by no more than this share of its longer side. */
const MOST_SMOOTHING = 0.1;

/**
 * The detection drawn towards the filter, which takes part of the detector's jitter out. A box with a mask stays the
 * mask's own.
 */
function shownBox({ last, motion }: Track, { smoothing }: TrackerOptions): BoxXyxy {
  if (last.mask || smoothing === 0) return last.box;
  const limit = MOST_SMOOTHING * boxScale(last.box);
  const filtered = boxOf(motion);
  const drawn = (from: number, to: number): number => from + Math.max(-limit, Math.min(limit, smoothing * (to - from)));
  return [
    drawn(last.box[0], filtered[0]),
    drawn(last.box[1], filtered[1]),
    drawn(last.box[2], filtered[2]),
    drawn(last.box[3], filtered[3]),
  ];
}

function isCovered(
  track: Track,
  box: BoxXyxy,
  confirmed: readonly Track[],
  unseen: ReadonlyMap<Track, BoxMotion>,
  { duplicateIou }: TrackerOptions,
): boolean {
  return confirmed.some(
    (other) => other.label === track.label && !unseen.has(other) && boxIou(other.last.box, box) >= duplicateIou,
  );
}
