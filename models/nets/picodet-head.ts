import { multiplyDims } from '../onnx/dims.js';
import type { GraphBuilder, Value } from '../onnx/graph-builder.js';
import { conv } from '../onnx/ops/convolution.js';
import { add, mul, sigmoid, softmax, sub } from '../onnx/ops/elementwise.js';
import { concat, reshape, slice, transpose } from '../onnx/ops/layout.js';
import { linear } from '../onnx/ops/linear.js';
import { type Cells, grid, rowsAt } from './dense-cells.js';
import type { FeatureMap, InputSize } from './feature-map.js';

/** Classes of the body's file: COCO's. */
const CLASSES = 80;
/** Distances 0…7 strides of each side. */
const BINS = 8;
const SIDES = 4 * BINS;

/** The last 1×1 of each stride in Paddle's file, 80 class rows and 32 of distances; biases are constants without a name of their own. */
const PREDICTIONS: Readonly<Record<number, { readonly weight: string; readonly bias: string }>> = {
  8: { weight: 'conv2d_131.w_0', bias: '1471' },
  16: { weight: 'conv2d_132.w_0', bias: '1472' },
  32: { weight: 'conv2d_133.w_0', bias: '1473' },
  64: { weight: 'conv2d_134.w_0', bias: '1474' },
};

/**
 * PicoDet (Yu et al. 2021), built from its last maps: class scores, and each side's distance from the cell's middle as the
 * mean of a distribution over 0…7 strides (generalised focal loss, Li et al. 2020).
 *
 * Only the classes asked for are computed, and only chosen cells have their distances decoded: with six classes the last 1×1
 * has 38 rows instead of 112. The stored tensors stay whole: training may go on with other classes.
 */
export function picodetCells(
  g: GraphBuilder,
  maps: readonly FeatureMap[],
  columns: readonly number[],
  size: InputSize,
): Cells {
  const predictions = maps.map((map) => predict(g, map, columns));
  const logits = concat(
    g,
    predictions.map(({ logits }) => logits),
    1,
  );
  const sides = concat(
    g,
    predictions.map(({ sides }) => sides),
    1,
  );
  const { placeOf, strideOf } = grid(
    g,
    maps.map(({ stride }) => stride),
    size,
    0.5,
  );
  return {
    scores: sigmoid(g, logits),
    boxesOf(cells) {
      const place = placeOf(cells);
      const distance = mul(g, meanOfBins(g, rowsAt(g, sides, cells)), strideOf(cells));
      const low = sub(g, place, slice(g, distance, 2, 0, 2));
      const high = add(g, place, slice(g, distance, 2, 2, 4));
      return concat(g, [low, high], 2);
    },
  };
}

/** Of one stride: class logits `[N, cells, classes]` and distributions `[N, cells, 32]`. */
function predict(
  g: GraphBuilder,
  { value, stride }: FeatureMap,
  columns: readonly number[],
): { readonly logits: Value; readonly sides: Value } {
  const names = PREDICTIONS[stride]!; // One a map of PicoDet.
  const input = Number(value.dims[1]);
  const weights = g.take(`body.${names.weight}`, [CLASSES + SIDES, input, 1, 1], { kind: 'he' });
  const biases = g.take(`body.${names.bias}`, [CLASSES + SIDES], { kind: 'uniform', from: -0.05, to: 0.05 });
  const rows = (part: string, chosen: readonly number[]): Value => {
    const weight = new Float32Array(chosen.length * input);
    for (const [i, row] of chosen.entries()) weight.set(weights.subarray(row * input, (row + 1) * input), i * input);
    const bias = Float32Array.from(chosen, (row) => biases[row]!);
    const y = conv(
      g,
      value,
      g.constant(`dense.${part}.${stride}.weight`, [chosen.length, input, 1, 1], weight),
      g.constant(`dense.${part}.${stride}.bias`, [chosen.length], bias),
    );
    const [n, channels, height, width] = y.dims;
    return reshape(g, transpose(g, y, [0, 2, 3, 1]), [n!, Number(height) * Number(width), channels!]);
  };
  return {
    logits: rows('classes', columns),
    sides: rows(
      'sides',
      Array.from({ length: SIDES }, (_, i) => CLASSES + i),
    ),
  };
}

/** Distributions `[N, k, 32]` → means `[N, k, 4]`, in strides: left, top, right, bottom. */
function meanOfBins(g: GraphBuilder, sides: Value): Value {
  const [n, k] = sides.dims;
  const rows = reshape(g, sides, [multiplyDims(n!, Number(k) * 4), BINS]);
  // Σ share · bin as a matrix product with one column.
  const bin = g.constant(
    'dense.bins',
    [1, BINS],
    Float32Array.from({ length: BINS }, (_, i) => i),
  );
  const mean = linear(g, softmax(g, rows, 1), bin, g.constant('dense.zero', [1], Float32Array.of(0)));
  return reshape(g, mean, [n!, k!, 4]);
}
