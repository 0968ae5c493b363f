import { describe, expect, it } from 'vitest';
import { shiftBy } from '../../../operators/geometry/affine.js';
import { closeTracker, createTracker, stepTracker } from '../../../operators/tracking/step-tracker.js';
import type { Detection } from '../../../operators/types.js';
import { at, frames, idsOf, run, SOURCE, seeded } from './scene.js';

describe('the beginning of a track', () => {
  it('needs two sure detections, more of doubtful ones, and takes half a second of those that are hardly sure at all', () => {
    const firstSeen = (score: number): number =>
      run(frames(60, () => [at(300, 300, { score })])).seen.findIndex((ids) => ids.length > 0);
    expect(firstSeen(0.98)).toBe(1);
    expect(firstSeen(0.8)).toBe(3);
    expect(firstSeen(0.7)).toBe(5);
    expect(firstSeen(0.52)).toBe(13);
    expect(firstSeen(0.45)).toBe(-1);
  });

  it('a false detection of one frame is never seen, and takes no id', () => {
    const scene = frames(20, (index) => (index === 3 ? [at(300, 300, { score: 1 })] : index > 8 ? [at(700, 300)] : []));
    const { seen, steps } = run(scene);
    expect(seen.flat().every((id) => id === 'cam-x-1')).toBe(true);
    expect(steps[12]!.instances[0]!.box[0]).toBeGreaterThan(600);
  });

  it('age counts from the first detection, before it was confirmed', () => {
    const { steps } = run(frames(11, () => [at(300, 300)]));
    expect(steps[10]!.instances[0]!.age).toBeCloseTo(0.4, 9);
  });
});

describe('keeping an identity', () => {
  it('two people who cross keep their ids, though nearly on each other in the middle', () => {
    const scene = frames(61, (index) => [
      at(300 + 5 * index, 300, { size: [40, 100] }),
      at(600 - 5 * index, 310, { size: [46, 116] }),
    ]);
    const { steps } = run(scene);
    const right = steps[3]!.instances.find(({ box }) => box[0] < 450)!.id;
    const last = steps.at(-1)!.instances;
    expect(last.find(({ box }) => box[0] > 450)!.id).toBe(right);
    expect(last).toHaveLength(2);
  });

  it('a walker behind a pillar for a second comes back under the old id, predicted meanwhile', () => {
    const scene = frames(100, (index) => (index >= 40 && index < 65 ? [] : [at(200 + 3 * index, 300)]));
    const { steps } = run(scene);
    const hidden = steps[60]!.instances[0]!;
    expect(hidden.state).toBe('lost');
    expect(hidden.mask).toBeUndefined();
    expect(Math.abs((hidden.box[0] + hidden.box[2]) / 2 - (200 + 180))).toBeLessThan(15);
    expect(idsOf(run(scene))).toEqual(['cam-x-1']);
  });

  it('keeps the id through a 400 ms gap at 7, 25 and 60 frames a second', () => {
    for (const fps of [7, 25, 60]) {
      const scene = frames(4 * fps, (index) => {
        const t = index / fps;
        return t > 2 && t < 2.4 ? [] : [at(200 + 100 * t, 300)];
      });
      expect(idsOf(run(scene, {}, { fps })), `${fps} fps`).toEqual(['cam-x-1']);
    }
  });

  it('low scores carry a track on, but bring back neither a lost one nor begin one', () => {
    const dim = frames(50, (index) => [at(300, 300, { score: index < 10 ? 0.9 : 0.4 })]);
    expect(run(dim).seen.at(-1)).toEqual(['cam-x-1']);
    const gone = frames(50, (index) =>
      index >= 10 && index < 15 ? [] : [at(300, 300, { score: index < 10 ? 0.9 : 0.2 })],
    );
    expect(run(gone).seen.at(-1)).toEqual([]);
  });

  it('low scores alone carry on for a time that shrinks with them, in seconds; one good score begins it anew', () => {
    const carriedS = (score: number, fps: number): number =>
      run(
        frames(10 * fps, (index) => [at(300, 300, { score: index <= 2 * fps ? 0.9 : score })]),
        {},
        { fps },
      ).seen.filter((ids) => ids.length > 0).length /
        fps -
      2;
    for (const fps of [10, 30]) {
      // keepDimS is 0.5 s at a score of 0; a score of 0.15 is 0.7 of the way down there.
      expect(Math.abs(carriedS(0.15, fps) - 0.5 / 0.7), `${fps} fps`).toBeLessThan(2 / fps + 0.01);
      expect(Math.abs(carriedS(0.4, fps) - 0.5 / 0.2), `${fps} fps`).toBeLessThan(2 / fps + 0.01);
    }
    const flickering = frames(250, (index) => [at(300, 300, { score: index % 25 === 0 || index < 5 ? 0.9 : 0.3 })]);
    expect(idsOf(run(flickering))).toEqual(['cam-x-1']);
    expect(run(flickering).seen.at(-1)).toEqual(['cam-x-1']);
  });

  it('what stands may be dim for as long as it likes', () => {
    const parked = frames(600, (index) => [at(300, 300, { score: index < 120 ? 0.9 : 0.2 })]);
    expect(run(parked, {}, { fps: 10 }).seen.at(-1)).toEqual(['cam-x-1']);
  });

  it('is gone after keepLostS, in seconds, told once; a newcomer gets a new id', () => {
    for (const fps of [5, 30]) {
      const scene = frames(8 * fps, (index) => (index < 3 * fps || index >= 7 * fps ? [at(300 + index, 300)] : []));
      const { steps } = run(scene, { keepLostS: 2 }, { fps });
      const ends = steps.flatMap(({ ended }, index) => ended.map((end) => ({ ...end, atS: index / fps })));
      expect(ends).toHaveLength(1);
      expect(ends[0]).toMatchObject({ id: 'cam-x-1', label: 'person', reason: 'gone' });
      expect(ends[0]!.lastPts).toBeCloseTo(3 - 1 / fps, 9);
      expect(ends[0]!.atS - ends[0]!.lastPts).toBeGreaterThan(2);
      expect(ends[0]!.atS - ends[0]!.lastPts).toBeLessThan(2 + 1.1 / fps);
      expect(steps.at(-1)!.instances[0]!.id).toBe('cam-x-2');
    }
  });

  it('a lost track whose prediction left the frame is not shown', () => {
    const scene = frames(60, (index) => (index < 20 ? [at(100 - 5 * index, 300)] : []));
    const { steps } = run(scene);
    expect(steps[22]!.instances).toHaveLength(1);
    expect(steps[50]!.instances).toHaveLength(0);
  });

  it('a frame rate that jumps between 5 and 60 changes no id', () => {
    const random = seeded(4);
    let state = createTracker({}, 'x');
    let pts = 0;
    const ids = new Set<string>();
    for (let step = 0; step < 300; step++) {
      pts += random() < 0.5 ? 1 / 60 : 1 / 5;
      const detections = [at(200 + 20 * pts, 300), at(1000 - 20 * pts, 320)];
      const next = stepTracker(state, { epoch: 0, pts, source: SOURCE, detections });
      state = next.state;
      for (const { id } of next.instances) ids.add(id);
    }
    expect(ids.size).toBe(2);
  });
});

describe('classes', () => {
  const flicker = (labels: readonly string[]) =>
    frames(60, (index) => [at(300 + index, 300, { size: [120, 70], label: labels[index % labels.length]! })]);

  it('a car that is a truck in every fourth frame is one car', () => {
    const { steps } = run(flicker(['car', 'car', 'car', 'truck']));
    expect(idsOf(run(flicker(['car', 'car', 'car', 'truck'])))).toEqual(['cam-x-1']);
    expect(new Set(steps.flatMap(({ instances }) => instances.map(({ label }) => label)))).toEqual(new Set(['car']));
  });

  it('a track changes its class when the votes do', () => {
    const scene = frames(120, (index) => [at(300, 300, { label: index < 20 ? 'truck' : 'bus' })]);
    const labels = run(scene).steps.map(({ instances }) => instances[0]?.label);
    expect(labels[30]).toBe('truck');
    expect(labels.at(-1)).toBe('bus');
  });

  it('a person never becomes the bicycle ridden', () => {
    const scene = frames(40, (index) => [at(300, 300, { label: index < 20 ? 'person' : 'bicycle' })]);
    expect(run(scene).seen.at(-1)).toEqual(['cam-x-2']);
  });

  it('one object found as car and as truck at once is one track, person and bicycle are two', () => {
    const both = (a: string, b: string) =>
      run(frames(10, () => [at(300, 300, { label: a }), at(301, 300, { label: b, score: 0.8 })]));
    expect(
      both('car', 'truck')
        .steps.at(-1)!
        .instances.map(({ label }) => label),
    ).toEqual(['car']);
    expect(both('person', 'bicycle').seen.at(-1)).toHaveLength(2);
  });
});

describe('breaks', () => {
  const running = () => run(frames(10, () => [at(300, 300)])).state;
  const next = (more: { epoch?: number; pts?: number; cut?: boolean }) =>
    stepTracker(running(), { epoch: 0, pts: 0.4, source: SOURCE, detections: [at(300, 300)], ...more });

  it.each([
    ['a gap', { pts: 0.36 + 5.1 }, 'gap'],
    ['a hard cut', { cut: true }, 'cut'],
    ['a new epoch, whose time may begin anew,', { epoch: 1, pts: 0 }, 'epoch'],
  ] as const)('%s ends all tracks, and what comes after has new ids', (_, more, reason) => {
    const { state, ended, instances } = next(more);
    expect(ended).toEqual([{ id: 'cam-x-1', label: 'person', lastPts: 0.36, reason }]);
    expect(instances).toEqual([]);
    const after = run(
      frames(5, () => [at(300, 300)]),
      {},
      { state, startPts: state.pts + 0.04, more: { epoch: state.epoch } },
    );
    expect(after.seen.at(-1)).toEqual(['cam-x-2']);
  });

  it('a gap that is just short enough ends nothing', () => {
    expect(next({ pts: 0.36 + 0.35 }).ended).toEqual([]);
  });

  it('closing tells of the confirmed tracks only', () => {
    const { state } = stepTracker(running(), {
      epoch: 0,
      pts: 0.4,
      source: SOURCE,
      detections: [at(300, 300), at(900, 300)],
    });
    expect(closeTracker(state).ended).toEqual([{ id: 'cam-x-1', label: 'person', lastPts: 0.4, reason: 'closed' }]);
  });
});

describe('camera motion', () => {
  /** Standing people; the camera is knocked 120 px aside in frame 20. */
  const places = [200, 420, 640, 860, 1050, 1150];
  const knocked = (count: number): Detection[][] =>
    frames(40, (index) => places.slice(0, count).map((x) => at(x + (index >= 20 ? -60 : 0), 300)));
  const shift = (scene: readonly Detection[][], cameraMotion: 'auto' | 'given' | 'off', isTold: boolean): number => {
    let state = createTracker({ cameraMotion }, 'x');
    const ids = new Set<string>();
    scene.forEach((detections, index) => {
      const told = isTold && index === 20 ? { cameraMotion: shiftBy(-60, 0) } : {};
      const next = stepTracker(state, { epoch: 0, pts: index / 25, source: SOURCE, detections, ...told });
      state = next.state;
      for (const { id } of next.instances) ids.add(id);
    });
    return ids.size;
  };

  it('what the capture side tells keeps the ids through a knock', () => {
    expect(shift(knocked(3), 'off', true)).toBe(6);
    expect(shift(knocked(3), 'given', true)).toBe(3);
  });
});

describe('appearance', () => {
  it('embeddings decide between two who leave one place at once, when asked to', () => {
    // Both vanish in a door and come out beside each other, the other way round.
    const [red, blue] = [Float32Array.of(1, 0.1), Float32Array.of(0.1, 1)];
    const swap = (appearanceWeight: number): boolean => {
      let state = createTracker({ appearanceWeight }, 'x');
      let first: string | undefined;
      let last: string | undefined;
      for (let index = 0; index < 60; index++) {
        const isHidden = index >= 30 && index < 40;
        const [a, b] = index < 30 ? [290, 310] : [310, 290];
        const next = stepTracker(state, {
          epoch: 0,
          pts: index / 25,
          source: SOURCE,
          detections: isHidden ? [] : [at(a, 300, { size: [60, 100] }), at(b, 301, { size: [60, 100], score: 0.89 })],
          embeddings: isHidden ? [] : [red, blue],
        });
        state = next.state;
        const seenAt = (x: number) => next.instances.find(({ box }) => Math.abs((box[0] + box[2]) / 2 - x) < 6)?.id;
        if (index === 29) first = seenAt(290);
        if (index === 59) last = seenAt(310);
      }
      return first !== undefined && first === last;
    };
    expect(swap(0)).toBe(false);
    expect(swap(1)).toBe(true);
  });
});
