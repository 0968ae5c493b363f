import type { Dim, OnnxModel, OnnxNode, OnnxTensor } from '../onnx/model.js';

/** Who makes and who reads each value of a graph. */
export interface GraphLinks {
  readonly constants: ReadonlyMap<string, OnnxTensor>;
  /** Values that nodes make of constants alone: the runtime works them out once, when it loads the file. */
  readonly folded: ReadonlySet<string>;
  readonly makerOf: ReadonlyMap<string, OnnxNode>;
  readonly readersOf: (value: string) => readonly OnnxNode[];
  readonly outputs: ReadonlySet<string>;
  /** Undefined where the file states none. */
  readonly dimsOf: (value: string) => readonly Dim[] | undefined;
}

export function linksOf({ graph }: OnnxModel): GraphLinks {
  const readers = new Map<string, OnnxNode[]>();
  const makerOf = new Map<string, OnnxNode>();
  const constants = new Map(graph.initializers.map((tensor) => [tensor.name, tensor]));
  const folded = new Set<string>();
  for (const node of graph.nodes) {
    const isFolded = node.inputs.length > 0 && node.inputs.every((name) => constants.has(name) || folded.has(name));
    for (const name of node.outputs) {
      makerOf.set(name, node);
      if (isFolded) folded.add(name);
    }
    for (const name of new Set(node.inputs)) {
      const list = readers.get(name);
      if (list) list.push(node);
      else readers.set(name, [node]);
    }
  }
  const dims = new Map(
    [...graph.inputs, ...graph.outputs, ...graph.values].map((value) => [value.name, value.dims] as const),
  );
  return {
    constants,
    folded,
    makerOf,
    readersOf: (value) => readers.get(value) ?? [],
    outputs: new Set(graph.outputs.map(({ name }) => name)),
    dimsOf: (value) => dims.get(value),
  };
}

/** A constant's numbers when it is float32; undefined for anything else. */
export function floatsIn(tensor: OnnxTensor | undefined): Float32Array | undefined {
  if (tensor?.type !== 'float32' || !tensor.data) return undefined;
  // A copy, for the bytes in the file may lie at any address.
  return new Float32Array(tensor.data.slice().buffer);
}

/** A whole-number attribute. */
export function intOf(node: OnnxNode, name: string, otherwise: number): number {
  const attribute = node.attributes[name];
  return attribute?.kind === 'int' ? attribute.value : otherwise;
}

export function floatOf(node: OnnxNode, name: string, otherwise: number): number {
  const attribute = node.attributes[name];
  return attribute?.kind === 'float' ? attribute.value : otherwise;
}

export function textOf(node: OnnxNode, name: string, otherwise: string): string {
  const attribute = node.attributes[name];
  return attribute?.kind === 'string' ? attribute.value : otherwise;
}

/** Whole numbers of a list attribute. */
export function intsOf(node: OnnxNode, name: string): readonly number[] | undefined {
  const attribute = node.attributes[name];
  return attribute?.kind === 'ints' ? attribute.value : undefined;
}
