import { InferenceSession, Tensor } from 'onnxruntime-node';
import { encodeModel } from '../onnx/encode.js';
import type { ElementType, OnnxModel, OnnxTensor } from '../onnx/model.js';
import { FULL_PAIR, SAFE_PAIR, windowOrder } from '../quantize/saturation.js';
import { ortOptions } from './session.js';

/** Channels of the probe: enough for every kernel's widest registers. */
const CHANNELS = 64;

/**
 * How far sums of uint8 · int8 products are exact on this machine: the largest pair of neighbouring weights (`saturation.ts`)
 * whose products with the byte 255 still come out right. 254 (every int8 weight) where products are added in 32 bits, as VNNI,
 * AMX and Arm do; 128 on x86 without them; 0 should not even that hold.
 *
 * Found by running: tiny convolutions of each kind that ONNX Runtime has kernels for (1×1, 3×3, odd channels, depthwise).
 *
 * @param ortName  ONNX Runtime's name of the provider; nodes that it does not take run on the processor, as in any session
 */
export async function exactPair(ortName = 'cpu'): Promise<number> {
  for (const pair of [FULL_PAIR, SAFE_PAIR]) if (await isExact(pair, ortName)) return pair;
  return 0;
}

async function isExact(pair: number, ortName: string): Promise<boolean> {
  const model = probeModel(pair);
  const session = await InferenceSession.create(Buffer.concat(encodeModel(model)), ortOptions({ threads: 1 }, ortName));
  try {
    const bytes = new Uint8Array(CHANNELS * PLACES * PLACES).fill(255);
    const outputs = await session.run({ x: new Tensor('uint8', bytes, [1, CHANNELS, PLACES, PLACES]) });
    return Object.values(outputs).every(({ data }) => {
      // Padding takes part of the window at the border, so one place in the middle of each channel tells.
      const map = data as Uint8Array; // All outputs of the probe are bytes.
      const middle = (PLACES >> 1) * PLACES + (PLACES >> 1);
      for (let at = middle; at < map.length; at += PLACES * PLACES) if (map[at] !== EXPECTED) return false;
      return true;
    });
  } finally {
    await session.release();
  }
}

const PLACES = 8;
/** Byte that every output shows when its sum was right; a sum cut at 16 bits shows a smaller one. */
const EXPECTED = 200;

/** Convolutions whose weights are all the most that a pair allows, each scaled to give {@link EXPECTED}. */
function probeModel(pair: number): OnnxModel {
  const initializers: OnnxTensor[] = [];
  const constant = (
    name: string,
    type: ElementType,
    dims: readonly number[],
    data: Float32Array | Uint8Array | Int8Array,
  ): string => {
    if (!initializers.some((tensor) => tensor.name === name))
      initializers.push({ name, type, dims, data: new Uint8Array(data.buffer) });
    return name;
  };
  const convs = [
    { name: 'pointwise', input: CHANNELS, groups: 1, side: 1 },
    { name: 'square', input: CHANNELS, groups: 1, side: 3 },
    { name: 'grouped', input: CHANNELS, groups: 4, side: 3 },
    { name: 'depthwise', input: CHANNELS, groups: CHANNELS, side: 3 },
    { name: 'wide-depthwise', input: CHANNELS, groups: CHANNELS, side: 5 },
  ] as const;
  const nodes = convs.map(({ name, input, groups, side }) => {
    const perGroup = input / groups;
    const size = perGroup * side * side;
    // 127 and 127, or 127 and 1: the sharpest pairs that their sum allows.
    const row = Int8Array.from({ length: size }, (_, i) => (i % 2 ? pair - 127 : 127));
    const weights = new Int8Array(CHANNELS * size);
    for (let o = 0; o < CHANNELS; o++) weights.set(inWindowOrder(row, perGroup, side), o * size);
    const sum = 255 * row.reduce((all, weight) => all + weight, 0);
    return {
      name,
      op: 'QLinearConv',
      domain: '',
      inputs: [
        'x',
        constant('one', 'float32', [], Float32Array.of(1)),
        constant('zero', 'uint8', [], Uint8Array.of(0)),
        constant(`${name}/w`, 'int8', [CHANNELS, perGroup, side, side], weights),
        'one',
        constant('zero-weight', 'int8', [], Int8Array.of(0)),
        constant(`${name}/scale`, 'float32', [], Float32Array.of(sum / EXPECTED)),
        'zero',
      ],
      outputs: [name],
      attributes: {
        kernel_shape: { kind: 'ints', value: [side, side] },
        pads: { kind: 'ints', value: Array<number>(4).fill(side >> 1) },
        group: { kind: 'int', value: groups },
      } as const,
    };
  });
  return {
    irVersion: 8,
    producer: 'maskcast',
    opsets: { '': 17 },
    graph: {
      name: 'byte-sums',
      nodes,
      initializers,
      inputs: [{ name: 'x', type: 'uint8', dims: [1, CHANNELS, PLACES, PLACES] }],
      outputs: convs.map(({ name }) => ({ name, type: 'uint8' as const, dims: undefined })),
      values: [],
    },
    metadata: {},
  };
}

/** A row given in the order of multiplication, `[kh, kw, c]`, stored as `[c, kh, kw]`. */
function inWindowOrder(row: Int8Array, channels: number, side: number): Int8Array {
  const stored = new Int8Array(row.length);
  const order = windowOrder([1, channels, side, side]);
  for (const [place, at] of order.entries()) stored[at] = row[place]!;
  return stored;
}
