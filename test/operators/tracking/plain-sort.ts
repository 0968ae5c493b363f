import { boxIou } from '../../../operators/geometry/box.js';
import { assign } from '../../../operators/tracking/assignment.js';
import type { BoxXyxy } from '../../../operators/types.js';

/** A box with its identity, as the tracker under comparison gives it out. */
export interface SortBox {
  readonly id: number;
  readonly box: BoxXyxy;
}

/** Least overlap of a prediction and a detection, hits before a track is shown, frames it may be missed. */
const MIN_IOU = 0.3;
const MIN_HITS = 3;
const MAX_AGE = 1;

/** Variances of the filter, per frame, in pixels: fixed, whatever the size of the object. */
const FIRST = 10;
const FIRST_RATE = 10_000;
const AXES = [
  { name: 'x', measured: 1, rate: 0.01 },
  { name: 'y', measured: 1, rate: 0.01 },
  { name: 'area', measured: 10, rate: 0.0001 },
  { name: 'aspect', measured: 10, rate: undefined },
] as const;
const PROCESS = 1;

/** `[value, rate, P00, P01, P11]`. */
type Axis = [number, number, number, number, number];

interface SortTrack {
  readonly id: number;
  readonly axes: readonly Axis[];
  unseen: number;
  streak: number;
}

/**
 * SORT (Bewley et al., 2016) as its authors published it, to compare with: overlap only, one stage, a filter in frames, no
 * scores. Its matrices are diagonal, so the seven states fall apart into four small filters.
 *
 * @param frames  boxes of each frame
 * @returns       what it shows in each frame
 */
export function plainSort(frames: readonly (readonly BoxXyxy[])[]): SortBox[][] {
  let tracks: SortTrack[] = [];
  let nextId = 1;
  return frames.map((boxes, index) => {
    for (const track of tracks) predict(track);
    const predicted = tracks.map(boxOf);
    const weight = Float64Array.from(boxes.flatMap((box) => predicted.map((other) => boxIou(box, other))));
    const trackOf = assign(weight, boxes.length, tracks.length);
    const born: SortTrack[] = [];
    for (const [row, box] of boxes.entries()) {
      const column = trackOf[row]!;
      const track = tracks[column];
      if (track && weight[row * tracks.length + column]! >= MIN_IOU) correct(track, box);
      else born.push(begin(nextId++, box));
    }
    tracks.push(...born);
    const shown = tracks
      .filter(({ unseen, streak }) => unseen === 0 && (streak >= MIN_HITS || index < MIN_HITS))
      .map((track) => ({ id: track.id, box: boxOf(track) }));
    tracks = tracks.filter(({ unseen }) => unseen <= MAX_AGE);
    return shown;
  });
}

const measure = ([x1, y1, x2, y2]: BoxXyxy): number[] => [
  (x1 + x2) / 2,
  (y1 + y2) / 2,
  (x2 - x1) * (y2 - y1),
  (x2 - x1) / (y2 - y1),
];

function begin(id: number, box: BoxXyxy): SortTrack {
  const measured = measure(box);
  const axes = AXES.map(({ rate }, axis): Axis => [measured[axis]!, 0, FIRST, 0, rate === undefined ? 0 : FIRST_RATE]);
  return { id, axes, unseen: 0, streak: 0 };
}

function predict(track: SortTrack): void {
  const area = track.axes[2]!;
  if (area[0] + area[1] <= 0) area[1] = 0;
  for (const [index, axis] of track.axes.entries()) {
    axis[0] += axis[1];
    axis[2] += 2 * axis[3] + axis[4] + PROCESS;
    axis[3] += axis[4];
    axis[4] += AXES[index]!.rate ?? 0;
  }
  if (track.unseen > 0) track.streak = 0;
  track.unseen++;
}

function correct(track: SortTrack, box: BoxXyxy): void {
  const measured = measure(box);
  for (const [index, axis] of track.axes.entries()) {
    const total = axis[2] + AXES[index]!.measured;
    const [gain, rateGain] = [axis[2] / total, axis[3] / total];
    const error = measured[index]! - axis[0];
    axis[0] += gain * error;
    axis[1] += rateGain * error;
    axis[4] -= rateGain * axis[3];
    axis[3] *= 1 - gain;
    axis[2] *= 1 - gain;
  }
  track.unseen = 0;
  track.streak++;
}

function boxOf({ axes }: SortTrack): BoxXyxy {
  const [x, y, area, aspect] = axes.map(([value]) => value) as [number, number, number, number];
  const width = Math.sqrt(area * aspect);
  const height = area / width;
  return [x - width / 2, y - height / 2, x + width / 2, y + height / 2];
}
