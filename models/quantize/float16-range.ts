import type { OnnxModel } from '../onnx/model.js';
import { calibrate, type Feeds } from './calibrate.js';
import { toFloat16 } from './float16.js';
import { HALF_MOST } from './half-numbers.js';

/** Numbers may be this much larger on pictures that were not seen. */
const ROOM = 4;

/**
 * Values of a graph that float16 may not hold, seen on pictures: what {@link toFloat16} takes as `tooLarge`.
 *
 * @returns names of values
 */
export async function tooLargeForFloat16(
  model: OnnxModel,
  walk: { readonly feeds: Feeds; readonly threads: number; readonly step: () => void },
): Promise<ReadonlySet<string>> {
  const { values } = toFloat16(model).report;
  const { histograms } = await calibrate(model, { values }, walk);
  return new Set(
    [...histograms].filter(([, { low, high }]) => Math.max(-low, high) * ROOM > HALF_MOST).map(([name]) => name),
  );
}
