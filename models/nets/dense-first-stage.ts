import { multiplyDims } from '../onnx/dims.js';
import type { GraphBuilder, Value } from '../onnx/graph-builder.js';
import { add, exp, mul, softmax, sub } from '../onnx/ops/elementwise.js';
import { concat, reshape, slice, unsqueeze } from '../onnx/ops/layout.js';
import { linear } from '../onnx/ops/linear.js';
import { gather, gatherNd } from '../onnx/ops/selection.js';
import { clipBoxes } from './boxes.js';
import { chooseDetections, type Detections } from './detections.js';
import type { InputSize } from './feature-map.js';
import type { DetectionOptions, MobileOptions } from './options.js';

/** Boxes and scores of every cell of a body's own head. */
interface Cells {
  /** `[N, cells, 4]` x1 y1 x2 y2, px, not clipped. */
  readonly boxes: Value;
  /** `[N, cells, 80]` 0…1 */
  readonly scores: Value;
}

/**
 * The mobile body's own dense head in place of RPN and box branch: what it finds, after suppression inside each class, is
 * both the regions for the mask branch and the final boxes (training.md: refining them lost accuracy).
 *
 * @param outputs  what the body's head gives
 * @param columns  which of its 80 classes are ours, in our order
 */
export function denseFirstStage(
  g: GraphBuilder,
  kind: MobileOptions['kind'],
  outputs: readonly Value[],
  columns: readonly number[],
  options: DetectionOptions,
  { height, width }: InputSize,
): Detections {
  const cells =
    kind === 'yolox-nano' ? yoloxCells(g, outputs, { height, width }) : picodetCells(g, outputs, { height, width });
  const boxes = clipBoxes(g, cells.boxes, width, height);
  const all = columns.length === cells.scores.dims[2] && columns.every((column, i) => column === i);
  const scores = all ? cells.scores : gather(g, cells.scores, g.ints(columns), 2);
  return chooseDetections(g, scores, (regions) => gatherRows(g, boxes, regions), options);
}

/** Rows `[N, k, 4]` of boxes `[N, cells, 4]` by int64 `[N, k]`. */
function gatherRows(g: GraphBuilder, boxes: Value, regions: Value): Value {
  return gatherNd(g, boxes, unsqueeze(g, regions, 2), 1);
}

/** Corner and size of every cell of the strides, row by row: constants `[cells, 2]` and `[cells, 2]`. */
function grid(
  strides: readonly number[],
  { height, width }: InputSize,
  centre: number,
): { places: Float32Array; scales: Float32Array; counts: number[] } {
  const places: number[] = [];
  const scales: number[] = [];
  const counts: number[] = [];
  for (const stride of strides) {
    const rows = Math.ceil(height / stride);
    const columns = Math.ceil(width / stride);
    counts.push(rows * columns);
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        places.push((column + centre) * stride, (row + centre) * stride);
        scales.push(stride, stride);
      }
    }
  }
  return { places: Float32Array.from(places), scales: Float32Array.from(scales), counts };
}

/** YOLOX: centre = (value + cell) · stride, size = e^value · stride, score = objectness · class. */
function yoloxCells(g: GraphBuilder, [output]: readonly Value[], size: InputSize): Cells {
  const { places, scales } = grid([8, 16, 32], size, 0);
  const cells = scales.length / 2;
  const scale = g.constant('dense.scale', [cells, 2], scales);
  const raw = output!;
  const columns = Number(raw.dims[2]);
  const centre = add(g, mul(g, slice(g, raw, 2, 0, 2), scale), g.constant('dense.place', [cells, 2], places));
  const half = mul(g, mul(g, exp(g, slice(g, raw, 2, 2, 4)), scale), g.float(0.5));
  return {
    boxes: concat(g, [sub(g, centre, half), add(g, centre, half)], 2),
    scores: mul(g, slice(g, raw, 2, 5, columns), slice(g, raw, 2, 4, 5)),
  };
}

/**
 * PicoDet: each side's distance from the cell's centre is the mean of a distribution over 0…7 strides (generalised focal loss,
 * Li et al. 2020).
 */
function picodetCells(g: GraphBuilder, outputs: readonly Value[], size: InputSize): Cells {
  const strides = [8, 16, 32, 64];
  const { places, scales } = grid(strides, size, 0.5);
  const cells = scales.length / 2;
  const scores = concat(g, outputs.slice(0, strides.length), 1);
  const sides = concat(g, outputs.slice(strides.length), 1);
  const bins = Number(sides.dims[2]) / 4;
  const share = softmax(g, reshape(g, sides, [sides.dims[0]!, cells * 4, bins]), 2);
  // Σ share · bin as a matrix product with one column.
  const flat = reshape(g, share, [multiplyDims(sides.dims[0]!, cells * 4), bins]);
  const bin = g.constant(
    'dense.bins',
    [1, bins],
    Float32Array.from({ length: bins }, (_, i) => i),
  );
  const distance = linear(g, flat, bin, g.constant('dense.zero', [1], Float32Array.of(0)));
  const scaled = reshape(g, distance, [sides.dims[0]!, cells, 4]);
  const scale = g.constant('dense.scale', [cells, 2], scales);
  const place = g.constant('dense.place', [cells, 2], places);
  const low = sub(g, place, mul(g, slice(g, scaled, 2, 0, 2), scale));
  const high = add(g, place, mul(g, slice(g, scaled, 2, 2, 4), scale));
  return { boxes: concat(g, [low, high], 2), scores };
}
