import { encodeRle } from '../../../operators/masks/rle.js';
import {
  createTracker,
  stepTracker,
  type TrackerFrame,
  type TrackerOptions,
  type TrackerState,
  type TrackerStep,
} from '../../../operators/tracking/step-tracker.js';
import type { BoxXyxy, Detection, MaskRle } from '../../../operators/types.js';

export const SOURCE = { width: 1280, height: 720 };

/** A detection by its centre and size. */
export function at(
  x: number,
  y: number,
  more: Partial<Detection> & { size?: readonly [number, number] } = {},
): Detection {
  const { size: [width, height] = [40, 100], ...rest } = more;
  return {
    label: 'person',
    score: 0.9,
    box: [x - width / 2, y - height / 2, x + width / 2, y + height / 2],
    ...rest,
  };
}

export interface Run {
  readonly steps: readonly TrackerStep[];
  readonly state: TrackerState;
  /** Ids of the seen instances of each step. */
  readonly seen: readonly (readonly string[])[];
}

/** Feeds frames 1/fps apart; a function may add to a frame. */
export function run(
  frames: readonly (readonly Detection[])[],
  options: Partial<TrackerOptions> = {},
  {
    fps = 25,
    state = createTracker(options, 'cam-x') as TrackerState,
    startPts = 0,
    more = {} as Partial<TrackerFrame>,
  } = {},
): Run {
  const steps: TrackerStep[] = [];
  let current = state;
  frames.forEach((detections, index) => {
    const step = stepTracker(current, { epoch: 0, pts: startPts + index / fps, source: SOURCE, detections, ...more });
    current = step.state;
    steps.push(step);
  });
  const seen = steps.map(({ instances }) => instances.filter(({ state }) => state !== 'lost').map(({ id }) => id));
  return { steps, state: current, seen };
}

/** `count` frames made by a function of the index. */
export const frames = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i));

/** Different ids in all steps, lost ones too. */
export const idsOf = ({ steps }: Run): string[] => [
  ...new Set(steps.flatMap(({ instances }) => instances.map(({ id }) => id))),
];

/** Small generator of numbers 0…1 from a seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Mask of the pixels of a box for which `isInside` holds, as a detector would give it; undefined when none. */
export function maskOf(box: BoxXyxy, isInside: (x: number, y: number) => boolean): MaskRle | undefined {
  const [left, top] = [Math.floor(box[0]), Math.floor(box[1])];
  const [width, height] = [Math.ceil(box[2]) - left, Math.ceil(box[3]) - top];
  const bits = new Uint8Array(width * height);
  let count = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (!isInside(left + x + 0.5, top + y + 0.5)) continue;
      bits[y * width + x] = 1;
      count++;
    }
  }
  return count === 0
    ? undefined
    : { size: [height, width], origin: [left, top], counts: encodeRle(bits, height, width) };
}
