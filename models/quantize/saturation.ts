import type { OnnxModel, OnnxTensor } from '../onnx/model.js';

/**
 * Where 8-bit sums go wrong: x86 processors without VNNI multiply bytes by `vpmaddubsw`, which adds the two products of
 * neighbouring places in 16 bits and cuts the sum at 32,767. With bytes up to 255 that cannot happen while the
 * weights of one sign in every such pair sum to at most 128 (255 · 128 = 32,640).
 */
export const SAFE_PAIR = 128;

/** Largest sum of a pair of whole int8 weights. */
export const FULL_PAIR = 254;

/**
 * Largest sum of neighbouring weights of one sign, over all rows. ONNX Runtime multiplies in the order `[kh, kw, c]` of a
 * window, so the neighbours are those at places 2i and 2i + 1 of that order.
 *
 * @param weights  int8 `[out, c, kh, kw]` (a convolution's) or `[out, c]`
 * @param dims     of `weights`
 */
export function worstPair(weights: Int8Array, dims: readonly number[]): number {
  const out = dims[0] ?? 0;
  const size = out ? weights.length / out : 0;
  const order = windowOrder(dims);
  let worst = 0;
  for (let row = 0; row < out; row++) {
    for (let place = 0; place < size; place += 2) {
      const a = weights[row * size + order[place]!]!;
      const b = place + 1 < size ? weights[row * size + order[place + 1]!]! : 0;
      worst = Math.max(worst, Math.max(a, 0) + Math.max(b, 0), Math.max(-a, 0) + Math.max(-b, 0));
    }
  }
  return worst;
}

/** Where each place of the order `[kh, kw, c]` lies in a stored row `[c, kh, kw]`. */
export function windowOrder([, channels = 1, kh = 1, kw = 1]: readonly number[]): Int32Array {
  const window = kh * kw;
  const order = new Int32Array(channels * window);
  let place = 0;
  for (let tap = 0; tap < window; tap++) for (let c = 0; c < channels; c++) order[place++] = c * window + tap;
  return order;
}

/**
 * Largest pair among the int8 weights of a graph, by layer; empty for a graph without any. Knows weights of QLinearConv and
 * those that reach a Conv, Gemm or MatMul through DequantizeLinear, as other makers' files have them.
 */
export function worstPairs(model: OnnxModel): ReadonlyMap<string, number> {
  const constants = new Map(model.graph.initializers.map((tensor) => [tensor.name, tensor]));
  const dequantised = new Map<string, OnnxTensor>();
  const pairs = new Map<string, number>();
  for (const node of model.graph.nodes) {
    if (node.op === 'DequantizeLinear') {
      const tensor = constants.get(node.inputs[0] ?? '');
      if (tensor?.type === 'int8') dequantised.set(node.outputs[0]!, tensor);
      continue;
    }
    if (!(node.op in WEIGHT_INPUT)) continue;
    const name = node.inputs[WEIGHT_INPUT[node.op]!] ?? '';
    const tensor = constants.get(name) ?? dequantised.get(name);
    if (tensor?.type !== 'int8' || !tensor.data) continue;
    const { data, dims } = tensor;
    const weights = new Int8Array(data.buffer, data.byteOffset, data.length);
    // Matrices stand [inner, out] but for Gemm's transB; a bound for either is the two largest weights of one sign anywhere.
    pairs.set(node.name, dims.length === 4 ? worstPair(weights, dims) : loosePair(weights));
  }
  return pairs;
}

const WEIGHT_INPUT: Readonly<Record<string, number>> = {
  QLinearConv: 3,
  QLinearMatMul: 3,
  QGemm: 3,
  ConvInteger: 1,
  MatMulInteger: 1,
  Conv: 1,
  Gemm: 1,
  MatMul: 1,
};

function loosePair(weights: Int8Array): number {
  let most = 0;
  for (const weight of weights) most = Math.max(most, Math.abs(weight));
  return 2 * most;
}
