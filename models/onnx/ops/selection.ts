import { type GraphBuilder, misfit, type Value } from '../graph-builder.js';
import type { Dim } from '../model.js';

/**
 * The `k` largest of the last axis, largest first; among equals the one with the lower index first.
 *
 * @returns values and int64 indices, both `[…, k]`
 */
export function topK(g: GraphBuilder, x: Value, k: number): readonly [values: Value, indices: Value] {
  const size = x.dims.at(-1);
  if (typeof size !== 'number' || k < 1 || k > size) throw misfit('TopK', [x], `cannot give ${k} of its last axis`);
  const dims = x.dims.with(-1, k);
  const [values, indices] = g.nodes('TopK', [x, g.ints([k])], { axis: x.dims.length - 1, largest: 1, sorted: 1 }, [
    { type: x.type, dims },
    { type: 'int64', dims },
  ]);
  return [values!, indices!];
}

/** Rows (or deeper) of one axis: `indices` int64 of any shape takes the place of the axis. */
export function gather(g: GraphBuilder, x: Value, indices: Value, axis: number): Value {
  if (indices.type !== 'int64' || axis < 0 || axis >= x.dims.length) {
    throw misfit('Gather', [x, indices], `indices must be int64 into axis ${axis}`);
  }
  return g.node('Gather', [x, indices], { axis }, { type: x.type, dims: x.dims.toSpliced(axis, 1, ...indices.dims) });
}

/**
 * ONNX GatherND: the last axis of `indices` addresses the axes of `x` after the first `batchDims`, which both share.
 */
export function gatherNd(g: GraphBuilder, x: Value, indices: Value, batchDims: number): Value {
  const depth = indices.dims.at(-1);
  const shared = indices.dims.slice(0, batchDims).every((dim, i) => dim === x.dims[i]);
  if (indices.type !== 'int64' || typeof depth !== 'number' || !shared || batchDims + depth > x.dims.length) {
    throw misfit('GatherND', [x, indices], `indices must be int64 and share ${batchDims} leading axes`);
  }
  const dims: Dim[] = [...indices.dims.slice(0, -1), ...x.dims.slice(batchDims + depth)];
  return g.node('GatherND', [x, indices], { batch_dims: batchDims }, { type: x.type, dims });
}

/** A copy of `x` with `updates` written at `indices` (int64, the last axis addresses the axes of `x`). */
export function scatterNd(g: GraphBuilder, x: Value, indices: Value, updates: Value): Value {
  const depth = indices.dims.at(-1);
  const rows = [...indices.dims.slice(0, -1), ...x.dims.slice(Number(depth))];
  if (indices.type !== 'int64' || updates.type !== x.type || rows.join() !== updates.dims.join()) {
    throw misfit('ScatterND', [x, indices, updates], `updates must be [${rows}] of the same type`);
  }
  return g.node('ScatterND', [x, indices, updates], {}, { type: x.type, dims: x.dims });
}

/** Where a bool tensor is true: int64 `[rank, count]`, in row-major order. */
export function nonZero(g: GraphBuilder, x: Value, count: string): Value {
  return g.node('NonZero', [x], {}, { type: 'int64', dims: [x.dims.length, count] });
}

/**
 * ONNX NonMaxSuppression, each class of each image by itself.
 *
 * @param boxes   `[n, k, 4]` as two opposite corners
 * @param scores  `[n, classes, k]`; those not above `minScore` take no part
 * @param most    kept of one class of one image
 * @param maxIou  a box goes when a better one of its class overlaps it by more than this
 * @param count   symbol for the number of rows
 * @returns int64 `[count, 3]`: image, class, index; ordered by image, then class, then score
 */
export function nonMaxSuppression(
  g: GraphBuilder,
  boxes: Value,
  scores: Value,
  { most, maxIou, minScore, count }: { most: number; maxIou: number; minScore: number; count: string },
): Value {
  const [n, k, four] = boxes.dims;
  if (four !== 4 || scores.dims.length !== 3 || scores.dims[0] !== n || scores.dims[2] !== k) {
    throw misfit('NonMaxSuppression', [boxes, scores], 'must be [n,k,4] and [n,classes,k]');
  }
  const limit = (name: string, value: number): Value => g.constant(`${name}:${value}`, [1], Float32Array.of(value));
  return g.node(
    'NonMaxSuppression',
    [boxes, scores, g.ints([most]), limit('iou', maxIou), limit('score', minScore)],
    {},
    { type: 'int64', dims: [count, 3] },
  );
}

/**
 * RoIAlign, average of `samples`² points a bin, aligned to pixel centres (`half_pixel`: the default of the operator changed
 * with opset 16, so it is always written).
 *
 * @param features  `[n, c, h, w]`
 * @param boxes     `[r, 4]` x1 y1 x2 y2 in input pixels
 * @param frames    int64 `[r]`: which of the n
 * @returns `[r, c, bins, bins]`
 */
export function roiAlign(
  g: GraphBuilder,
  features: Value,
  boxes: Value,
  frames: Value,
  { bins, stride, samples }: { bins: number; stride: number; samples: number },
): Value {
  const [r, four] = boxes.dims;
  if (
    features.dims.length !== 4 ||
    boxes.dims.length !== 2 ||
    four !== 4 ||
    frames.dims.length !== 1 ||
    frames.dims[0] !== r
  ) {
    throw misfit('RoiAlign', [features, boxes, frames], 'must be [n,c,h,w], [r,4], [r]');
  }
  return g.node(
    'RoiAlign',
    [features, boxes, frames],
    {
      mode: 'avg',
      output_height: bins,
      output_width: bins,
      sampling_ratio: samples,
      spatial_scale: { float: 1 / stride },
      coordinate_transformation_mode: 'half_pixel',
    },
    { type: 'float32', dims: [r!, features.dims[1]!, bins, bins] },
  );
}
