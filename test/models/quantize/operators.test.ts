import { describe, expect, it, vi } from 'vitest';
import type { Tensors } from '../../../models/adapters/adapter.js';
import { GraphBuilder, type Value } from '../../../models/onnx/graph-builder.js';
import type { OnnxModel } from '../../../models/onnx/model.js';
import {
  averagePool,
  conv,
  deconv,
  globalAveragePool,
  maxPool,
  upsample,
} from '../../../models/onnx/ops/convolution.js';
import { add, clip, hardSwish, mul, relu, sigmoid } from '../../../models/onnx/ops/elementwise.js';
import { concat, reshape, slice, split, transpose } from '../../../models/onnx/ops/layout.js';
import { deconvAsConv } from '../../../models/quantize/deconv-as-conv.js';
import { quantizeModel } from '../../../models/quantize/quantize.js';
import { openGraph } from '../../../models/runtime/graph-session.js';
import { seededWeights } from '../../../models/weights/seed.js';

// Several sessions a case; on a machine busy with training that takes minutes.
vi.setConfig({ testTimeout: 300_000 });

const CHANNELS = 8;
const SIDE = 6;

/** `[n, 8, 6, 6]`, each channel of its own size, both signs. */
function feeds(n: number): Tensors {
  const data = Float32Array.from({ length: n * CHANNELS * SIDE * SIDE }, (_, i) => Math.sin(i * 0.7) * 2 + Math.cos(i));
  return { x: { type: 'float32', dims: [n, CHANNELS, SIDE, SIDE], data } };
}

let made = 0;
function layer(g: GraphBuilder, x: Value, out = CHANNELS, side = 3, groups = 1): Value {
  const name = `w${made++}`;
  const pad = side >> 1;
  const weight = g.weight(name, [out, Number(x.dims[1]) / groups, side, side], { kind: 'he' });
  const bias = g.weight(`${name}.bias`, [out], { kind: 'uniform', from: -0.5, to: 0.5 });
  return conv(g, x, weight, bias, { pads: [pad, pad, pad, pad], groups });
}

function build(body: (g: GraphBuilder, x: Value) => Value): OnnxModel {
  const g = new GraphBuilder(seededWeights(3));
  const y = body(g, g.input('x', 'float32', ['N', CHANNELS, SIDE, SIDE]));
  return g.finish('one', { y }, {});
}

async function run(model: OnnxModel, of: Tensors): Promise<Float32Array> {
  const session = await openGraph(model, { threads: 1 });
  try {
    const { y } = await session.run(of);
    return y!.data as Float32Array; // The graphs of this file give float32.
  } finally {
    await session.release();
  }
}

/** One int8 operator between two convolutions each. */
const CASES: readonly (readonly [name: string, op: string, body: (g: GraphBuilder, x: Value) => Value])[] = [
  ['a convolution', 'QLinearConv', (_, x) => x],
  ['a depthwise convolution', 'QLinearConv', (g, x) => layer(g, x, CHANNELS, 5, CHANNELS)],
  ['a grouped convolution', 'QLinearConv', (g, x) => layer(g, x, CHANNELS, 1, 2)],
  ['a ReLU, which vanishes', 'QLinearConv', (g, x) => relu(g, x)],
  ['a ReLU beside another reader', 'QLinearAdd', (g, x) => add(g, relu(g, x), x)],
  ['a clip from zero', 'QLinearConv', (g, x) => clip(g, x, 0, 6)],
  ['an addition with ReLU', 'QLinearAdd', (g, x) => relu(g, add(g, x, layer(g, x)))],
  ['hard-swish', 'QLinearMul', (g, x) => hardSwish(g, x)],
  ['swish', 'QLinearSigmoid', (g, x) => mul(g, x, sigmoid(g, x))],
  ['channel gates', 'QLinearMul', (g, x) => mul(g, x, sigmoid(g, layer(g, globalAveragePool(g, x), CHANNELS, 1)))],
  ['a concatenation', 'QLinearConcat', (g, x) => concat(g, [x, layer(g, x, 4)], 1)],
  ['an average, a depthwise convolution', 'QLinearConv', (g, x) => averagePool(g, x, [2, 2])],
  [
    'an average that reaches over the edge',
    'QLinearAveragePool',
    (g, x) => g.node('AveragePool', [x], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }, x),
  ],
  ['a maximum', 'MaxPool', (g, x) => maxPool(g, x, [2, 2], { strides: [2, 2] })],
  ['cells repeated', 'Resize', (g, x) => upsample(g, x, 2, 'nearest')],
  [
    'a channel shuffle',
    'Transpose',
    (g, x) => {
      const apart = reshape(g, x, [x.dims[0]!, 2, CHANNELS / 2, SIDE, SIDE]);
      return reshape(g, transpose(g, apart, [0, 2, 1, 3, 4]), [x.dims[0]!, CHANNELS, SIDE, SIDE]);
    },
  ],
  ['a split', 'Split', (g, x) => split(g, x, 1, [4, 4])[1]!],
  ['a slice', 'Slice', (g, x) => slice(g, x, 1, 2, 8)],
];

describe('operators in int8', () => {
  it.each(CASES)('%s gives what float gives, within three percent', async (_, op, body) => {
    const model = build((g, x) => layer(g, body(g, layer(g, x)), CHANNELS, 1));
    const { model: int8 } = await quantizeModel({ model, feeds: () => [feeds(2), feeds(1)], threads: 1, piled: false });
    const ops = int8.graph.nodes.map((node) => node.op);
    expect(ops).toContain(op);
    // One conversion in, one out; channel gates alone go through float for their single cell.
    if (!ops.includes('QLinearGlobalAveragePool'))
      expect(ops.filter((one) => /^(Dequ|Qu)antizeLinear$/.test(one))).toHaveLength(2);
    const expected = await run(model, feeds(2));
    const found = await run(int8, feeds(2));
    const size = Math.hypot(...expected);
    expect(Math.hypot(...expected.map((value, i) => value - found[i]!)) / size).toBeLessThan(0.03);
    // A batch gives what single runs give, bit for bit.
    expect(found.subarray(0, found.length / 2)).toEqual(await run(int8, feeds(1)));
  });
});

describe('deconvAsConv', () => {
  const taps = (g: GraphBuilder, x: Value, out: number): Value =>
    deconv(
      g,
      x,
      g.weight('t', [Number(x.dims[1]), out, 2, 2], { kind: 'he' }),
      g.weight('t.bias', [out], { kind: 'uniform', from: -0.5, to: 0.5 }),
    );

  it.each([
    ['alone', (g: GraphBuilder, x: Value) => taps(g, x, 5)],
    [
      'with ReLU and two 1×1 behind it',
      (g: GraphBuilder, x: Value) => layer(g, relu(g, layer(g, relu(g, taps(g, x, 6)), 7, 1)), 3, 1),
    ],
    [
      'with a reader beside the ReLU',
      (g: GraphBuilder, x: Value) => {
        const y = taps(g, x, 4);
        return add(g, relu(g, y), y);
      },
    ],
  ] as const)('%s: the same numbers', async (_, body) => {
    const model = build(body);
    const rewritten = deconvAsConv(model);
    expect(rewritten.graph.nodes.map((node) => node.op)).not.toContain('ConvTranspose');
    const expected = await run(model, feeds(2));
    const found = await run(rewritten, feeds(2));
    expect(found).toHaveLength(expected.length);
    for (const [i, value] of expected.entries()) expect(found[i]).toBeCloseTo(value, 4);
  });
});
