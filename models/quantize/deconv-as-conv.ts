import type { Dim, OnnxModel, OnnxNode, OnnxTensor, OnnxValue } from '../onnx/model.js';
import { floatsIn, type GraphLinks, intOf, intsOf, linksOf } from './graph-links.js';

/**
 * Rewrites transposed convolutions whose window equals their stride as 1×1 convolutions, which ONNX Runtime has in int8
 * (kernels.md §5). Every input cell makes a block of its own, so the four (k²) places of a block are channels until the end:
 *
 *   x [n, c, h, w] ─ 1×1 → [n, k·k·o, h, w] ─ view [n·k·k, o, h, w] ─ (ReLU, 1×1 …) ─ blocks put in place [n, o', k·h, k·w]
 *
 * ReLU and plain 1×1 convolutions that alone read the result are computed before the blocks are put in place, on the same numbers.
 */
export function deconvAsConv(model: OnnxModel): OnnxModel {
  let current = model;
  for (const node of model.graph.nodes) {
    if (node.op !== 'ConvTranspose' || node.domain) continue;
    const links = linksOf(current);
    const taps = floatsIn(links.constants.get(node.inputs[1] ?? ''));
    const block = blockOf(node, links);
    if (taps && block) current = replaceDeconv(current, node, taps, block, links);
  }
  return current;
}

interface Block {
  readonly side: number;
  readonly channels: number;
  readonly out: number;
  readonly height: number;
  readonly width: number;
  readonly rows: Dim;
}

function blockOf(node: OnnxNode, links: GraphLinks): Block | undefined {
  const [channels, out, side, wide] = links.constants.get(node.inputs[1] ?? '')?.dims ?? [];
  const [rows, , height, width] = links.dimsOf(node.inputs[0]!) ?? [];
  const strides = intsOf(node, 'strides') ?? [1, 1];
  const plain =
    side !== undefined &&
    side === wide &&
    strides.every((stride) => stride === side) &&
    intOf(node, 'group', 1) === 1 &&
    !intsOf(node, 'pads')?.some(Boolean) &&
    !intsOf(node, 'output_padding')?.some(Boolean) &&
    !node.attributes.output_shape &&
    !node.attributes.auto_pad;
  if (!plain || !channels || !out || rows === undefined) return undefined;
  if (typeof height !== 'number' || typeof width !== 'number') return undefined;
  return { side, channels, out, height, width, rows };
}

function replaceDeconv(
  model: OnnxModel,
  node: OnnxNode,
  taps: Float32Array,
  { side, channels, out, height, width }: Block,
  links: GraphLinks,
): OnnxModel {
  const places = side * side;
  const stem = node.name || node.outputs[0]!;
  const added: OnnxTensor[] = [];
  const values: OnnxValue[] = [];
  const constant = (name: string, dims: readonly number[], data: Float32Array | BigInt64Array): string => {
    const type = data instanceof Float32Array ? ('float32' as const) : ('int64' as const);
    added.push({ name, type, dims, data: new Uint8Array(data.buffer) });
    return name;
  };
  const value = (name: string, dims: readonly Dim[]): string => {
    values.push({ name, type: 'float32', dims });
    return name;
  };
  const shape = (dims: readonly number[]): string =>
    constant(`${stem}/shape:${dims.join(',')}`, [dims.length], BigInt64Array.from(dims, BigInt));

  // [c, o, dy, dx] → [(dy, dx, o), c, 1, 1], and the bias once for each place.
  const weights = new Float32Array(places * out * channels);
  for (let c = 0; c < channels; c++)
    for (let o = 0; o < out; o++)
      for (let place = 0; place < places; place++)
        weights[(place * out + o) * channels + c] = taps[(c * out + o) * places + place]!;
  const bias = floatsIn(links.constants.get(node.inputs[2] ?? '')) ?? new Float32Array(out);
  const repeated = Float32Array.from({ length: places * out }, (_, i) => bias[i % out]!);
  const rows = links.dimsOf(node.inputs[0]!)![0]!; // blockOf saw it.
  const many: Dim = typeof rows === 'number' ? rows * places : `${places}*${rows}`;

  // The chain that is computed on blocks.
  const chain: OnnxNode[] = [];
  let last = node.outputs[0]!;
  for (let next = onlyReader(last, links); next && isPointwise(next, links); next = onlyReader(last, links)) {
    chain.push(next);
    last = next.outputs[0]!;
  }
  const inBlocks = (name: string): string => `${name}:blocks`;
  const made: OnnxNode[] = [
    {
      name: stem,
      op: 'Conv',
      domain: '',
      inputs: [
        node.inputs[0]!,
        constant(`${node.inputs[1]}:1x1`, [places * out, channels, 1, 1], weights),
        constant(`${stem}:bias`, [places * out], repeated),
      ],
      outputs: [value(`${stem}:flat`, [rows, places * out, height, width])],
      attributes: { kernel_shape: { kind: 'ints', value: [1, 1] } },
    },
    {
      name: `${stem}:view`,
      op: 'Reshape',
      domain: '',
      inputs: [`${stem}:flat`, shape([-1, out, height, width])],
      outputs: [value(inBlocks(node.outputs[0]!), [many, out, height, width])],
      attributes: {},
    },
    ...chain.map((one) => {
      const depth = Number(links.dimsOf(one.outputs[0]!)?.[1] ?? out);
      return {
        ...one,
        inputs: [inBlocks(one.inputs[0]!), ...one.inputs.slice(1)],
        outputs: [value(inBlocks(one.outputs[0]!), [many, depth, height, width])],
      };
    }),
  ];
  const depth = chain.reduce(
    (size, one) => (one.op === 'Conv' ? links.constants.get(one.inputs[1]!)!.dims[0]! : size),
    out,
  );
  const spread = value(`${stem}:spread`, [rows, side, side, depth, height, width]);
  const ordered = value(`${stem}:ordered`, [rows, depth, height, side, width, side]);
  made.push(
    {
      name: `${stem}:split`,
      op: 'Reshape',
      domain: '',
      inputs: [inBlocks(last), shape([-1, side, side, depth, height, width])],
      outputs: [spread],
      attributes: {},
    },
    {
      name: `${stem}:order`,
      op: 'Transpose',
      domain: '',
      inputs: [spread],
      outputs: [ordered],
      attributes: { perm: { kind: 'ints', value: [0, 3, 4, 1, 5, 2] } },
    },
    {
      name: `${stem}:join`,
      op: 'Reshape',
      domain: '',
      inputs: [ordered, shape([-1, depth, height * side, width * side])],
      outputs: [last],
      attributes: {},
    },
  );
  const gone = new Set([node, ...chain]);
  const nodes = model.graph.nodes.flatMap((one) => (one === node ? made : gone.has(one) ? [] : [one]));
  const produced = new Set(nodes.flatMap(({ outputs }) => outputs));
  const read = new Set(nodes.flatMap(({ inputs }) => inputs));
  return {
    ...model,
    graph: {
      ...model.graph,
      nodes,
      initializers: [...model.graph.initializers, ...dedupe(added)].filter(({ name }) => read.has(name)),
      values: [...model.graph.values.filter(({ name }) => produced.has(name)), ...values],
    },
  };
}

function onlyReader(value: string, links: GraphLinks): OnnxNode | undefined {
  const readers = links.readersOf(value);
  return readers.length === 1 && !links.outputs.has(value) ? readers[0] : undefined;
}

function isPointwise(node: OnnxNode, links: GraphLinks): boolean {
  if (node.domain) return false;
  if (node.op === 'Relu') return true;
  const dims = links.constants.get(node.inputs[1] ?? '')?.dims;
  return (
    node.op === 'Conv' &&
    dims?.length === 4 &&
    dims[2] === 1 &&
    dims[3] === 1 &&
    intOf(node, 'group', 1) === 1 &&
    !intsOf(node, 'strides')?.some((stride) => stride !== 1) &&
    !intsOf(node, 'pads')?.some(Boolean)
  );
}

function dedupe(tensors: readonly OnnxTensor[]): OnnxTensor[] {
  return [...new Map(tensors.map((tensor) => [tensor.name, tensor])).values()];
}
