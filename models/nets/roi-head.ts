import { multiplyDims } from '../onnx/dims.js';
import type { GraphBuilder, Value } from '../onnx/graph-builder.js';
import { averagePool } from '../onnx/ops/convolution.js';
import { mul, relu, softmax } from '../onnx/ops/elementwise.js';
import { reshape, slice, unsqueeze } from '../onnx/ops/layout.js';
import { namedConv, namedLinear } from './layers.js';
import type { HeadOptions, RedesignedOptions, ResnetOptions } from './options.js';
import { resnetC5 } from './resnet.js';
import type { Proposals } from './rpn.js';

/**
 * The paper's redesigned subnet (§III-C): 3×3 → `middle`, 3×3 → `out`, size kept.
 *
 * @param regions  `[r, C, 14, 14]`
 * @returns `[r, out, 14, 14]`
 */
export function redesignedSubnet(
  g: GraphBuilder,
  regions: Value,
  { middle, out }: Pick<RedesignedOptions, 'middle' | 'out'>,
): Value {
  const hidden = relu(g, namedConv(g, regions, 'head.0', middle, [3, 3]));
  return relu(g, namedConv(g, hidden, 'head.1', out, [3, 3]));
}

/** The features that boxes and masks are read from: the redesigned subnet, or ResNet's C5 in the baseline (`[r, 2048, 7, 7]`). */
export function regionSubnet(
  g: GraphBuilder,
  regions: Value,
  head: HeadOptions,
  body: ResnetOptions | undefined,
): Value {
  if (head.kind === 'redesigned') return redesignedSubnet(g, regions, head);
  if (!body) throw new RangeError('the C5 head is a stage of ResNet'); // The options' own rule.
  return resnetC5(g, regions, body);
}

/** What the box branch says of every proposal. */
export interface RegionScores {
  /** `[N, proposals, classes]`, background left out, 0 for places that only fill up. */
  readonly scores: Value;
  /** `[N, proposals · classes, 4]` dx dy dw dh of each class. */
  readonly deltas: Value;
}

/**
 * Box branch: average pooling 7×7 with stride 7 → a vector of 2×2×512 = 2048 (or global), then class scores and class-wise
 * box deltas. The last class score is the background's.
 */
export function boxBranch(
  g: GraphBuilder,
  features: Value,
  head: HeadOptions,
  classes: number,
  proposals: Proposals,
): RegionScores {
  const [n, most] = proposals.valid.dims;
  const window = head.kind === 'redesigned' ? head.pool : 7;
  const pooled = averagePool(g, features, [window, window]);
  const [r, ...rest] = pooled.dims;
  const vector = reshape(g, pooled, [r!, rest.reduce(multiplyDims, 1)]);
  const all = softmax(g, namedLinear(g, vector, 'box.classes', classes + 1, 0.4), 1);
  const scores = reshape(g, slice(g, all, 1, 0, classes), [n!, most!, classes]);
  const deltas = namedLinear(g, vector, 'box.deltas', 4 * classes, 0.5);
  return {
    scores: mul(g, scores, unsqueeze(g, proposals.valid, 2)),
    deltas: reshape(g, deltas, [n!, Number(most) * classes, 4]),
  };
}
