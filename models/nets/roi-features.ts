import { multiplyDims } from '../onnx/dims.js';
import type { GraphBuilder, Value } from '../onnx/graph-builder.js';
import { expandLike, indicesAlong, reshape, unsqueeze } from '../onnx/ops/layout.js';
import { gather, roiAlign } from '../onnx/ops/selection.js';
import type { FeatureMap } from './feature-map.js';

/** Bins of RoIAlign in every network of the paper; twice as many for outlines. */
type Bins = 14 | 28;

/**
 * RoIAlign 14×14 or 28×28 (He et al. 2017) of boxes that each name their frame.
 *
 * @param boxes   `[r, 4]` px
 * @param frames  int64 `[r]`
 * @returns `[r, C, bins, bins]`
 */
export function roiFeatures(
  g: GraphBuilder,
  map: FeatureMap,
  { boxes, frames }: { readonly boxes: Value; readonly frames: Value },
  samples: number,
  bins: Bins = 14,
): Value {
  return roiAlign(g, map.value, boxes, frames, { bins, stride: map.stride, samples });
}

/** Boxes `[N, r, 4]` as one list: `[N · r, 4]` and the frame of each. */
export function flattenBoxes(g: GraphBuilder, boxes: Value): { readonly boxes: Value; readonly frames: Value } {
  const [n, r] = boxes.dims;
  const count = multiplyDims(n!, r!);
  const frame = unsqueeze(g, indicesAlong(g, boxes, 0), 1);
  const repeated = expandLike(g, frame, gather(g, boxes, g.ints(0), 2));
  return { boxes: reshape(g, boxes, [count, 4]), frames: reshape(g, repeated, [count]) };
}
