import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bestRange, fromByte, scaleOf, toByte } from '../../../models/quantize/activation-scale.js';
import { RangeHistogram } from '../../../models/quantize/range-histogram.js';
import { SAFE_PAIR, windowOrder, worstPair } from '../../../models/quantize/saturation.js';
import { meanShift, toInt8, WEIGHT_RANGES } from '../../../models/quantize/weight-scale.js';

// Numbers too small for a float32 of full precision are no range of any layer.
const number = fc.double({ min: -1e4, max: 1e4, noNaN: true }).filter((x) => x === 0 || Math.abs(x) > 1e-30);
const histogramOf = (values: ArrayLike<number>): RangeHistogram => {
  const histogram = new RangeHistogram();
  histogram.add(values);
  return histogram;
};

describe('activations in eight bits', () => {
  it('zero is exact, and every number of the range comes back within half a step', () => {
    fc.assert(
      fc.property(number, number, fc.double({ min: 0, max: 1, noNaN: true }), (a, b, place) => {
        const range = { low: Math.min(a, b), high: Math.max(a, b) };
        const scale = scaleOf(range);
        expect(fromByte(toByte(0, scale), scale)).toBe(0);
        const low = Math.min(range.low, 0);
        const high = Math.max(range.high, 0);
        const value = low + place * (high - low);
        // The zero point is rounded too, so the outermost numbers may lie half a step outside.
        expect(Math.abs(fromByte(toByte(value, scale), scale) - value)).toBeLessThanOrEqual(scale.scale * 1.001);
      }),
    );
  });

  it('numbers outside are cut to the nearest end', () => {
    const scale = scaleOf({ low: -1, high: 3 });
    expect([toByte(-100, scale), toByte(100, scale)]).toEqual([0, 255]);
  });

  it('the best range holds zero, lies within what was seen, and is no worse than all of it', () => {
    fc.assert(
      fc.property(fc.array(number, { minLength: 1, maxLength: 300 }), (values) => {
        const histogram = histogramOf(values);
        const range = bestRange(histogram);
        expect(range.low).toBeLessThanOrEqual(0);
        expect(range.high).toBeGreaterThanOrEqual(0);
        expect(range.low).toBeGreaterThanOrEqual(histogram.low);
        expect(range.high).toBeLessThanOrEqual(histogram.high);
        expect(scaleOf(range).scale).toBeGreaterThan(0);
      }),
    );
  });

  it('cuts a lone far number off when thousands of small ones get finer by it', () => {
    const histogram = histogramOf(Float32Array.from({ length: 1_000_000 }, (_, i) => Math.sin(i) * 2));
    histogram.add([40]);
    const range = bestRange(histogram);
    expect(range.high).toBeLessThan(20);
    expect(range.high).toBeGreaterThan(1.9);
  });

  it('a limit known beforehand bounds the range', () => {
    const range = bestRange(histogramOf([-8, -1, 2, 5]), { low: -3, high: 4 });
    expect(range.low).toBeGreaterThanOrEqual(-3);
    expect(range.high).toBeLessThanOrEqual(4);
  });
});

describe('RangeHistogram', () => {
  it('counts every finite number once, whatever their order and size, within a bin of its place', () => {
    fc.assert(
      fc.property(fc.array(number, { minLength: 1, maxLength: 200 }), (values) => {
        const bins = [...histogramOf(values).bins()];
        expect(bins.reduce((sum, [, count]) => sum + count, 0)).toBe(values.length);
        const largest = Math.max(...values.map(Math.abs));
        const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
        const found = bins.reduce((sum, [middle, count]) => sum + middle * count, 0) / values.length;
        // A bin is at most 2 / 1024 of the largest number wide.
        expect(Math.abs(found - mean)).toBeLessThanOrEqual((largest * 2.1) / 1024 + 1e-12);
      }),
    );
  });

  it('leaves out what is not finite', () => {
    const histogram = histogramOf([Number.NaN, Infinity, 1]);
    expect([histogram.total, histogram.high]).toEqual([1, 1]);
  });
});

const layer = fc
  .tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 5 }), fc.constantFrom(1, 2, 3))
  .chain(([out, channels, side]) => {
    const count = out * channels * side * side;
    return fc
      .array(fc.float({ min: -4, max: 4, noNaN: true }), { minLength: count, maxLength: count })
      .map((values) => ({ dims: [out, channels, side, side], weights: Float32Array.from(values) }));
  });

describe('weights in int8', () => {
  it('every range keeps its bound; half and paired never let a pair overflow', () => {
    fc.assert(
      fc.property(layer, fc.constantFrom(...WEIGHT_RANGES), ({ dims, weights }, range) => {
        const { weights: rounded } = toInt8(weights, dims, range);
        const most = Math.max(...Array.from(rounded, Math.abs));
        expect(most).toBeLessThanOrEqual(range === 'half' ? 64 : 127);
        expect(worstPair(rounded, dims)).toBeLessThanOrEqual(range === 'full' ? 254 : SAFE_PAIR);
      }),
    );
  });

  it('each channel has its own scale, and no weight is off by more than the step of cutting nothing', () => {
    fc.assert(
      fc.property(layer, ({ dims, weights }) => {
        const size = weights.length / dims[0]!;
        for (const range of ['half', 'full'] as const) {
          const { weights: rounded, scales } = toInt8(weights, dims, range);
          for (let o = 0; o < dims[0]!; o++) {
            const row = weights.subarray(o * size, (o + 1) * size);
            const largest = Math.max(...row.map(Math.abs));
            const whole = (largest || 1) / (range === 'half' ? 64 : 127);
            let error = 0;
            for (let i = 0; i < size; i++) error += (rounded[o * size + i]! * scales[o]! - row[i]!) ** 2;
            expect(Math.sqrt(error)).toBeLessThanOrEqual(Math.sqrt(size) * whole * 0.5001 + 1e-12);
          }
        }
      }),
    );
  });

  it('pairs are counted in the order of multiplication, by window place and then channel', () => {
    expect([...windowOrder([1, 2, 1, 2])]).toEqual([0, 2, 1, 3]);
    // Stored [c, kh, kw]: channel 0 holds 100, 1; channel 1 holds 28, 127. Multiplied: (100, 28), (1, 127).
    expect(worstPair(Int8Array.of(100, 1, 28, 127), [1, 2, 1, 2])).toBe(128);
    // Unlike signs take from one another.
    expect(worstPair(Int8Array.of(127, -127), [1, 2, 1, 1])).toBe(127);
  });

  it('a bias that would not fit in 32 bits makes its scale coarser', () => {
    const { scales } = toInt8(Float32Array.of(1e-9, 1), [2, 1, 1, 1], 'half', (channel) => (channel === 0 ? 0.5 : 0));
    expect(scales[0]).toBe(0.5);
    expect(scales[1]).toBeLessThan(0.02);
  });

  it('the shift of the mean is what rounding does to the mean output', () => {
    fc.assert(
      fc.property(layer, ({ dims, weights }) => {
        const [out = 0, channels = 0] = dims;
        const size = weights.length / out;
        const rounded = toInt8(weights, dims, 'half');
        const means = Float32Array.from({ length: channels }, (_, c) => c - 1);
        const shift = meanShift(weights, dims, 1, rounded, means);
        for (let o = 0; o < out; o++) {
          let expected = 0;
          for (let i = 0; i < size; i++) {
            const at = o * size + i;
            const mean = means[Math.floor(i / (size / channels))]!;
            expected += (rounded.weights[at]! * rounded.scales[o]! - weights[at]!) * mean;
          }
          expect(shift[o]).toBeCloseTo(expected, 4);
        }
      }),
    );
  });
});
