import type { FoundInstances } from './probe-messages.js';

/** A box this near is the same box: forms of a network differ by rounding only, px. */
const NEAR_PX = 1;
const NEAR_SCORE = 0.01;

/**
 * Share of the instances of both sides that have a counterpart of the same class, place and score on the other; 1 where there
 * are none at all. Rounding may turn the order of two scores, or let one cross a threshold: forms that compute the same come
 * near 1, not always to it.
 */
export function agreement(a: readonly FoundInstances[], b: readonly FoundInstances[]): number {
  let matched = 0;
  let all = 0;
  for (let frame = 0; frame < Math.max(a.length, b.length); frame++) {
    const left = a[frame];
    const right = b[frame];
    all += (left?.scores.length ?? 0) + (right?.scores.length ?? 0);
    if (left && right) matched += 2 * pairs(left, right);
  }
  return all === 0 ? 1 : matched / all;
}

/** Each instance of one side is paired once. */
function pairs(left: FoundInstances, right: FoundInstances): number {
  const free = new Set(Array.from(right.scores, (_, i) => i));
  let count = 0;
  for (let i = 0; i < left.scores.length; i++) {
    for (const j of free) {
      if (left.classes[i] !== right.classes[j] || !near(left.scores[i]!, right.scores[j]!, NEAR_SCORE)) continue;
      if (![0, 1, 2, 3].every((side) => near(left.boxes[4 * i + side]!, right.boxes[4 * j + side]!, NEAR_PX))) continue;
      free.delete(j);
      count++;
      break;
    }
  }
  return count;
}

const near = (a: number, b: number, tolerance: number): boolean => Math.abs(a - b) <= tolerance;
