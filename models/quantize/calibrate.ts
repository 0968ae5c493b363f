import type { Tensors } from '../adapters/adapter.js';
import type { OnnxModel } from '../onnx/model.js';
import { openGraph } from '../runtime/graph-session.js';
import { type MatrixBatch, numbersOf, observe } from './observe.js';
import { RangeHistogram } from './range-histogram.js';

/** What calibration pictures showed of a graph. */
export interface Calibration {
  readonly histograms: ReadonlyMap<string, RangeHistogram>;
  /** Mean of each channel `[c]`, by value. */
  readonly means: ReadonlyMap<string, Float32Array>;
  /** Of each matrix of a batch, by value. */
  readonly batches: ReadonlyMap<string, readonly RangeHistogram[]>;
  /** Runs. */
  readonly runs: number;
}

/** Feeds of each run, fresh from the start at every call. */
export type Feeds = () => Iterable<Tensors> | AsyncIterable<Tensors>;

/** What is to be seen. */
interface Wanted {
  /** To make histograms of. */
  readonly values: Iterable<string>;
  /** Those of them whose channel means are wanted, `[n, c, h, w]`. */
  readonly means?: Iterable<string>;
  /** Batches of matrices, each of which has a scale of its own. */
  readonly batches?: ReadonlyMap<string, MatrixBatch>;
}

/** Runs a float graph on calibration pictures and looks at inner values. */
export async function calibrate(
  model: OnnxModel,
  { values, means = [], batches = new Map() }: Wanted,
  { feeds, threads, step }: { readonly feeds: Feeds; readonly threads: number; readonly step: () => void },
): Promise<Calibration> {
  const watched = observe(model, values, means, batches);
  const histograms = new Map([...watched.samples.keys()].map((name) => [name, new RangeHistogram()]));
  const ofBatches = new Map(
    [...batches].map(([name, { batch }]) => [name, Array.from({ length: batch }, () => new RangeHistogram())]),
  );
  const sums = new Map<string, { sum: Float64Array; count: number }>();
  let runs = 0;
  const session = await openGraph(watched.model, { threads });
  try {
    for await (const feed of feeds()) {
      const wanted = [watched.samples, watched.means, watched.batches].flatMap((named) => [...named.values()]);
      const outputs = await session.run(feed, wanted);
      for (const [value, output] of watched.samples) histograms.get(value)!.add(numbersOf(outputs[output], output));
      for (const [value, output] of watched.batches)
        addBatch(ofBatches.get(value)!, numbersOf(outputs[output], output));
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
    batches: ofBatches,
    runs,
  };
}

/** @param numbers  `[batch, n]` */
function addBatch(histograms: readonly RangeHistogram[], numbers: Float32Array | Uint8Array): void {
  const each = numbers.length / histograms.length;
  for (const [i, histogram] of histograms.entries()) histogram.add(numbers.subarray(i * each, (i + 1) * each));
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
