import { splitDim } from '../onnx/dims.js';
import {
  type Dim,
  ELEMENT_TYPES,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
  type OnnxValue,
} from '../onnx/model.js';

/** The size of what is computed for each instance in our graphs; 0 where nothing was found. */
const INSTANCES = 'M';
/** The same with one row more. */
const PADDED = 'instances+1';

/**
 * The same network for providers whose kernels fail on tensors without rows (WebGPU: "Invalid dispatch group size", seen
 * with ONNX Runtime 1.30): what is computed for each instance gets one row more, which is cut off at the end.
 *
 *   boxes, frames, labels [M] ─ one zero row ─ RoIAlign ─ … ─ masks [M+1] ─ first M → masks [M]
 *
 * A graph without such a part comes back as it is.
 *
 * @throws RangeError when the file states no shape of what the part reads
 */
export function neverEmpty(model: OnnxModel): OnnxModel {
  const { graph } = model;
  const shapes = new Map([...graph.values, ...graph.inputs, ...graph.outputs].map((value) => [value.name, value]));
  const perInstance = (name: string): boolean => shapes.get(name)?.dims?.[0] === INSTANCES;
  const starts = graph.nodes.filter(({ op, inputs }) => op === 'RoiAlign' && perInstance(inputs[1]!));
  if (starts.length === 0) return model;
  const part = downstream(graph.nodes, starts);
  const made = new Set([...part].flatMap((node) => node.outputs));
  const constants = new Set(graph.initializers.map(({ name }) => name));

  const padding = new Map<string, { node: OnnxNode; row: OnnxTensor }>();
  const padded = (name: string): string => {
    if (made.has(name) || constants.has(name) || !perInstance(name)) return name;
    if (!padding.has(name)) padding.set(name, onePadding(name, shapes.get(name)!));
    return padding.get(name)!.node.outputs[0]!;
  };
  const ends = graph.outputs.filter(({ name }) => made.has(name));
  const inner = (name: string): string => (ends.some((end) => end.name === name) ? `${name}+1` : name);
  const changed = graph.nodes.map((node) =>
    part.has(node)
      ? { ...node, inputs: node.inputs.map((name) => inner(padded(name))), outputs: node.outputs.map(inner) }
      : node,
  );
  // A row is added as soon as what it pads is made.
  const nodes = changed.flatMap((node) => [node, ...node.outputs.flatMap((name) => padding.get(name)?.node ?? [])]);
  const count: OnnxNode = {
    name: 'never-empty/count',
    op: 'Shape',
    domain: '',
    inputs: [starts[0]!.inputs[1]!],
    outputs: ['never-empty/count'],
    attributes: { end: { kind: 'int', value: 1 } },
  };
  const cuts = ends.map(
    ({ name }): OnnxNode => ({
      name: `never-empty/cut ${name}`,
      op: 'Slice',
      domain: '',
      inputs: [inner(name), 'never-empty/zero', 'never-empty/count', 'never-empty/zero'],
      outputs: [name],
      attributes: {},
    }),
  );
  const zero: OnnxTensor = { name: 'never-empty/zero', type: 'int64', dims: [1], data: new Uint8Array(8) };
  return {
    ...model,
    graph: {
      ...graph,
      nodes: [...nodes, count, ...cuts],
      initializers: [...graph.initializers, ...[...padding.values()].map(({ row }) => row), zero],
      // The runtime takes equal symbols for equal sizes.
      values: graph.values.map((value) =>
        made.has(value.name) ? { ...value, dims: value.dims?.map(onePlus) } : value,
      ),
    },
  };
}

function downstream(nodes: readonly OnnxNode[], starts: readonly OnnxNode[]): ReadonlySet<OnnxNode> {
  const part = new Set(starts);
  const names = new Set(starts.flatMap((node) => node.outputs));
  // Nodes stand in topological order.
  for (const node of nodes) {
    if (!node.inputs.some((name) => names.has(name))) continue;
    part.add(node);
    for (const name of node.outputs) names.add(name);
  }
  return part;
}

function onePadding(name: string, { type, dims }: OnnxValue): { node: OnnxNode; row: OnnxTensor } {
  const rest = dims?.slice(1) ?? [];
  if (!type || rest.some((dim) => typeof dim !== 'number')) throw new RangeError(`the file states no shape of ${name}`);
  const sizes = [1, ...rest.map(Number)];
  const bytes = sizes.reduce((product, size) => product * size, ELEMENT_TYPES[type].bytes);
  const output = `never-empty/${name}`;
  return {
    row: { name: `${output}/row`, type, dims: sizes, data: new Uint8Array(bytes) },
    node: {
      name: output,
      op: 'Concat',
      domain: '',
      inputs: [name, `${output}/row`],
      outputs: [output],
      attributes: { axis: { kind: 'int', value: 0 } },
    },
  };
}

function onePlus(dim: Dim): Dim {
  const { factor, symbol } = splitDim(dim);
  if (symbol !== INSTANCES) return dim;
  return factor === 1 ? PADDED : `${factor}*${PADDED}`;
}
