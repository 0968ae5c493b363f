import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { moveBox } from '../../../operators/geometry/box.js';
import {
  createTracker,
  stepTracker,
  TRACKER_DEFAULTS,
  type TrackerOptions,
} from '../../../operators/tracking/step-tracker.js';
import type { BoxXyxy, Detection, Instance } from '../../../operators/types.js';
import { at, frames, idsOf, run, SOURCE, seeded } from './scene.js';

/** People who walk about on a grid, with jitter, misses, false detections and scores of all heights: a scene of a seed. */
function busy(seed: number, count = 60): Detection[][] {
  const random = seeded(seed);
  const walkers = frames(6, () => ({
    x: 200 + 800 * random(),
    y: 200 + 300 * random(),
    dx: 10 * (random() - 0.5),
    dy: 4 * (random() - 0.5),
    height: 60 + 80 * random(),
  }));
  return frames(count, (index) => {
    const seen = walkers.flatMap(({ x, y, dx, dy, height }): Detection[] => {
      if (random() < 0.15) return [];
      const jitter = () => 3 * (random() - 0.5);
      const size = [height * 0.4 + jitter(), height + jitter()] as const;
      return [at(x + dx * index + jitter(), y + dy * index + jitter(), { size, score: 0.2 + 0.8 * random() })];
    });
    const ghosts = random() < 0.3 ? [at(1200 * random(), 600 * random(), { score: 0.3 + 0.5 * random() })] : [];
    return [...seen, ...ghosts];
  });
}

const seeds = fc.integer({ min: 0, max: 2 ** 31 });
const check = (law: (seed: number) => void): void => fc.assert(fc.property(seeds, law), { seed: 13, numRuns: 20 });
const mapBoxes = (scene: readonly (readonly Detection[])[], change: (box: BoxXyxy) => BoxXyxy): Detection[][] =>
  scene.map((detections) => detections.map((one) => ({ ...one, box: change(one.box) })));
/** What is compared: everything but where and when. */
const stripped = (instances: readonly Instance[]) =>
  instances.map(({ id, label, score, state }) => ({ id, label, score, state }));
const unclipped = { clipToFrame: false };

function expectBoxes(a: readonly Instance[], b: readonly Instance[], change: (box: BoxXyxy) => BoxXyxy): void {
  expect(stripped(b)).toEqual(stripped(a));
  a.forEach(({ box }, index) => {
    change(box).forEach((side, k) => {
      expect(b[index]!.box[k]).toBeCloseTo(side, 6);
    });
  });
}

describe('laws of the tracker', () => {
  it('moving all boxes moves all tracks', () => {
    check((seed) => {
      const scene = busy(seed);
      const move = (box: BoxXyxy): BoxXyxy => moveBox(box, 64, 32);
      // A picture with room on all sides: what lies outside the frame is refused, and the frame does not move along.
      const more = { source: { width: 1e5, height: 1e5 } };
      const middle = mapBoxes(scene, (box) => moveBox(box, 5e4, 5e4));
      const [still, moved] = [run(middle, unclipped, { more }), run(mapBoxes(middle, move), unclipped, { more })];
      still.steps.forEach((step, index) => {
        expectBoxes(step.instances, moved.steps[index]!.instances, move);
      });
    });
  });

  it('the size of the picture does not matter: scaling all boxes scales all tracks', () => {
    check((seed) => {
      const scene = busy(seed);
      const scale = ([x1, y1, x2, y2]: BoxXyxy): BoxXyxy => [2 * x1, 2 * y1, 2 * x2, 2 * y2];
      const more = { source: { width: 2 * SOURCE.width, height: 2 * SOURCE.height } };
      const [small, large] = [run(scene, unclipped), run(mapBoxes(scene, scale), unclipped, { more })];
      small.steps.forEach((step, index) => {
        expectBoxes(step.instances, large.steps[index]!.instances, scale);
      });
    });
  });

  it('the order of detections changes nothing', () => {
    check((seed) => {
      const scene = busy(seed);
      const random = seeded(seed + 1);
      const shuffled = scene.map((detections) =>
        detections
          .map((detection) => ({ detection, key: random() }))
          .sort((a, b) => a.key - b.key)
          .map(({ detection }) => detection),
      );
      expect(run(shuffled).steps.map(({ instances }) => instances)).toEqual(
        run(scene).steps.map(({ instances }) => instances),
      );
    });
  });

  it('scaling time and speed together changes nothing: the same pictures k times as fast are the same tracks', () => {
    check((seed) => {
      const scene = busy(seed);
      const k = 3;
      const [slow, fast] = [run(scene, {}), run(scene, inTime(k), { fps: 25 / k })];
      slow.steps.forEach((step, index) => {
        const other = fast.steps[index]!;
        expectBoxes(step.instances, other.instances, (box) => box);
        step.instances.forEach(({ velocity, age }, row) => {
          expect(other.instances[row]!.velocity[0]).toBeCloseTo(velocity[0] / k, 6);
          expect(other.instances[row]!.age).toBeCloseTo(age * k, 6);
        });
      });
    });
  });

  it('the same state and frame give the same result, and the state stays as it was', () => {
    check((seed) => {
      const { state } = run(busy(seed));
      const before = structuredClone(state);
      const next = { epoch: 0, pts: state.pts + 0.04, source: SOURCE, detections: busy(seed + 7)[0]! };
      const first = stepTracker(state, next);
      expect(stepTracker(state, next)).toEqual(first);
      expect(state).toEqual(before);
    });
  });

  it('ids are unique in a frame, never come back once ended, and count up from 1', () => {
    check((seed) => {
      const gone = new Set<string>();
      const seen = new Set<string>();
      for (const { instances, ended } of run(busy(seed, 150), { keepLostS: 0.3 }).steps) {
        const ids = instances.map(({ id }) => id);
        expect(new Set(ids).size).toBe(ids.length);
        for (const id of ids) {
          expect(gone.has(id)).toBe(false);
          seen.add(id);
        }
        for (const { id } of ended) {
          expect(seen.has(id)).toBe(true);
          expect(gone.has(id)).toBe(false);
          gone.add(id);
        }
      }
      const numbers = [...seen].map((id) => Number(id.replace('cam-x-', ''))).sort((a, b) => a - b);
      expect(numbers).toEqual(numbers.map((_, index) => index + 1));
    });
  });

  it('takes any numbers without a crash, and gives out sound boxes inside the frame only', () => {
    const any = fc.oneof(fc.double(), fc.constantFrom(Number.NaN, Infinity, -Infinity, 0, -0, 1e308, 640));
    const detection = fc.record({
      label: fc.constantFrom('person', 'car', ''),
      score: any,
      box: fc.tuple(any, any, any, any),
    });
    fc.assert(
      fc.property(fc.array(fc.array(detection, { maxLength: 8 }), { maxLength: 12 }), (scene) => {
        const wild = scene.map((detections) => [...detections, at(300, 300)]);
        for (const { instances } of run([...wild, [], ...wild]).steps) {
          for (const { box, score, velocity } of instances) {
            expect(box[0] >= 0 && box[1] >= 0 && box[2] <= SOURCE.width && box[3] <= SOURCE.height).toBe(true);
            expect(box[2] > box[0] && box[3] > box[1]).toBe(true);
            expect(score >= 0 && score <= 1).toBe(true);
            expect(velocity.every(Number.isFinite)).toBe(true);
          }
        }
      }),
      { seed: 17, numRuns: 300 },
    );
  });

  it.each([
    ['NaN', [Number.NaN, 10, 50, 60]],
    ['infinite', [0, 10, Infinity, 60]],
    ['turned inside out', [50, 10, 10, 60]],
    ['without area', [10, 10, 10, 60]],
    ['outside the frame', [-60, 10, -5, 60]],
  ] as const)('refuses a box that is %s', (_, box) => {
    const bad = { ...at(0, 0), box };
    expect(run(frames(10, () => [bad])).state.tracks).toEqual([]);
  });

  it('follows a box that leaves the frame in part as it is, and gives out the part inside', () => {
    const { steps } = run(frames(10, () => [at(5, 300)]));
    expect(steps.at(-1)!.instances[0]!.box[0]).toBe(0);
    expect(
      run(
        frames(10, () => [at(5, 300)]),
        unclipped,
      ).steps.at(-1)!.instances[0]!.box[0],
    ).toBe(-15);
  });

  it('empty frames are frames: nothing is seen, tracks grow old', () => {
    expect(run(frames(30, () => [])).steps.every(({ instances, ended }) => instances.length + ended.length === 0)).toBe(
      true,
    );
  });

  it.each([
    [1, 1],
    [1, 0.5],
    [1, Number.NaN],
  ])('refuses a frame time that does not rise: %s, then %s', (first, second) => {
    const { state } = stepTracker(createTracker({}, 'x'), { epoch: 0, pts: first, source: SOURCE, detections: [] });
    expect(() => stepTracker(state, { epoch: 0, pts: second, source: SOURCE, detections: [] })).toThrow(
      `frame time is ${second} s after 1 s; it must rise within an epoch`,
    );
  });

  it('refuses thresholds that contradict each other', () => {
    expect(() => createTracker({ highScore: 0.3, lowScore: 0.4 }, 'x')).toThrow(/must rise in this order/);
    expect(() => createTracker({ highScore: 0.6, sureScore: 0.5 }, 'x')).toThrow(/must rise in this order/);
  });

  it('what is beyond doubt follows a high limit, up to 1', () => {
    const sure = [0.3, 0.5, 0.8, 1].map((highScore) => createTracker({ highScore }, 'x').options.sureScore);
    [0.5, 0.7, 0.9, 1].forEach((wanted, nth) => expect(sure[nth]).toBeCloseTo(wanted, 12));
    const certain = frames(10, () => [at(300, 300, { score: 1 })]);
    expect(idsOf(run(certain, { highScore: 1, newScore: 1 }))).toEqual(['cam-x-1']);
  });
});

/** The default options for a clock that runs k times as slowly: seconds times k, and noise that grows with time by less. */
function inTime(k: number): Partial<TrackerOptions> {
  const d = TRACKER_DEFAULTS;
  const seconds = Object.entries(d).filter(([key]) => /[a-z]S$/.test(key));
  return {
    ...Object.fromEntries(seconds.map(([key, value]) => [key, (value as number) * k])),
    walkNoise: d.walkNoise / k ** 0.5,
    accelerationNoise: d.accelerationNoise / k ** 1.5,
    sizeNoise: d.sizeNoise / k ** 1.5,
    firstRate: d.firstRate / k,
  };
}
