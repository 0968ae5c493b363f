import { splitDim } from './dims.js';
import { type Dim, ELEMENT_TYPES, type OnnxModel, type OnnxNode } from './model.js';

/** What one part of a graph costs for one frame. */
export interface StageCount {
  readonly stage: string;
  /** Multiply–adds of convolutions and matrix products. */
  readonly multiplyAdds: number;
  /** Weights and biases of convolutions and fully connected layers. */
  readonly parameters: number;
}

export interface ModelCount {
  readonly stages: readonly StageCount[];
  readonly multiplyAdds: number;
  /** Each weight once, however many nodes read it. */
  readonly parameters: number;
  /** Bytes of all constants, anchors and tables included. */
  readonly weightBytes: number;
  /** Nodes whose cost could not be told because the file states no shapes. */
  readonly uncounted: number;
}

/**
 * Multiply–adds and parameters of a graph, by the stage in front of each node's name.
 *
 * @param sizes  numbers for symbolic sizes, such as `N` frames and `M` instances; those not named count as 1
 */
export function countModel(model: OnnxModel, sizes: Readonly<Record<string, number>> = {}): ModelCount {
  const { nodes, initializers, inputs, outputs, values } = model.graph;
  const shapes = new Map<string, readonly Dim[]>();
  for (const { name, dims } of [...inputs, ...outputs, ...values]) if (dims) shapes.set(name, dims);
  for (const { name, dims } of initializers) shapes.set(name, dims);
  const constants = new Map(initializers.map((tensor) => [tensor.name, tensor]));
  const numbers = (value: string | undefined): number[] | undefined =>
    shapes.get(value ?? '')?.map((dim) => {
      const { factor, symbol } = splitDim(dim);
      // `M+1` is a list with one row more.
      const [name = '', more = '0'] = symbol.split('+');
      return symbol ? factor * ((sizes[name] ?? 1) + Number(more)) : factor;
    });

  const stages = new Map<string, { multiplyAdds: number; parameters: number }>();
  const counted = new Set<string>();
  let parameters = 0;
  let uncounted = 0;
  for (const node of nodes) {
    const cost = COSTS[node.op];
    if (!cost) continue;
    const slash = node.name.indexOf('/');
    const stage = slash > 0 ? node.name.slice(0, slash) : '';
    const entry = stages.get(stage) ?? { multiplyAdds: 0, parameters: 0 };
    stages.set(stage, entry);
    // What is made of constants alone is worked out once, when the file is loaded.
    const multiplyAdds = node.inputs.every((name) => constants.has(name)) ? 0 : cost(node, numbers);
    if (multiplyAdds === undefined) uncounted++;
    else entry.multiplyAdds += multiplyAdds;
    for (const name of node.inputs.slice(1)) {
      const tensor = constants.get(name);
      if (!tensor?.type.startsWith('float') || counted.has(name)) continue;
      counted.add(name);
      const size = tensor.dims.reduce((product, dim) => product * dim, 1);
      entry.parameters += size;
      parameters += size;
    }
  }
  return {
    stages: [...stages].map(([stage, entry]) => ({ stage, ...entry })),
    multiplyAdds: [...stages.values()].reduce((sum, stage) => sum + stage.multiplyAdds, 0),
    parameters,
    weightBytes: initializers.reduce(
      (sum, { type, dims }) => sum + dims.reduce((product, dim) => product * dim, ELEMENT_TYPES[type].bytes),
      0,
    ),
    uncounted,
  };
}

type Cost = (node: OnnxNode, shape: (name: string | undefined) => number[] | undefined) => number | undefined;

const product = (sizes: readonly number[]): number => sizes.reduce((all, size) => all * size, 1);

const COSTS: Readonly<Record<string, Cost>> = {
  // Every output element is a sum over the input channels of its group and the window.
  Conv(node, shape) {
    const weight = shape(node.inputs[1]);
    const out = shape(node.outputs[0]);
    return weight && out ? product(out) * product(weight.slice(1)) : undefined;
  },
  // Every input element meets each output channel and place of the window.
  ConvTranspose(node, shape) {
    const weight = shape(node.inputs[1]);
    const input = shape(node.inputs[0]);
    return weight && input ? product(input) * product(weight.slice(1)) : undefined;
  },
  Gemm(node, shape) {
    const weight = shape(node.inputs[1]);
    const input = shape(node.inputs[0]);
    return weight && input ? input[0]! * product(weight) : undefined;
  },
  MatMul: matMulCost,
  FusedMatMul: matMulCost,
  MatMulIntegerToFloat: matMulCost,
};

function matMulCost(node: OnnxNode, shape: (name: string | undefined) => number[] | undefined): number | undefined {
  const left = shape(node.inputs[0]);
  const out = shape(node.outputs[0]);
  const flipped = node.attributes.transA?.kind === 'int' && node.attributes.transA.value === 1;
  const inner = flipped ? left?.at(-2) : left?.at(-1);
  return out && inner !== undefined ? product(out) * inner : undefined;
}
