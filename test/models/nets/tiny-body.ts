import { IMAGENET } from '../../../models/nets/input.js';
import { MOBILE_FILES } from '../../../models/nets/mobile-body.js';
import type { OnnxAttribute, OnnxModel, OnnxNode, OnnxTensor } from '../../../models/onnx/model.js';
import { seededWeights } from '../../../models/weights/seed.js';

export const TINY_HEIGHT = 64;
export const TINY_WIDTH = 96;

/**
 * A body of our own drawing in the form of PicoDet's file: opset 11, hard-swish in four nodes, the same names of maps, last
 * 1×1 and outputs; a handful of convolutions between. For one picture of 64×96.
 *
 *   image ─ 3×3 /2 ─ pool /2 ─ stride 4 ─ 3×3 /2 ─ stride 8 ─ … ─ stride 64, each ─ 1×1 → 80 classes, 4 × 8 distances
 */
export function tinyBody(): OnnxModel {
  const source = seededWeights(11);
  const initializers: OnnxTensor[] = [];
  const nodes: OnnxNode[] = [];
  const constant = (name: string, dims: readonly number[], data: Float32Array | BigInt64Array): string => {
    const type = data instanceof Float32Array ? 'float32' : 'int64';
    initializers.push({ name, type, dims, data: new Uint8Array(data.buffer) });
    return name;
  };
  const weight = (name: string, dims: readonly number[], gain = 1): string =>
    constant(name, dims, source.take(name, dims, { kind: 'he', gain }));
  const node = (
    op: string,
    inputs: readonly string[],
    outputs: readonly string[],
    attributes: Record<string, OnnxAttribute> = {},
  ): string => {
    nodes.push({ name: outputs[0]!, op, domain: '', inputs, outputs, attributes });
    return outputs[0]!;
  };
  const ints = (...value: number[]): OnnxAttribute => ({ kind: 'ints', value });
  const window = (size: number, stride: number, pad: number): Record<string, OnnxAttribute> => ({
    kernel_shape: ints(size, size),
    strides: ints(stride, stride),
    pads: ints(pad, pad, pad, pad),
  });
  const [three, zero, six] = [3, 0, 6].map((value) => constant(`c${value}`, [], Float32Array.of(value)));
  const hardSwish = (x: string, out: string): string => {
    const gate = node('Clip', [node('Add', [x, three!], [`${out}.add`]), zero!, six!], [`${out}.clip`]);
    return node('Div', [node('Mul', [x, gate], [`${out}.mul`]), six!], [out]);
  };

  const { maps, outlines } = MOBILE_FILES['picodet-s'];
  const [coarse, fine] = outlines;
  const stem = node('Conv', ['image', weight('stem.w', [24, 3, 3, 3])], ['stem'], window(3, 2, 1));
  let x = node('MaxPool', [hardSwish(stem, fine!.value)], [coarse!.value], window(3, 2, 1));
  let channels = coarse!.channels;
  for (const { stride, value, channels: out } of maps) {
    const name = `down.${stride}`;
    const down = node('Conv', [x, weight(`${name}.w`, [out, channels, 3, 3])], [name], window(3, 2, 1));
    x = hardSwish(down, value);
    channels = out;
  }
  const outputs: string[] = [];
  for (const [i, { value, channels: input }] of maps.entries()) {
    const bias = source.take(`bias.${i}`, [112], { kind: 'uniform', from: -6, to: 0 });
    const all = node(
      'Conv',
      [value, weight(`conv2d_${131 + i}.w_0`, [112, input, 1, 1], 0.6), constant(`${1471 + i}`, [112], bias)],
      [`predict.${i}`],
      window(1, 1, 0),
    );
    node('Split', [all], [`classes.${i}`, `sides.${i}`], { axis: { kind: 'int', value: 1 }, split: ints(80, 32) });
    const rows = (from: string, count: number, to: string): void => {
      const shape = constant(`${to}.shape`, [3], BigInt64Array.of(1n, BigInt(count), -1n));
      node('Transpose', [node('Reshape', [from, shape], [`${to}.flat`])], [to], { perm: ints(0, 2, 1) });
    };
    rows(node('Sigmoid', [`classes.${i}`], [`sigmoid.${i}`]), 80, `scores.${i}`);
    rows(`sides.${i}`, 32, `boxes.${i}`);
  }
  for (const part of ['scores', 'boxes']) for (const i of maps.keys()) outputs.push(`${part}.${i}`);
  const cells = maps.map(({ stride }) => Math.ceil(TINY_HEIGHT / stride) * Math.ceil(TINY_WIDTH / stride));
  return {
    irVersion: 7,
    producer: 'test',
    opsets: { '': 11 },
    graph: {
      name: 'tiny-picodet',
      nodes,
      initializers,
      inputs: [{ name: 'image', type: 'float32', dims: [1, 3, TINY_HEIGHT, TINY_WIDTH] }],
      outputs: outputs.map((name, i) => ({ name, type: 'float32', dims: [1, cells[i % 4]!, i < 4 ? 80 : 32] })),
      values: [],
    },
    metadata: {},
  };
}

/** One picture rgb24 as the body's own file takes it: planes, mean taken off, over the deviation. */
export function normalised(pixels: Uint8Array): Float32Array {
  const size = pixels.length / 3;
  const planes = new Float32Array(pixels.length);
  for (let c = 0; c < 3; c++)
    for (let i = 0; i < size; i++) planes[c * size + i] = (pixels[i * 3 + c]! - IMAGENET.mean[c]!) / IMAGENET.std[c]!;
  return planes;
}
