import { describe, expect, it } from 'vitest';
import { checkConfig } from '../../../config/load.js';
import { createTracker, stepTracker } from '../../../operators/tracking/step-tracker.js';
import { type DetectedClip, detectClip, MODELS, missing } from './real-detections.js';

/** First and last frame of a stretch in which nobody is to be seen. */
type Stretch = readonly [number, number];

/** Clips with their counts and empty stretches by eye (README of the test media). */
const CLIPS: readonly {
  readonly name: string;
  readonly byEye: number;
  /**
   * Ids that may be beyond the count: riders whose bicycle has its own, and people of the shop who hide one another; more of them with
   * `wide`, which is not made for people as large as they are there.
   */
  readonly more: number;
  readonly moreOfWide?: number;
  readonly empty: readonly Stretch[];
}[] = [
  {
    name: 'one-by-one-person-detection',
    byEye: 6,
    more: 0,
    empty: [
      [0, 59],
      [203, 226],
      [453, 501],
      [705, 744],
      [874, 920],
      [1207, 1234],
      [1367, 1393],
    ],
  },
  { name: 'empty-carpark', byEye: 0, more: 0, empty: [[0, 115]] },
  {
    // A rider may have three, and one more at the edge: with the bicycle, alone, and the bicycle's.
    name: 'person-bicycle-car-detection',
    byEye: 5,
    more: 5,
    empty: [
      [45, 110],
      [165, 291],
      [413, 458],
    ],
  },
  { name: 'traffic', byEye: 29, more: 0, empty: [] },
  { name: 'Retail02_short', byEye: 9, more: 9, moreOfWide: 15, empty: [] },
];
/** What leaves is to be seen for a few frames longer than the eye says. */
const MARGIN = 6;

const absent = missing(CLIPS.map(({ name }) => `${name}.mp4`));
if (absent.length > 0) console.warn(`SKIPPED: ${absent.join(', ')} absent, so nothing is counted on pictures`);

/** Frames in which each confirmed track was seen, with the classes and options of `maskcast run`. */
function seenFrames({ source, frames }: DetectedClip): Map<string, number[]> {
  const config = checkConfig({ cameras: { clip: { source: 'clip.mp4' } } });
  const labels = new Set(Object.keys(config.cameras.clip!.labels));
  let state = createTracker({ smoothing: 0 }, 'x');
  const seen = new Map<string, number[]>();
  frames.forEach(({ pts, detections }, index) => {
    const step = stepTracker(state, {
      epoch: 0,
      pts,
      source,
      detections: detections.filter(({ label }) => labels.has(label)),
    });
    state = step.state;
    for (const { id, state: how } of step.instances) {
      if (how !== 'lost') seen.set(id, [...(seen.get(id) ?? []), index]);
    }
  });
  return seen;
}

const isInside = (frame: number, [first, last]: Stretch): boolean => frame >= first + MARGIN && frame <= last - MARGIN;

describe.skipIf(absent.length > 0)('distinct confirmed people and vehicles beside the counts by eye', () => {
  it.each(CLIPS.flatMap(({ name, ...clip }) => MODELS.map((model) => ({ name, model, ...clip }))))(
    '$name with $model',
    { timeout: 600_000 },
    async ({ name, model, byEye, more, moreOfWide = more, empty }) => {
      const clip = await detectClip(`${name}.mp4`, model);
      const seen = seenFrames(clip);
      const seconds = (clip.frames.at(-1)!.pts - clip.frames[0]!.pts) / (clip.frames.length - 1);
      const minutes = empty.reduce((sum, [first, last]) => sum + (last - first + 1) * seconds, 0) / 60;
      const wrong = [...seen].filter(([, frames]) => frames.some((frame) => empty.some((one) => isInside(frame, one))));
      const spans = [...seen].map(([id, frames]) => `${id.slice(2)}: ${frames[0]}–${frames.at(-1)} (${frames.length})`);
      console.log(
        `${name} ${model}: ${seen.size} of ${byEye}; ${wrong.length} in ${minutes.toFixed(2)} empty minutes; ${spans.join(', ')}`,
      );
      expect(wrong).toHaveLength(0);
      expect(seen.size).toBeLessThanOrEqual(byEye + (model === 'wide' ? moreOfWide : more));
      expect(seen.size).toBeGreaterThanOrEqual(0.75 * byEye);
    },
  );
});
