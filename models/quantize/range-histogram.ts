/** Bins on either side of zero. */
const HALF = 1024;

/** Smaller numbers than this are all in the bins next to zero. */
const LEAST = 1e-30;

/**
 * Counts of numbers on an even grid around zero that widens as larger ones come: when a number does not fit, bins are merged
 * in twos and the limit doubles. Memory stays the same however many numbers are added.
 */
export class RangeHistogram {
  readonly #counts = new Float64Array(2 * HALF);
  #limit = 0;
  #low = 0;
  #high = 0;
  #total = 0;

  /** Smallest number added, at most 0. */
  get low(): number {
    return this.#low;
  }

  /** Largest number added, at least 0. */
  get high(): number {
    return this.#high;
  }

  /** Numbers added. */
  get total(): number {
    return this.#total;
  }

  /** Not finite numbers are left out: a net that makes them has no range to be found. */
  add(values: ArrayLike<number>): void {
    for (let i = 0; i < values.length; i++) {
      const value = values[i]!;
      if (!Number.isFinite(value)) continue;
      if (value < this.#low) this.#low = value;
      else if (value > this.#high) this.#high = value;
      const size = Math.abs(value);
      if (size >= this.#limit) this.#widen(size);
      this.#counts[this.#bin(value)]!++;
      this.#total++;
    }
  }

  /** Middle and count of every bin that holds something, in rising order. */
  *bins(): Generator<readonly [middle: number, count: number]> {
    const width = this.#limit / HALF;
    for (let i = 0; i < 2 * HALF; i++) {
      const count = this.#counts[i]!;
      if (count) yield [(i - HALF + 0.5) * width, count];
    }
  }

  #bin(value: number): number {
    return this.#limit === 0 ? HALF : HALF + Math.floor((value / this.#limit) * HALF);
  }

  #widen(size: number): void {
    if (size === 0) return;
    if (this.#limit === 0) {
      // So far only zeros, which stand in the bin right of the middle and stay there.
      this.#limit = Math.max(size * 1.001, LEAST);
      return;
    }
    while (size >= this.#limit) {
      const merged = new Float64Array(2 * HALF);
      for (let i = 0; i < 2 * HALF; i++) merged[HALF + Math.floor((i - HALF) / 2)]! += this.#counts[i]!;
      this.#counts.set(merged);
      this.#limit *= 2;
    }
  }
}
