import type { OnnxModel, OnnxNode, OnnxTensor } from '../../../models/onnx/model.js';
import { ELEMENT_TYPES } from '../../../models/onnx/model.js';
import { floatsOf } from '../../../models/weights/float-formats.js';

/**
 * A file with float16 layers as a device computes it that has float16: every map is rounded as soon as it is made. On the processor
 * ONNX Runtime itself would compute such layers in float32 one after the other, and only the weights would be rounded.
 */
export function roundedEverywhere(model: OnnxModel): OnnxModel {
  const { graph } = model;
  const { float32, float16 } = ELEMENT_TYPES;
  const cast = (from: string, to: string, code: number): OnnxNode => ({
    name: `round/${to}`,
    op: 'Cast',
    domain: '',
    inputs: [from],
    outputs: [to],
    attributes: { to: { kind: 'int', value: code } },
  });
  const round = (name: string): OnnxNode[] => [
    cast(`${name}:raw`, `${name}:rounded`, float16.code),
    cast(`${name}:rounded`, name, float32.code),
  ];
  const halves = new Set(graph.values.filter(({ type }) => type === 'float16').map(({ name }) => name));
  const nodes = graph.nodes.flatMap((node): OnnxNode[] => {
    const made = node.outputs.filter((name) => halves.has(name));
    if (made.length === 0) return [node];
    const outputs = node.outputs.map((name) => (halves.has(name) ? `${name}:raw` : name));
    // What made a map float16 hands it on as it is, to be rounded behind it.
    const attributes = node.op === 'Cast' ? { to: { kind: 'int', value: float32.code } as const } : node.attributes;
    return [{ ...node, outputs, attributes }, ...made.flatMap(round)];
  });
  const wide = (tensor: OnnxTensor): OnnxTensor => {
    if (tensor.type !== 'float16') return tensor;
    const numbers = floatsOf('float16', tensor.data!)!;
    return { ...tensor, type: 'float32', data: new Uint8Array(numbers.buffer) };
  };
  const values = graph.values.map((value) => (halves.has(value.name) ? { ...value, type: 'float32' as const } : value));
  return { ...model, graph: { ...graph, nodes, initializers: graph.initializers.map(wide), values } };
}
