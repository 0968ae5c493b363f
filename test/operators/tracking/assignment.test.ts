import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assign } from '../../../operators/tracking/assignment.js';

/** Best sum by trying every way to pair rows with columns. */
function bestSum(weight: readonly number[], rows: number, columns: number, row = 0, taken = 0): number {
  if (row === rows) return 0;
  let best = bestSum(weight, rows, columns, row + 1, taken);
  for (let column = 0; column < columns; column++) {
    const value = weight[row * columns + column]!;
    if (taken & (1 << column) || value <= 0) continue;
    best = Math.max(best, value + bestSum(weight, rows, columns, row + 1, taken | (1 << column)));
  }
  return best;
}

const sumOf = (weight: Float64Array, columns: number, pairs: Int32Array): number =>
  pairs.reduce((sum, column, row) => sum + (column < 0 ? 0 : weight[row * columns + column]!), 0);

describe('assign', () => {
  it('reaches the best sum that any pairing has', () => {
    const sizes = fc.tuple(fc.integer({ min: 0, max: 6 }), fc.integer({ min: 0, max: 6 }));
    const problem = sizes.chain(([rows, columns]) =>
      fc.tuple(
        fc.constant(rows),
        fc.constant(columns),
        fc.array(fc.oneof(fc.constant(0), fc.constant(-1), fc.double({ min: 0.001, max: 2, noNaN: true })), {
          minLength: rows * columns,
          maxLength: rows * columns,
        }),
      ),
    );
    fc.assert(
      fc.property(problem, ([rows, columns, values]) => {
        const weight = Float64Array.from(values);
        const pairs = assign(weight, rows, columns);
        const used = [...pairs].filter((column) => column >= 0);
        expect(new Set(used).size).toBe(used.length);
        pairs.forEach((column, row) => {
          if (column >= 0) expect(weight[row * columns + column]).toBeGreaterThan(0);
        });
        expect(sumOf(weight, columns, pairs)).toBeCloseTo(bestSum(values, rows, columns), 9);
      }),
      { seed: 5, numRuns: 500 },
    );
  });

  it('gives up a good pair for two that are better together', () => {
    expect([...assign(Float64Array.from([0.9, 0.8, 0.8, 0]), 2, 2)]).toEqual([1, 0]);
  });

  it('leaves a row alone rather than make a pair of no weight', () => {
    expect([...assign(Float64Array.from([0, 0.5, 0, 0.6]), 2, 2)]).toEqual([-1, 1]);
  });
});
