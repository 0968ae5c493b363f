import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { byScore, Candidates, MAX_INSTANCES, place, suppress } from '../../../models/adapters/candidates.js';

const candidate = fc.record({
  x: fc.integer({ min: 0, max: 60 }),
  y: fc.integer({ min: 0, max: 60 }),
  w: fc.integer({ min: 1, max: 60 }),
  h: fc.integer({ min: 1, max: 60 }),
  score: fc.integer({ min: 1, max: 100 }).map((percent) => percent / 100),
  cls: fc.integer({ min: 0, max: 2 }),
});
type One = { x: number; y: number; w: number; h: number; score: number; cls: number };

function candidatesOf(all: readonly One[]): Candidates {
  const found = new Candidates();
  all.forEach(({ x, y, w, h, score, cls }, row) => found.push(x, y, x + w, y + h, score, cls, row));
  return found;
}

function iou(a: One, b: One): number {
  const w = Math.max(0, Math.min(a.x + a.w, b.x + b.w) - Math.max(a.x, b.x));
  const h = Math.max(0, Math.min(a.y + a.h, b.y + b.h) - Math.max(a.y, b.y));
  return (w * h) / (a.w * a.h + b.w * b.h - w * h);
}

describe('suppress', () => {
  it('keeps what the plain greedy rule keeps: best first, nothing that a kept one of its class covers', () => {
    fc.assert(
      fc.property(fc.array(candidate, { maxLength: 40 }), (all) => {
        const order = all.map((_, i) => i).sort((a, b) => all[b]!.score - all[a]!.score || a - b);
        const kept: number[] = [];
        for (const i of order) {
          if (kept.every((k) => all[k]!.cls !== all[i]!.cls || iou(all[k]!, all[i]!) <= 0.5)) kept.push(i);
        }
        expect([...suppress(candidatesOf(all), 0.5)]).toEqual(kept);
      }),
      { seed: 11 },
    );
  });

  it('keeps both of two classes on one spot and one of two of a class', () => {
    const box = { x: 0, y: 0, w: 9, h: 9 };
    const all = [
      { ...box, score: 0.5, cls: 0 },
      { ...box, score: 0.6, cls: 0 },
      { ...box, score: 0.4, cls: 1 },
    ];
    expect([...suppress(candidatesOf(all), 0.5)]).toEqual([1, 2]);
  });

  it('more candidates than room for them at first, and no more instances than the limit', () => {
    const apart = Array.from({ length: 1000 }, (_, i) => ({
      x: 10 * i,
      y: 0,
      w: 5,
      h: 5,
      score: (i + 1) / 1000,
      cls: 0,
    }));
    const found = candidatesOf(apart);
    expect(found.count).toBe(1000);
    const kept = suppress(found, 0.5);
    expect(kept).toHaveLength(MAX_INSTANCES);
    expect([kept[0], kept[MAX_INSTANCES - 1]]).toEqual([999, 1000 - MAX_INSTANCES]);
    expect(found.boxes.slice(4 * 999, 4 * 1000)).toEqual(Float32Array.of(9990, 0, 9995, 5));
  });
});

describe('place', () => {
  const frame = {
    placement: { scaleX: 0.5, scaleY: 0.25, offsetX: 10, offsetY: 20 },
    source: { width: 100, height: 100 },
  };

  it('takes boxes to source pixels and clips them to the frame', () => {
    const found = candidatesOf([{ x: 15, y: 25, w: 20, h: 5, score: 0.5, cls: 2 }]);
    expect(place(found, byScore(found), frame)).toEqual({
      count: 1,
      boxes: Float32Array.of(10, 20, 50, 40),
      scores: Float32Array.of(0.5),
      classes: Uint16Array.of(2),
    });
    const large = candidatesOf([{ x: 0, y: 0, w: 900, h: 900, score: 0.5, cls: 0 }]);
    expect([...place(large, byScore(large), frame).boxes]).toEqual([0, 0, 100, 100]);
  });

  it('leaves out what lies in the filling, and what is no number', () => {
    const found = candidatesOf([{ x: 0, y: 0, w: 9, h: 19, score: 0.9, cls: 0 }]);
    found.push(Number.NaN, 0, 50, 50, 0.8, 0, 1);
    found.push(20, 25, 30, 30, 0.1, 1, 2);
    const { count, classes } = place(found, byScore(found), frame);
    expect([count, ...classes]).toEqual([1, 1]);
  });

  it('asks for the mask of each instance that stays, with its unclipped box', () => {
    const found = candidatesOf([
      { x: 0, y: 0, w: 9, h: 19, score: 0.9, cls: 0 },
      { x: 5, y: 25, w: 20, h: 5, score: 0.5, cls: 2 },
    ]);
    const asked: unknown[] = [];
    const { masks } = place(found, byScore(found), frame, (row, box) => {
      asked.push([row, ...box]);
      return undefined;
    });
    expect(asked).toEqual([[1, -10, 20, 30, 40]]);
    expect(masks).toEqual([undefined]);
  });
});
