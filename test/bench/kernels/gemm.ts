import { GraphBuilder } from '../../../models/onnx/graph-builder.js';
import type { OnnxModel } from '../../../models/onnx/model.js';
import { matMul } from '../../../models/onnx/ops/linear.js';
import { seededWeights } from '../../../models/weights/seed.js';
import type { Shape } from './feeds.js';

const [ROWS, INNER, COLUMNS] = [1024, 1024, 4096];

/** The machine's own measure: a large matrix product with packed weights. */
export const GEMM_SHAPE: Shape = { kind: 'map', dims: [ROWS, INNER] };
export const GEMM_FLOP = 2 * ROWS * INNER * COLUMNS;

export function gemm(): OnnxModel {
  const g = new GraphBuilder(seededWeights(1));
  const x = g.input('x', 'float32', [ROWS, INNER]);
  return g.finish('gemm', { y: matMul(g, x, g.weight('w', [INNER, COLUMNS], { kind: 'he' })) }, {});
}
