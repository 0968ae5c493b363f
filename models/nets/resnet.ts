import type { GraphBuilder, Value } from '../onnx/graph-builder.js';
import { conv, maxPool } from '../onnx/ops/convolution.js';
import { add, relu } from '../onnx/ops/elementwise.js';
import { foldInput, type Normalisation } from './input.js';
import type { ResnetOptions } from './options.js';

/** Residual blocks of conv2_x … conv5_x (He et al. 2016, table 1). */
const BLOCKS: Readonly<Record<ResnetOptions['depth'], readonly [number, number, number, number]>> = {
  18: [2, 2, 2, 2],
  34: [3, 4, 6, 3],
  50: [3, 4, 6, 3],
  101: [3, 4, 23, 3],
};

const BATCH_NORM_EPSILON = 1e-5;

/**
 * ResNet without its last stage, C1 to C4: `[N, 3, H, W]` → `[N, 1024, H/16, W/16]` (ResNet-18 and 34: 256 channels).
 * Tensor names are torchvision's; batch norm is folded into the convolutions.
 *
 * @param x  what `pictures` made
 */
export function resnetC4(g: GraphBuilder, x: Value, options: ResnetOptions, normalisation: Normalisation): Value {
  const { width } = options;
  const stem = convBn(g, x, 'conv1', 'bn1', {
    shape: [width, 3, 7, 7],
    stride: 2,
    change: (weights, dims) => foldInput(weights, dims, normalisation),
  });
  let y = maxPool(g, relu(g, stem), [3, 3], { strides: [2, 2], pads: [1, 1, 1, 1] });
  for (const stage of [1, 2, 3] as const) y = resnetStage(g, y, stage, options);
  return y;
}

/** Stage `layer4`, C5, on whatever map it is given: halves height and width, `[r, c, h, w]` → `[r, 2048, h/2, w/2]`. */
export function resnetC5(g: GraphBuilder, x: Value, options: ResnetOptions): Value {
  return resnetStage(g, x, 4, options);
}

function resnetStage(g: GraphBuilder, x: Value, stage: 1 | 2 | 3 | 4, options: ResnetOptions): Value {
  const channels = options.width * 2 ** (stage - 1);
  const block = options.depth < 50 ? basicBlock : bottleneck;
  let y = x;
  for (let i = 0; i < BLOCKS[options.depth][stage - 1]!; i++) {
    y = block(g, y, `layer${stage}.${i}`, channels, i === 0 && stage > 1 ? 2 : 1, options.strideOn);
  }
  return y;
}

/**
 * 1×1 → 3×3 → 1×1 with four times the channels, added to its input:
 *
 *   x ─┬─ 1×1, c ─ 3×3, c ─ 1×1, 4c ─┬─ add ─ relu
 *      └──────── (1×1, 4c) ──────────┘
 */
function bottleneck(g: GraphBuilder, x: Value, name: string, c: number, stride: 1 | 2, strideOn: '1x1' | '3x3'): Value {
  const input = Number(x.dims[1]);
  const first = strideOn === '1x1' ? stride : 1;
  const second = strideOn === '3x3' ? stride : 1;
  const a = relu(g, convBn(g, x, `${name}.conv1`, `${name}.bn1`, { shape: [c, input, 1, 1], stride: first }));
  const b = relu(g, convBn(g, a, `${name}.conv2`, `${name}.bn2`, { shape: [c, c, 3, 3], stride: second }));
  const y = convBn(g, b, `${name}.conv3`, `${name}.bn3`, { shape: [4 * c, c, 1, 1], gain: 0.25 });
  return relu(g, add(g, y, shortcut(g, x, name, 4 * c, stride)));
}

/** 3×3 → 3×3, added to its input. */
function basicBlock(g: GraphBuilder, x: Value, name: string, c: number, stride: 1 | 2): Value {
  const input = Number(x.dims[1]);
  const a = relu(g, convBn(g, x, `${name}.conv1`, `${name}.bn1`, { shape: [c, input, 3, 3], stride }));
  const y = convBn(g, a, `${name}.conv2`, `${name}.bn2`, { shape: [c, c, 3, 3], gain: 0.25 });
  return relu(g, add(g, y, shortcut(g, x, name, c, stride)));
}

function shortcut(g: GraphBuilder, x: Value, name: string, out: number, stride: 1 | 2): Value {
  const input = Number(x.dims[1]);
  if (stride === 1 && input === out) return x;
  return convBn(g, x, `${name}.downsample.0`, `${name}.downsample.1`, { shape: [out, input, 1, 1], stride });
}

interface ConvBn {
  readonly shape: readonly [out: number, input: number, kh: number, kw: number];
  readonly stride?: 1 | 2;
  /** Factor on the starting weights: small where a branch joins its shortcut, so that sums of many blocks stay small. */
  readonly gain?: number;
  /** Done to the weights last. */
  readonly change?: (weights: Float32Array, dims: readonly number[]) => Float32Array;
}

/**
 * Convolution and batch norm in one: w′ = w · γ / √(σ² + ε), b′ = β − μ · γ / √(σ² + ε).
 * Statistics made from a seed are not trivial, so that a mistake in the folding shows.
 */
function convBn(
  g: GraphBuilder,
  x: Value,
  convName: string,
  bnName: string,
  { shape, stride = 1, gain = 1, change }: ConvBn,
): Value {
  const [out, input, kh, kw] = shape;
  const weights = g.take(`${convName}.weight`, shape, { kind: 'he', gain });
  const gamma = g.take(`${bnName}.weight`, [out], { kind: 'uniform', from: 0.7, to: 1.3 });
  const beta = g.take(`${bnName}.bias`, [out], { kind: 'uniform', from: -0.1, to: 0.1 });
  const mean = g.take(`${bnName}.running_mean`, [out], { kind: 'uniform', from: -0.1, to: 0.1 });
  const variance = g.take(`${bnName}.running_var`, [out], { kind: 'uniform', from: 0.7, to: 1.3 });
  const size = input * kh * kw;
  const folded = new Float32Array(weights.length);
  const bias = new Float32Array(out);
  for (let o = 0; o < out; o++) {
    const scale = gamma[o]! / Math.sqrt(variance[o]! + BATCH_NORM_EPSILON);
    for (let i = o * size; i < (o + 1) * size; i++) folded[i] = weights[i]! * scale;
    bias[o] = beta[o]! - mean[o]! * scale;
  }
  return conv(
    g,
    x,
    g.constant(`${convName}.weight`, shape, change ? change(folded, shape) : folded),
    g.constant(`${convName}.bias`, [out], bias),
    { strides: [stride, stride], pads: [kh >> 1, kw >> 1, kh >> 1, kw >> 1] },
  );
}
