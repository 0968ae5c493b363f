import type { GraphBuilder, Value } from '../onnx/graph-builder.js';
import { deconv } from '../onnx/ops/convolution.js';
import { add, relu, sigmoid } from '../onnx/ops/elementwise.js';
import { unsqueeze } from '../onnx/ops/layout.js';
import { gatherNd } from '../onnx/ops/selection.js';
import type { FeatureMap } from './feature-map.js';
import { namedConv, standardisedConv } from './layers.js';

export interface MaskBranchOptions {
  readonly classes: number;
  readonly channels: number;
  readonly outlines?: Value | undefined;
  readonly fine?: Value | undefined;
}

/**
 * Mask branch (paper §III-C): deconvolution 2×2 with stride 2 to twice the size, one mask a class, the predicted class's
 * chosen before the sigmoid. Refined, a finer map of the same boxes joins in between:
 *
 *   features 14×14 ─ deconvolution ─┬─ relu ─ (3×3 ─ relu ─ (+ 3×3 ─ relu)) ─ 1×1 → masks 28×28
 *           outlines 28×28 ─────────┤
 *      (fine 28×28 ─ 1×1) ──────────┘
 *
 * @param features  `[M, C, h, w]`
 * @param labels    int64 `[M]`
 * @param outlines  `[M, channels, 2h, 2w]`: RoIAlign of the outline map, two bins to each of `features`; left out: none
 * @param fine      `[M, c, 2h, 2w]`: RoIAlign of the body's first map itself; left out: none. RoIAlign and 1×1 commute, so the
 *                  1×1 runs on bins of boxes rather than on the whole map
 * @returns `[M, 2h, 2w]` 0…1: 28×28, or 14×14 behind the C5 head
 */
export function maskBranch(
  g: GraphBuilder,
  features: Value,
  labels: Value,
  { classes, channels, outlines, fine }: MaskBranchOptions,
): Value {
  const weight = g.weight('mask.deconv.weight', [Number(features.dims[1]), channels, 2, 2], { kind: 'he' });
  const bias = g.weight('mask.deconv.bias', [channels], { kind: 'uniform', from: -0.05, to: 0.05 });
  const large = deconv(g, features, weight, bias);
  const joined = [outlines, fine && standardisedConv(g, fine, 'mask.fine', channels)]
    .filter((value) => value !== undefined)
    .reduce((sum, value) => add(g, sum, value), large);
  let x = relu(g, joined);
  if (outlines) x = relu(g, namedConv(g, x, 'mask.refine', channels, [3, 3]));
  if (fine) x = relu(g, add(g, x, namedConv(g, x, 'mask.sharpen', channels, [3, 3], { gain: 0.3 })));
  const logits = namedConv(g, x, 'mask.predict', classes, [1, 1], { gain: 0.3 });
  return sigmoid(g, gatherNd(g, logits, unsqueeze(g, labels, 1), 1));
}

/**
 * The map that outlines are read from: the body's map of stride 4 through a 3×3. Deep maps carry little outline (training.md:
 * masks without it were blobs without limbs).
 *
 * @returns stride 4, `[N, channels, H/4, W/4]`
 */
export function outlineMap(g: GraphBuilder, map: FeatureMap, channels: number): FeatureMap {
  return { stride: map.stride, value: relu(g, namedConv(g, map.value, 'outline', channels, [3, 3])) };
}
