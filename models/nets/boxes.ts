import type { GraphBuilder, Value } from '../onnx/graph-builder.js';
import { add, clip, exp, min, mul, sub } from '../onnx/ops/elementwise.js';
import { concat, slice } from '../onnx/ops/layout.js';

/** Largest log-scale of a box's growth: 1000 / 16, as in Detectron and torchvision. */
const MOST_GROWTH = Math.log(1000 / 16);

/** `[n, k, 4]` corners → centre and size, each `[n, k, 2]`. */
function centreAndSize(g: GraphBuilder, boxes: Value): readonly [centre: Value, size: Value] {
  const axis = boxes.dims.length - 1;
  const low = slice(g, boxes, axis, 0, 2);
  const size = sub(g, slice(g, boxes, axis, 2, 4), low);
  return [add(g, low, mul(g, size, g.float(0.5))), size];
}

/**
 * Moves and scales boxes (Girshick et al. 2014, appendix C): centre + d · size, size · e^d.
 *
 * @param boxes    `[n, k, 4]` x1 y1 x2 y2, px
 * @param deltas   `[n, k, 4]` dx dy dw dh
 * @param weights  what dx dy and dw dh were multiplied by in training: 1 in the RPN, 10 and 5 in the head
 * @returns `[n, k, 4]` x1 y1 x2 y2, px, not clipped
 */
export function decodeBoxes(
  g: GraphBuilder,
  boxes: Value,
  deltas: Value,
  [move, scale]: readonly [number, number],
): Value {
  const axis = deltas.dims.length - 1;
  const over = (part: Value, weight: number): Value => (weight === 1 ? part : mul(g, part, g.float(1 / weight)));
  const [centre, size] = centreAndSize(g, boxes);
  const to = add(g, centre, mul(g, over(slice(g, deltas, axis, 0, 2), move), size));
  const growth = min(g, over(slice(g, deltas, axis, 2, 4), scale), g.float(MOST_GROWTH));
  const half = mul(g, mul(g, exp(g, growth), size), g.float(0.5));
  return concat(g, [sub(g, to, half), add(g, to, half)], axis);
}

/** Boxes `[…, 4]` cut to the input, 0…width and 0…height (pixel edges). */
export function clipBoxes(g: GraphBuilder, boxes: Value, width: number, height: number): Value {
  if (width === height) return clip(g, boxes, 0, width);
  const limit = g.constant('input.corner', [4], Float32Array.of(width, height, width, height));
  return min(g, clip(g, boxes, 0, 3.4e38), limit);
}
