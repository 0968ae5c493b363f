import { GraphBuilder } from '../../../models/onnx/graph-builder.js';
import type { OnnxModel } from '../../../models/onnx/model.js';
import { matMul } from '../../../models/onnx/ops/linear.js';
import { seededWeights } from '../../../models/weights/seed.js';
import type { Shape } from './feeds.js';

type Sizes = readonly [rows: number, inner: number, columns: number];

const SIZES: Sizes = [1024, 1024, 4096];

/** The machine's own measure: a large matrix product with packed weights. */
export const GEMM_SHAPE: Shape = { kind: 'map', batch: 1, dims: [SIZES[0], SIZES[1]] };
export const GEMM_FLOP = 2 * SIZES[0] * SIZES[1] * SIZES[2];

export function gemm([rows, inner, columns]: Sizes = SIZES): OnnxModel {
  const g = new GraphBuilder(seededWeights(1));
  const x = g.input('x', 'float32', [rows, inner]);
  return g.finish('gemm', { y: matMul(g, x, g.weight('w', [inner, columns], { kind: 'he' })) }, {});
}
