import { GraphBuilder, type Value, type WeightSource } from '../onnx/graph-builder.js';
import type { OnnxModel, OnnxNode, OnnxTensor } from '../onnx/model.js';

/** Values of a finished graph by name, with type and shape. */
export type ValueNamed = (name: string) => Value;

/**
 * A finished graph in which some values are worked out in another way. What nobody reads any more goes; everything else stays
 * bit for bit, names included.
 *
 * @param weights  answers what `build` takes; usually the graph's own constants
 * @param build    adds the new nodes; gives the new value for each old name. A new value takes over the old one's name.
 * @throws RangeError when the file states no shape of a value that is asked for, or a constant's name is taken by other data
 */
export function replaceValues(
  model: OnnxModel,
  weights: WeightSource,
  build: (g: GraphBuilder, valueNamed: ValueNamed) => Readonly<Record<string, Value>>,
): OnnxModel {
  const { graph } = model;
  const known = new Map([...graph.values, ...graph.inputs, ...graph.outputs].map((value) => [value.name, value]));
  const g = new GraphBuilder(weights);
  const made = build(g, (name) => {
    const value = known.get(name);
    if (!value?.type || !value.dims) throw new RangeError(`the file states no shape of ${name}`);
    return { name, type: value.type, dims: value.dims };
  });
  const fresh = g.finish(graph.name, made, {});

  const kept = graph.nodes.filter((node) => !node.outputs.some((name) => Object.hasOwn(made, name)));
  const nodes = needed(
    [...kept, ...fresh.graph.nodes],
    graph.outputs.map(({ name }) => name),
  );
  const read = new Set(nodes.flatMap((node) => node.inputs));
  const written = new Set(nodes.flatMap((node) => node.outputs));
  const ends = new Set(graph.outputs.map(({ name }) => name));
  const values = [...graph.values, ...fresh.graph.values].filter(({ name }) => written.has(name) && !ends.has(name));
  return {
    ...model,
    opsets: { ...fresh.opsets, ...model.opsets },
    graph: {
      ...graph,
      nodes,
      initializers: joined(graph.initializers, fresh.graph.initializers).filter(({ name }) => read.has(name)),
      values,
    },
  };
}

/** The nodes that the outputs rest on, each after those it reads. */
function needed(nodes: readonly OnnxNode[], outputs: readonly string[]): OnnxNode[] {
  const makers = new Map(nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
  const order = new Set<OnnxNode>();
  const visit = (name: string): void => {
    const maker = makers.get(name);
    if (!maker || order.has(maker)) return;
    for (const input of maker.inputs) visit(input);
    order.add(maker);
  };
  for (const name of outputs) visit(name);
  return [...order];
}

function joined(old: readonly OnnxTensor[], fresh: readonly OnnxTensor[]): OnnxTensor[] {
  const all = new Map(old.map((tensor) => [tensor.name, tensor]));
  for (const tensor of fresh) {
    const other = all.get(tensor.name);
    if (other && (other.type !== tensor.type || Buffer.compare(other.data!, tensor.data!)))
      throw new RangeError(`constant ${tensor.name} is already in the graph with other data`);
    all.set(tensor.name, tensor);
  }
  return [...all.values()];
}
