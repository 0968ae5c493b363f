import type { Dim, OnnxModel, OnnxNode, OnnxTensor, OnnxValue } from '../onnx/model.js';
import { floatsIn, type GraphLinks, intOf, intsOf, linksOf } from './graph-links.js';

/**
 * Rewrites transposed convolutions whose window equals their stride as 1×1 convolutions, which ONNX Runtime has in int8
 * (kernels.md §5). Every input cell makes a block of its own, so the k² places of a block are cells side by side until the end:
 *
 *   x [n, c, h, w] ─ 1×1 → [n, k·k·o, h, w] ─ view [n, o, h, w·k·k] ─ (ReLU, 1×1 …) ─ rows of blocks put in place [n, o', k·h, k·w]
 *
 * ReLU and plain 1×1 convolutions that alone read the result are computed before the blocks are put in place, on the same numbers.
 *
 * Views and the move are written with channels last, the layout in which the runtime has its int8 layers: it strikes out the transposes
 * on both sides of each layer, and what moves in the end are runs of k·o' bytes. With channels first the same move takes byte by byte.
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
  const made: OnnxNode[] = [];
  const emit = (
    name: string,
    from: string,
    dims: readonly Dim[],
    op: Pick<OnnxNode, 'op' | 'attributes'> & { more?: string[] },
  ): string => {
    const { more = [], ...what } = op;
    made.push({
      name: `${stem}:${name}`,
      domain: '',
      inputs: [from, ...more],
      outputs: [value(`${stem}:${name}`, dims)],
      ...what,
    });
    return `${stem}:${name}`;
  };
  const order = (...perm: number[]): Pick<OnnxNode, 'op' | 'attributes'> => ({
    op: 'Transpose',
    attributes: { perm: { kind: 'ints', value: perm } },
  });
  const view = (...dims: number[]): Pick<OnnxNode, 'op' | 'attributes'> & { more: string[] } => ({
    op: 'Reshape',
    attributes: {},
    more: [shape([-1, ...dims])],
  });

  // The chain that is computed on blocks.
  const chain: OnnxNode[] = [];
  let last = node.outputs[0]!;
  for (let next = onlyReader(last, links); next && isPointwise(next, links); next = onlyReader(last, links)) {
    chain.push(next);
    last = next.outputs[0]!;
  }
  const flat = value(`${stem}:flat`, [rows, places * out, height, width]);
  made.push({
    name: stem,
    op: 'Conv',
    domain: '',
    inputs: [
      node.inputs[0]!,
      constant(`${node.inputs[1]}:1x1`, [places * out, channels, 1, 1], weights),
      constant(`${stem}:bias`, [places * out], repeated),
    ],
    outputs: [flat],
    attributes: { kernel_shape: { kind: 'ints', value: [1, 1] } },
  });
  let blocks = emit('channels-last', flat, [rows, height, width, places * out], order(0, 2, 3, 1));
  let depth = out;
  if (chain.length > 0) {
    const beside = width * places;
    blocks = emit('beside', blocks, [rows, height, beside, out], view(height, beside, out));
    blocks = emit('first', blocks, [rows, out, height, beside], order(0, 3, 1, 2));
    for (const one of chain) {
      if (one.op === 'Conv') depth = links.constants.get(one.inputs[1]!)!.dims[0]!;
      const done = value(`${one.outputs[0]}:blocks`, [rows, depth, height, beside]);
      made.push({ ...one, inputs: [blocks, ...one.inputs.slice(1)], outputs: [done] });
      blocks = done;
    }
    blocks = emit('done', blocks, [rows, height, beside, depth], order(0, 2, 3, 1));
  }
  // [h, w, dy, (dx, o')] → [h, dy, w, (dx, o')]
  blocks = emit('split', blocks, [rows, height, width, side, side * depth], view(height, width, side, side * depth));
  blocks = emit('move', blocks, [rows, height, side, width, side * depth], order(0, 1, 3, 2, 4));
  blocks = emit('join', blocks, [rows, side * height, side * width, depth], view(side * height, side * width, depth));
  made.push({ name: `${stem}:end`, domain: '', inputs: [blocks], outputs: [last], ...order(0, 3, 1, 2) });
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
