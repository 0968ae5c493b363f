import { describe, expect, it } from 'vitest';
import { crossingsOf, figuresAt, figuresOf } from '../../../pipeline/street/figures.js';
import { FIGURES_OF, pathLength, planStreet } from '../../../pipeline/street/plan.js';

const SEEDS = [1, 2, 3, 4, 5, 6];
const PERIOD_S = 20;
const STEP_S = 0.02;
const plans = SEEDS.map((seed) => planStreet({ seed, periodS: PERIOD_S }));

describe('the plan of a street', () => {
  it('is the same for the same seed and another for another', () => {
    expect(planStreet({ seed: 3, periodS: PERIOD_S })).toEqual(plans[2]);
    expect(JSON.stringify(plans[0])).not.toBe(JSON.stringify(plans[1]));
  });

  it('has people, cars and two-wheelers, some standing, and all six classes over a few seeds', () => {
    for (const { actors } of plans) {
      const kinds = new Set(actors.map(({ kind }) => kind));
      expect([...kinds]).toEqual(expect.arrayContaining(['walker', 'car', 'cyclist']));
      expect(actors.some(({ speed }) => speed === 0)).toBe(true);
    }
    const labels = new Set(plans.flatMap(({ actors }) => actors.flatMap(({ kind }) => FIGURES_OF[kind])));
    expect([...labels].sort()).toEqual(['bicycle', 'bus', 'car', 'motorcycle', 'person', 'truck']);
  });

  it.each(plans.map((plan) => [plan.seed, plan] as const))(
    'of seed %i gives every figure one id for one stay',
    (_, plan) => {
      const figures = figuresOf(plan);
      expect(figures.map(({ id }) => id)).toEqual(figures.map((_figure, index) => index + 1));
      const stays = new Map<number, number[]>();
      for (let tick = 0; tick * STEP_S < PERIOD_S; tick++) {
        const now = figuresAt(plan, figures, tick * STEP_S).map(({ figure }) => figure.id);
        expect(new Set(now).size).toBe(now.length);
        for (const id of now) stays.set(id, [...(stays.get(id) ?? []), tick]);
      }
      for (const ticks of stays.values()) expect(ticks.at(-1)! - ticks[0]!).toBe(ticks.length - 1);
      // All that touch the period for longer than a tick were there.
      const brief = figures.filter(({ id }) => !stays.has(id));
      for (const { startS, actor } of brief) {
        expect(Math.min(startS + pathLength(actor.path) / actor.speed, PERIOD_S) - Math.max(0, startS)).toBeLessThan(
          STEP_S,
        );
      }
    },
  );

  it.each(plans.map((plan) => [plan.seed, plan] as const))('of seed %i lets nobody walk through anybody', (_, plan) => {
    const figures = figuresOf(plan);
    let nearest = Number.POSITIVE_INFINITY;
    for (let tick = 0; tick < PERIOD_S / 0.2; tick++) {
      const walkers = figuresAt(plan, figures, tick * 0.2).filter(({ figure }) => figure.actor.kind === 'walker');
      for (const [index, { place: a }] of walkers.entries()) {
        for (const { place: b } of walkers.slice(index + 1))
          nearest = Math.min(nearest, Math.hypot(a.x - b.x, a.y - b.y));
      }
    }
    expect(nearest).toBeGreaterThan(0.5);
    expect(nearest).toBeLessThan(20);
  });

  it.each(plans.map((plan) => [plan.seed, plan] as const))(
    'of seed %i comes round again after its period',
    (_, plan) => {
      const figures = figuresOf(plan);
      const placesAt = (tS: number): string[] =>
        figuresAt(plan, figures, tS)
          .map(
            ({ figure, place }) =>
              `${figure.label} ${figure.actor.seed} ${place.x.toFixed(6)} ${place.y.toFixed(6)} ${place.heading.toFixed(6)}`,
          )
          .sort();
      expect(placesAt(PERIOD_S)).toEqual(placesAt(0));
    },
  );

  it.each(plans.map((plan) => [plan.seed, plan] as const))(
    'of seed %i has the crossings that stepping through time finds',
    (_, plan) => {
      const figures = figuresOf(plan);
      const crossings = crossingsOf(plan, figures);
      const found: { line: string; id: number; direction: string; t: number }[] = [];
      for (const { name, from, to } of plan.lines) {
        const sideOf = (x: number, y: number): number =>
          Math.sign((to[0] - from[0]) * (y - from[1]) - (to[1] - from[1]) * (x - from[0]));
        const before = new Map<number, number>();
        for (let tick = 0; tick * STEP_S <= PERIOD_S; tick++) {
          const t = tick * STEP_S;
          for (const { figure, place } of figuresAt(plan, figures, t)) {
            const side = sideOf(place.x, place.y);
            const last = before.get(figure.id);
            const [lx, ly] = [to[0] - from[0], to[1] - from[1]];
            const along = ((place.x - from[0]) * lx + (place.y - from[1]) * ly) / (lx * lx + ly * ly);
            if (last !== undefined && side !== last && along >= 0 && along <= 1) {
              found.push({ line: name, id: figure.id, direction: side < 0 !== plan.view.mirror ? 'in' : 'out', t });
            }
            before.set(figure.id, side);
          }
        }
      }
      const key = ({ line, id, direction }: { line: string; id: number; direction: string }): string =>
        `${line} ${id} ${direction}`;
      expect(crossings.map(key).sort()).toEqual(found.map(key).sort());
      expect(crossings.length).toBeGreaterThan(5);
      for (const crossing of crossings) {
        const near = found.some(
          (other) => key(other) === key(crossing) && Math.abs(other.t - crossing.t) <= STEP_S * 1.01,
        );
        expect(near).toBe(true);
      }
      expect(crossings.map(({ t }) => t)).toEqual(crossings.map(({ t }) => t).sort((a, b) => a - b));
    },
  );
});
