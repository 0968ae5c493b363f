import { elementCount, showDims } from '../onnx/dims.js';
import type { GraphBuilder, Value } from '../onnx/graph-builder.js';
import type { Dim, OnnxAttribute, OnnxModel, OnnxNode, OnnxTensor } from '../onnx/model.js';
import { conv, globalAveragePool, maxPool, type Pads, upsample } from '../onnx/ops/convolution.js';
import { add, clip, div, hardSigmoid, hardSwish, mul, relu, sigmoid } from '../onnx/ops/elementwise.js';
import { concat, reshape, slice, split, transpose } from '../onnx/ops/layout.js';
import { constantsOf } from '../weights/onnx-store.js';
import { foldHardSwish } from './hard-swish.js';
import { foldInput, type Normalisation } from './input.js';

/**
 * Builds part of another file's graph anew with our own operators: shapes are checked and known, the batch becomes free, and
 * the input may have another size. Weights come from the builder's source under `body.` + their name in that file.
 *
 * @param model    the other file's graph; opset 11 to 17, one input `[1, 3, h, w]`
 * @param input    `[N, 3, H, W]`, what `pictures` made
 * @param outputs  names of the values wanted
 * @returns the values, in that order
 * @throws RangeError naming the node that cannot be built
 */
export function replay(
  g: GraphBuilder,
  model: OnnxModel,
  input: Value,
  outputs: readonly string[],
  normalisation: Normalisation,
): readonly Value[] {
  const constants = constantsOf(model);
  const pictures = model.graph.inputs.filter(({ name }) => !constants.has(name));
  if (pictures.length !== 1)
    throw new RangeError(`the body's file has ${pictures.length} inputs; one picture is expected`);
  const values = new Map<string, Value>([[pictures[0]!.name, input]]);
  let first = true;
  for (const node of needed(foldHardSwish(model.graph.nodes, constants), outputs)) {
    const build = OPERATORS[node.op];
    if (!build || node.domain)
      throw new RangeError(`the body's file has a node ${node.name} of type ${node.op}, which cannot be rebuilt`);
    const fold = first && node.op === 'Conv' ? normalisation : undefined;
    const results = build(g, new Context(g, node, values, constants, fold));
    if (fold) first = false;
    for (const [i, result] of results.entries()) values.set(node.outputs[i]!, result);
  }
  return outputs.map((name) => values.get(name)!);
}

/** Nodes that the outputs hang on, in the file's order, without constants. */
function needed(nodes: readonly OnnxNode[], outputs: readonly string[]): OnnxNode[] {
  const wanted = new Set(outputs);
  const chosen: OnnxNode[] = [];
  // Nodes of an ONNX graph are in topological order: walking backwards meets every user before its producer.
  for (const node of nodes.toReversed()) {
    if (node.op === 'Constant' || !node.outputs.some((name) => wanted.has(name))) continue;
    for (const name of node.inputs) wanted.add(name);
    chosen.push(node);
  }
  const made = new Set(chosen.flatMap((node) => node.outputs));
  const missing = outputs.filter((name) => !made.has(name));
  if (missing.length) throw new RangeError(`the body's file has no value ${missing.join(', ')}; it is another network`);
  return chosen.reverse();
}

/** One node of the other file with what it reads. */
class Context {
  readonly #g: GraphBuilder;
  readonly #node: OnnxNode;
  readonly #values: ReadonlyMap<string, Value>;
  readonly #constants: ReadonlyMap<string, OnnxTensor>;
  readonly #fold: Normalisation | undefined;

  constructor(
    g: GraphBuilder,
    node: OnnxNode,
    values: ReadonlyMap<string, Value>,
    constants: ReadonlyMap<string, OnnxTensor>,
    fold: Normalisation | undefined,
  ) {
    this.#g = g;
    this.#node = node;
    this.#values = values;
    this.#constants = constants;
    this.#fold = fold;
  }

  /** Input i, computed or constant. */
  value(i: number): Value {
    const name = this.#node.inputs[i] ?? '';
    const value = this.#values.get(name);
    if (value) return value;
    const { type, dims, data } = this.#constant(name);
    if (type !== 'float32' || !data) throw this.refuse(`input ${name} is ${type}`);
    return this.#g.constant(`body.${name}`, dims, new Float32Array(data.slice().buffer));
  }

  /** All inputs. */
  all(): Value[] {
    return this.#node.inputs.map((_, i) => this.value(i));
  }

  /** Input i as a weight; undefined where the node has none. */
  weight(i: number): Value | undefined {
    const name = this.#node.inputs[i];
    if (!name) return undefined;
    const { dims, type } = this.#constant(name);
    if (!type.startsWith('float')) throw this.refuse(`weight ${name} is ${type}`);
    const taken = this.#g.take(`body.${name}`, dims, { kind: 'he' });
    const folded = this.#fold && i === 1 ? foldInput(taken, dims, this.#fold) : taken;
    return this.#g.constant(`body.${name}`, dims, folded);
  }

  /** Input i as constant numbers; undefined where the node has none. */
  numbers(i: number): number[] | undefined {
    const name = this.#node.inputs[i];
    if (!name) return undefined;
    const { type, data } = this.#constant(name);
    const buffer = data?.slice().buffer;
    if (buffer && type === 'int64') return Array.from(new BigInt64Array(buffer), Number);
    if (buffer && type === 'int32') return [...new Int32Array(buffer)];
    if (buffer && type === 'float32') return [...new Float32Array(buffer)];
    throw this.refuse(`input ${name} is ${type}`);
  }

  /** Input i as constant numbers, which the node must have. */
  required(i: number): number[] {
    const found = this.numbers(i);
    if (!found?.length) throw this.refuse(`input ${i} is not given`);
    return found;
  }

  attribute<K extends OnnxAttribute['kind']>(name: string, kind: K): Extract<OnnxAttribute, { kind: K }> | undefined {
    const found = this.#node.attributes[name];
    if (found && found.kind !== kind) throw this.refuse(`attribute ${name} is no ${kind}`);
    return found as Extract<OnnxAttribute, { kind: K }> | undefined; // Checked in the line above.
  }

  refuse(why: string): RangeError {
    return new RangeError(
      `the body's node ${this.#node.name || this.#node.outputs[0]} (${this.#node.op}) cannot be rebuilt: ${why}`,
    );
  }

  #constant(name: string): OnnxTensor {
    const tensor = this.#constants.get(name);
    if (!tensor) throw this.refuse(`input ${name} is not constant`);
    return tensor;
  }
}

type Rebuild = (g: GraphBuilder, node: Context) => readonly Value[];

const OPERATORS: Readonly<Record<string, Rebuild>> = {
  Add: (g, node) => [add(g, node.value(0), node.value(1))],
  Mul: (g, node) => [mul(g, node.value(0), node.value(1))],
  Div: (g, node) => [div(g, node.value(0), node.value(1))],
  Relu: (g, node) => [relu(g, node.value(0))],
  Sigmoid: (g, node) => [sigmoid(g, node.value(0))],
  HardSigmoid: (g, node) => [
    hardSigmoid(
      g,
      node.value(0),
      node.attribute('alpha', 'float')?.value ?? 0.2,
      node.attribute('beta', 'float')?.value ?? 0.5,
    ),
  ],
  HardSwish: (g, node) => [hardSwish(g, node.value(0))],
  Clip: (g, node) => [clip(g, node.value(0), node.required(1)[0]!, node.required(2)[0]!)],
  GlobalAveragePool: (g, node) => [globalAveragePool(g, node.value(0))],
  Concat: (g, node) => {
    const parts = node.all();
    const [first] = parts;
    if (!first) throw node.refuse('it joins nothing');
    return [concat(g, parts, axisOf(node.attribute('axis', 'int')?.value ?? 0, first))];
  },
  Split: (g, node) => {
    const x = node.value(0);
    const sizes = node.attribute('split', 'ints')?.value ?? node.numbers(1);
    if (!sizes) throw node.refuse('its parts are not given');
    return split(g, x, axisOf(node.attribute('axis', 'int')?.value ?? 0, x), sizes);
  },
  Transpose: (g, node) => [transpose(g, node.value(0), node.attribute('perm', 'ints')?.value ?? [])],
  Conv(g, node) {
    const weight = node.weight(1);
    const { strides, pads } = windowOf(node);
    if (!weight) throw node.refuse('it has no weight');
    if (node.attribute('dilations', 'ints')?.value.some((step) => step !== 1)) throw node.refuse('it is dilated');
    return [
      conv(g, node.value(0), weight, node.weight(2), {
        strides,
        pads,
        groups: node.attribute('group', 'int')?.value ?? 1,
      }),
    ];
  },
  MaxPool(g, node) {
    const [height, width] = node.attribute('kernel_shape', 'ints')?.value ?? [];
    if (!height || !width || node.attribute('ceil_mode', 'int')?.value) throw node.refuse('its window is not plain');
    return [maxPool(g, node.value(0), [height, width], windowOf(node))];
  },
  Resize(g, node) {
    const scales = node.numbers(2);
    const factor = scales?.[2] ?? 0;
    // Nearest with half-pixel centres and nearest with floor pick the same cells when the factor is 2.
    if (node.attribute('mode', 'string')?.value !== 'nearest' || factor !== 2 || scales?.[3] !== 2)
      throw node.refuse('it is no doubling');
    return [upsample(g, node.value(0), factor, 'nearest')];
  },
  Slice(g, node) {
    const x = node.value(0);
    const [from] = node.required(1);
    const [to] = node.required(2);
    const axis = axisOf(node.numbers(3)?.[0] ?? 0, x);
    const size = x.dims[axis];
    if (typeof size !== 'number' || node.required(1).length !== 1)
      throw node.refuse('it cuts more than one fixed axis');
    return [slice(g, x, axis, from!, Math.min(to!, size), node.numbers(4)?.[0] ?? 1)];
  },
  Reshape(g, node) {
    const x = node.value(0);
    return [reshape(g, x, targetFor(x.dims, node.required(1)))];
  },
};

function axisOf(axis: number, x: Value): number {
  return axis < 0 ? axis + x.dims.length : axis;
}

function windowOf(node: Context): { strides: [number, number]; pads: Pads } {
  const [down = 1, right = 1] = node.attribute('strides', 'ints')?.value ?? [];
  const [top = 0, left = 0, bottom = 0, end = 0] = node.attribute('pads', 'ints')?.value ?? [];
  return { strides: [down, right], pads: [top, left, bottom, end] };
}

/**
 * The shape a Reshape of the other file means for our batch and input size: its first axis is the batch, and two fixed sizes
 * at its end are height and width (a channel shuffle), which here are the input's own.
 */
function targetFor(from: readonly Dim[], target: readonly number[]): Dim[] {
  const shuffles = target.length >= 4 && target.at(-1) !== -1;
  const middle: Dim[] = shuffles ? [...target.slice(1, -2), ...from.slice(-2)] : target.slice(1);
  const open = middle.indexOf(-1);
  if (open >= 0) {
    const all = Number(elementCount(from.slice(1)));
    const rest = Number(elementCount(middle.filter((size) => size !== -1)));
    if (!Number.isInteger(all / rest))
      throw new RangeError(`Reshape: ${showDims(from)} cannot become ${showDims(target)}`);
    middle[open] = all / rest;
  }
  return [from[0]!, ...middle];
}
