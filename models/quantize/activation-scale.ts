import type { RangeHistogram } from './range-histogram.js';

/** How real numbers are written in eight bits: real = (byte − zero) · scale. Zero itself is always exact. */
export interface ActivationScale {
  readonly scale: number;
  /** 0…255 */
  readonly zero: number;
}

/** Numbers outside are cut to the nearest end. */
export interface ActivationRange {
  /** ≤ 0 */
  readonly low: number;
  /** ≥ 0 */
  readonly high: number;
}

/** The scale that covers a range, widened to hold zero; a range of no width gets a scale all the same. */
export function scaleOf({ low, high }: ActivationRange): ActivationScale {
  const bottom = Math.min(low, 0);
  const top = Math.max(high, 0);
  // float32, as the file stores it: rounding and dequantising must use the same number.
  const scale = Math.fround((top - bottom) / 255) || 1 / 255;
  return { scale, zero: Math.min(255, Math.max(0, Math.round(-bottom / scale))) };
}

/** Nearest byte. */
export function toByte(value: number, { scale, zero }: ActivationScale): number {
  return Math.min(255, Math.max(0, Math.round(value / scale) + zero));
}

export function fromByte(byte: number, { scale, zero }: ActivationScale): number {
  return (byte - zero) * scale;
}

/** What is known of a value before its numbers are seen. */
export interface Limits {
  /** Everything below may be cut without harm: 0 before a ReLU, −3 before a hard-swish. */
  readonly low?: number;
  readonly high?: number;
}

/** Candidate ranges are the whole one times these. */
const SHARES = Array.from({ length: 45 }, (_, i) => 1 - i * 0.02);

/**
 * The range with the least expected squared error, rounding inside and cutting outside: rare large numbers are cut when that
 * makes the many small ones finer (Banner et al. 2019 derive it for known distributions; here the histogram is the distribution).
 */
export function bestRange(histogram: RangeHistogram, limits: Limits = {}): ActivationRange {
  const low = Math.max(histogram.low, limits.low ?? -Infinity);
  const high = Math.min(histogram.high, limits.high ?? Infinity);
  const middles = Float64Array.from(histogram.bins(), ([middle]) => Math.min(high, Math.max(low, middle)));
  const counts = Float64Array.from(histogram.bins(), ([, count]) => count);
  const error = (range: ActivationRange): number => {
    // Within the range the error of rounding is spread evenly over a step: step² / 12.
    const step = (range.high - range.low) / 255;
    const rounding = (step * step) / 12;
    let sum = 0;
    for (let i = 0; i < middles.length; i++) {
      const middle = middles[i]!;
      const over = middle > range.high ? middle - range.high : middle < range.low ? range.low - middle : 0;
      sum += counts[i]! * (over > 0 ? over * over : rounding);
    }
    return sum;
  };
  let best: ActivationRange = { low, high };
  let least = error(best);
  const consider = (range: ActivationRange): void => {
    const sum = error(range);
    if (sum < least) {
      least = sum;
      best = range;
    }
  };
  // Both ends together, then each alone.
  for (const share of SHARES) consider({ low: low * share, high: high * share });
  const { low: bothLow, high: bothHigh } = best;
  for (const share of SHARES) consider({ low: bothLow, high: high * share });
  const { high: thenHigh } = best;
  if (bothLow < 0) for (const share of SHARES) consider({ low: low * share, high: thenHigh });
  return best.high === best.low ? { low: 0, high: bothHigh } : best;
}
