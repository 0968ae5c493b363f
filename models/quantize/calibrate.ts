import type { Tensors } from '../adapters/adapter.js';
import type { OnnxModel } from '../onnx/model.js';
import { openGraph } from '../runtime/graph-session.js';
import { numbersOf, observe } from './observe.js';
import { RangeHistogram } from './range-histogram.js';

/** What calibration pictures showed of a graph. */
export interface Calibration {
  readonly histograms: ReadonlyMap<string, RangeHistogram>;
  /** Mean of each channel `[c]`, by value. */
  readonly means: ReadonlyMap<string, Float32Array>;
  /** Runs. */
  readonly runs: number;
}

/** Feeds of each run, fresh from the start at every call. */
export type Feeds = () => Iterable<Tensors> | AsyncIterable<Tensors>;

/**
 * Runs a float graph on calibration pictures and looks at inner values.
 *
 * @param values  to make histograms of
 * @param inputs  those of them whose channel means are wanted, `[n, c, h, w]`
 */
export async function calibrate(
  model: OnnxModel,
  values: Iterable<string>,
  inputs: Iterable<string>,
  { feeds, threads, step }: { readonly feeds: Feeds; readonly threads: number; readonly step: () => void },
): Promise<Calibration> {
  const watched = observe(model, values, inputs);
  const histograms = new Map([...watched.samples.keys()].map((name) => [name, new RangeHistogram()]));
  const sums = new Map<string, { sum: Float64Array; count: number }>();
  let runs = 0;
  const session = await openGraph(watched.model, { threads });
  try {
    for await (const feed of feeds()) {
      const outputs = await session.run(feed, [...watched.samples.values(), ...watched.means.values()]);
      for (const [value, output] of watched.samples) histograms.get(value)!.add(numbersOf(outputs[output], output));
      for (const [value, output] of watched.means) addMean(sums, value, numbersOf(outputs[output], output));
      runs++;
      step();
    }
  } finally {
    await session.release();
  }
  return {
    histograms,
    means: new Map([...sums].map(([value, { sum, count }]) => [value, Float32Array.from(sum, (one) => one / count)])),
    runs,
  };
}

function addMean(
  sums: Map<string, { sum: Float64Array; count: number }>,
  value: string,
  means: ArrayLike<number>,
): void {
  // A picture on which nothing was found has no regions, whose mean is not a number.
  if (!Number.isFinite(means[0])) return;
  const entry = sums.get(value) ?? { sum: new Float64Array(means.length), count: 0 };
  for (let c = 0; c < means.length; c++) entry.sum[c]! += means[c]!;
  entry.count++;
  sums.set(value, entry);
}
