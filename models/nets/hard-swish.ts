import type { OnnxNode, OnnxTensor } from '../onnx/model.js';

/**
 * Hard-swish x · min(max(x + 3, 0), 6) / 6 as exporters of opset 11 write it, four nodes, replaced by one `HardSwish` node
 * each. The nodes in between stay in the list: another reader may need them.
 *
 *   x ─┬─ Add 3 ─ Clip 0…6 ─┬─ Mul ─ Div 6
 *      └────────────────────┘
 *
 * @param nodes      in topological order
 * @param constants  by name
 */
export function foldHardSwish(
  nodes: readonly OnnxNode[],
  constants: ReadonlyMap<string, OnnxTensor>,
): readonly OnnxNode[] {
  const makers = new Map(nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
  const maker = (name: string | undefined, op: string): OnnxNode | undefined => {
    const node = makers.get(name ?? '');
    return node?.op === op && !node.domain ? node : undefined;
  };
  const is = (name: string | undefined, value: number): boolean => scalar(constants.get(name ?? '')) === value;
  const argument = (div: OnnxNode): string | undefined => {
    const mul = is(div.inputs[1], 6) ? maker(div.inputs[0], 'Mul') : undefined;
    const [x, gate] = mul?.inputs ?? [];
    const clip = maker(gate, 'Clip');
    const add = clip && is(clip.inputs[1], 0) && is(clip.inputs[2], 6) ? maker(clip.inputs[0], 'Add') : undefined;
    return add && add.inputs[0] === x && is(add.inputs[1], 3) ? x : undefined;
  };
  return nodes.map((node) => {
    const x = node.op === 'Div' && !node.domain ? argument(node) : undefined;
    return x === undefined ? node : { ...node, op: 'HardSwish', inputs: [x], attributes: {} };
  });
}

function scalar(tensor: OnnxTensor | undefined): number | undefined {
  if (tensor?.type !== 'float32' || tensor.data?.length !== 4) return undefined;
  return new Float32Array(tensor.data.slice().buffer)[0];
}
