import { SAFE_PAIR, windowOrder } from './saturation.js';

/**
 * Which int8 weights a file may hold:
 * `half` −64…64, sums right on every processor; `paired` up to ±127 as long as no pair of neighbours can overflow, as right and
 * finer; `full` −127…127, for processors that add in 32 bits (VNNI, AMX, Arm).
 */
export type WeightRange = 'half' | 'paired' | 'full';

export const WEIGHT_RANGES: readonly WeightRange[] = ['half', 'paired', 'full'];

/** Symmetric weights of one layer, a scale for each output channel: real = weight · scale. */
export interface Int8Weights {
  /** As the float ones: `[out, c, kh, kw]`. */
  readonly weights: Int8Array;
  /** `[out]` */
  readonly scales: Float32Array;
}

/** Scales tried, as shares of the one that cuts nothing. */
const SHARES = Array.from({ length: 8 }, (_, i) => 1 - i * 0.05);

/**
 * Rounds weights to int8 with the scale of least squared error for each output channel, large ones cut where that pays.
 *
 * @param weights     `[out, c, kh, kw]`
 * @param leastScale  smallest scale allowed for each channel, so that its bias fits in 32 bits
 */
export function toInt8(
  weights: Float32Array,
  dims: readonly number[],
  range: WeightRange,
  leastScale: (channel: number) => number = () => 0,
): Int8Weights {
  const out = dims[0] ?? 0;
  const size = out ? weights.length / out : 0;
  const most = range === 'half' ? SAFE_PAIR / 2 : 127;
  const order = range === 'paired' ? windowOrder(dims) : undefined;
  const result = { weights: new Int8Array(weights.length), scales: new Float32Array(out) };
  const trial = new Int8Array(size);
  for (let channel = 0; channel < out; channel++) {
    const row = weights.subarray(channel * size, (channel + 1) * size);
    const largest = row.reduce((top, weight) => Math.max(top, Math.abs(weight)), 0);
    // With pairs, the scale that cuts nothing may be up to twice as coarse as the largest weight alone asks for.
    const whole = (largest || 1) / (order ? SAFE_PAIR / 2 : most);
    const shares = order ? [...SHARES, ...SHARES.map((share) => share / 2)] : SHARES;
    let least = Infinity;
    for (const share of shares) {
      const scale = Math.fround(Math.max(whole * share, leastScale(channel)));
      for (let i = 0; i < size; i++) trial[i] = Math.max(-most, Math.min(most, Math.round(row[i]! / scale)));
      if (order) shrinkPairs(trial, order);
      let error = 0;
      for (let i = 0; i < size; i++) error += (trial[i]! * scale - row[i]!) ** 2;
      if (error >= least) continue;
      least = error;
      result.scales[channel] = scale;
      result.weights.set(trial, channel * size);
    }
  }
  return result;
}

/** Rounds each layer's weights once, for they are wanted by the measuring graph and by the final one. */
export class WeightRounding {
  readonly range: WeightRange;
  readonly #known = new Map<string, Int8Weights>();

  constructor(range: WeightRange) {
    this.range = range;
  }

  /** As {@link toInt8}; the same name stands for the same weights. */
  of(
    name: string,
    weights: Float32Array,
    dims: readonly number[],
    leastScale: (channel: number) => number,
  ): Int8Weights {
    const known = this.#known.get(name);
    if (known?.scales.every((scale, channel) => scale >= leastScale(channel))) return known;
    const rounded = toInt8(weights, dims, this.range, leastScale);
    this.#known.set(name, rounded);
    return rounded;
  }
}

/** Takes what is too much off both weights of a pair alike: the nearest pair that is safe. */
function shrinkPairs(row: Int8Array, order: Int32Array): void {
  for (let place = 0; place + 1 < order.length; place += 2) {
    const i = order[place]!;
    const j = order[place + 1]!;
    const a = row[i]!;
    const b = row[j]!;
    if (a * b <= 0) continue;
    const over = Math.abs(a) + Math.abs(b) - SAFE_PAIR;
    if (over <= 0) continue;
    const sign = Math.sign(a);
    // Neither can pass zero: each is at most 127, so `over` is less than twice the smaller one.
    row[i] = a - sign * Math.ceil(over / 2);
    row[j] = b - sign * Math.floor(over / 2);
  }
}

/**
 * What rounding the weights adds to each output's mean, to be taken off its bias (Nagel et al. 2019, §4.2): the change of the
 * weights times the mean of the channel they read.
 *
 * @param weights  `[out, c, kh, kw]`, `c` the channels of one group
 * @param means    `[c · groups]`, mean of each input channel over the calibration pictures
 */
export function meanShift(
  weights: Float32Array,
  dims: readonly number[],
  groups: number,
  rounded: Int8Weights,
  means: Float32Array,
): Float32Array {
  const [out = 0, channels = 0, kh = 1, kw = 1] = dims;
  const window = kh * kw;
  const shift = new Float32Array(out);
  for (let o = 0; o < out; o++) {
    const first = Math.floor(o / (out / groups)) * channels;
    let sum = 0;
    for (let c = 0; c < channels; c++) {
      let change = 0;
      for (let tap = 0; tap < window; tap++) {
        const i = (o * channels + c) * window + tap;
        change += rounded.weights[i]! * rounded.scales[o]! - weights[i]!;
      }
      sum += change * means[first + c]!;
    }
    shift[o] = sum;
  }
  return shift;
}
