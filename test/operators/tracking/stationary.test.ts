import { describe, expect, it } from 'vitest';
import type { BoxXyxy, Detection } from '../../../operators/types.js';
import { parkedCar } from './parked-car.js';
import { at, frames, idsOf, run, seeded } from './scene.js';

const car = (x: number, more: Partial<Detection> = {}): Detection =>
  at(x, 400, { label: 'car', size: [160, 90], ...more });

describe('stationary objects', () => {
  it('a track that stays in place is stationary after ten seconds, jitter or not, and moving again when it leaves', () => {
    const random = seeded(2);
    const scene = frames(300, (index) => {
      const x = index < 50 ? 200 + 8 * index : index < 250 ? 600 : 600 + 6 * (index - 250);
      return [car(x + 8 * (random() - 0.5))];
    });
    const result = run(scene, {}, { fps: 10 });
    const states = result.steps.map(({ instances }) => instances[0]?.state);
    expect(states[45]).toBe('moving');
    expect(states.indexOf('stationary')).toBeGreaterThan(140);
    expect(states.indexOf('stationary')).toBeLessThan(160);
    expect(states[249]).toBe('stationary');
    expect(states[280]).toBe('moving');
    expect(idsOf(result)).toEqual(['cam-x-1']);
  });

  it('is kept through misses for as long as it stood', () => {
    const scene = frames(5 * 100, (index) => (index >= 200 && index < 450 ? [] : [car(600)]));
    // Stood 40 s, missed for 50: too long. Missed for 15 s: kept.
    expect(idsOf(run(scene, {}, { fps: 5 }))).toEqual(['cam-x-1', 'cam-x-2']);
    const short = scene.map((detections, index) => (index >= 275 ? [car(600)] : detections));
    expect(idsOf(run(short, {}, { fps: 5 }))).toEqual(['cam-x-1']);
  });

  it('while it is missed it is expected in its place, however it jittered', () => {
    const scene = frames(300, (index) => (index < 150 ? [car(600 + (index === 149 ? 6 : 0))] : []));
    const { steps } = run(scene, {}, { fps: 5 });
    const { box, state } = steps[210]!.instances[0]!;
    expect(state).toBe('lost');
    expect(Math.abs((box[0] + box[2]) / 2 - 600)).toBeLessThan(6);
  });

  it('a passer-by of the same class in front of it takes neither its id nor its place', () => {
    const scene = frames(400, (index) => {
      const passing = index >= 200 && index < 260 ? 400 + 7 * (index - 200) : undefined;
      const isHidden = passing !== undefined && Math.abs(passing - 600) < 90;
      const other = passing === undefined ? [] : [at(passing, 430, { label: 'car', size: [180, 110] })];
      return isHidden ? other : [car(600), ...other];
    });
    const result = run(scene, {}, { fps: 10 });
    expect(result.seen.at(-1)).toEqual(['cam-x-1']);
    expect(idsOf(result)).toEqual(['cam-x-1', 'cam-x-2']);
  });

  it('a car that comes from nowhere, drives past a parked one and hides it does not drive off with its id', () => {
    const scene = frames(400, (index) => {
      // 5 fps: seen once before it is in front, so no track of its own could claim it; its box is half as large again.
      const passing = index >= 200 && index < 213 ? 430 + 70 * (index - 200) : undefined;
      const isHidden = passing !== undefined && Math.abs(passing - 600) < 110;
      const other = passing === undefined ? [] : [at(passing, 405, { label: 'car', size: [240, 100] })];
      return isHidden ? other : [car(600), ...other];
    });
    const { seen } = run(scene, {}, { fps: 5 });
    expect(seen[206]).toEqual(['cam-x-1', 'cam-x-2']);
    expect(seen.at(-1)).toEqual(['cam-x-1']);
  });

  it('odd pieces of it, seen weakly while a passer-by hides the rest, do not take its id away from its place', () => {
    // The first overlaps its place by 0.4; each is much like the one before. For 0.6 s, and for longer than it takes to leave.
    for (const hidden of [3, 12]) {
      const scene = frames(400, (index) => {
        const step = index - 200;
        if (step < 0 || step >= hidden) return [car(600)];
        const further = 10 * Math.min(step, 4);
        const box: BoxXyxy = [565 + further, 328 - further, 680, 418 - further];
        return [car(600, { box, score: 0.15 })];
      });
      const result = run(scene, {}, { fps: 5 });
      expect(idsOf(result), `hidden for ${hidden} frames`).toEqual(['cam-x-1']);
      expect(result.steps.at(-1)!.instances[0]!.state).toBe('stationary');
    }
  });

  it('back in its place after good detections beside it, it is the same object, not a second one', () => {
    const scene = frames(300, (index) => (index >= 200 && index < 204 ? [car(600 + 40 * (index - 199))] : [car(600)]));
    expect(idsOf(run(scene, {}, { fps: 5 }))).toEqual(['cam-x-1']);
  });

  it('leaves at dusk under its id, though seen weakly', () => {
    const scene = frames(300, (index) => {
      const t = Math.max(0, index - 200) / 5;
      return [car(600 + 40 * t * t, { score: index < 100 ? 0.8 : 0.45 })];
    });
    const { seen, steps } = run(scene, {}, { fps: 5 });
    expect(seen[214]).toEqual(['cam-x-1']);
    expect(steps[214]!.instances[0]!.state).toBe('moving');
  });

  it('a box that a passer-by cuts for a moment stays stationary', () => {
    const scene = frames(200, (index) => {
      const box: BoxXyxy = index >= 100 && index < 105 ? [520, 355, 600, 445] : [520, 355, 680, 445];
      return [car(600, { box })];
    });
    const states = run(scene, {}, { fps: 5 }).steps.map(({ instances }) => instances[0]?.state);
    expect(states.slice(60).every((state) => state === 'stationary')).toBe(true);
  });

  describe('what has stood for three seconds only', () => {
    // A bus drives past at 10 fps: it cuts the car's box from the left, hides it and lets it go again.
    const scene = frames(80, (index) => {
      const front = 440 + 12 * (index - 30);
      const back = front - 320;
      const bus = at((front + back) / 2, 380, { label: 'bus', size: [320, 160] });
      const [left, right] = front < 680 ? [Math.max(520, front), 680] : [520, Math.min(680, back)];
      const isSeen = right - left >= 30;
      return [...(isSeen ? [car(600, { box: [left, 355, right, 445] })] : []), ...(index < 30 ? [] : [bus])];
    });

    it('is the same object when a bus that cut its box bit by bit has passed', () => {
      const result = run(scene, {}, { fps: 10 });
      expect(result.seen[79]).toContain('cam-x-1');
      const cars = result.steps.flatMap(({ instances }) => instances.filter(({ label }) => label === 'car'));
      expect(new Set(cars.map(({ id }) => id))).toEqual(new Set(['cam-x-1']));
      expect(cars.some(({ state }) => state === 'stationary')).toBe(false);
      // Without being known to rest it is pushed aside by its own cut boxes, and found anew.
      expect(idsOf(run(scene, { restAfterS: 1e9 }, { fps: 10 })).length).toBeGreaterThan(idsOf(result).length);
    });

    it('is expected in its place while it is hidden', () => {
      const hidden = run(scene, {}, { fps: 10 }).steps.flatMap(({ instances }) =>
        instances.filter(({ id, state }) => id === 'cam-x-1' && state === 'lost'),
      );
      expect(hidden.length).toBeGreaterThan(5);
      for (const { box } of hidden) {
        expect(Math.abs(box[0] - 520)).toBeLessThan(8);
        expect(Math.abs(box[2] - 680)).toBeLessThan(8);
      }
    });

    it('drives off under its id, and its place goes with it', () => {
      const leaving = frames(60, (index) => [car(600 + (index < 30 ? 0 : 10 * (index - 30)))]);
      const result = run(leaving, {}, { fps: 10 });
      expect(idsOf(result)).toEqual(['cam-x-1']);
      expect(result.steps[59]!.instances[0]!.velocity[0]).toBeGreaterThan(80);
    });
  });

  it('a parked car through an hour at 5 fps, with misses, flicker and passers-by: one id, one event', () => {
    const { carIds, carEvents, maxTracks } = parkedCar({ hours: 1, seed: 21 });
    expect(carIds.size).toBe(1);
    expect(carEvents).toBe(1);
    expect(maxTracks).toBeLessThan(20);
  });
});
