import { elementCount, showDims } from './dims.js';
import {
  type Dim,
  ELEMENT_TYPES,
  type ElementType,
  type OnnxAttribute,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
  type OnnxValue,
} from './model.js';

/** Newest standard operators in use; ONNX Runtime 1.30 runs all of them with its fastest kernels at this version. */
const OPSET = 17;
const IR_VERSION = 8;

/** A tensor inside a graph under construction. Made only by a builder; shape and type are always known. */
export interface Value {
  readonly name: string;
  readonly type: ElementType;
  readonly dims: readonly Dim[];
}

/** Where weights come from: `models/weights`. */
export interface WeightSource {
  /**
   * The tensor of this name, row-major float32; the caller does not change it.
   *
   * @param init  how a source that makes its weights up fills it
   * @throws InputError when it is missing or has another shape
   */
  take(name: string, dims: readonly number[], init: Initial): Float32Array;
}

/** How a weight starts before training; `he` is uniform with variance 2 / fan-in, times `gain`². */
export type Initial =
  | { readonly kind: 'he'; readonly gain?: number }
  | { readonly kind: 'uniform'; readonly from: number; readonly to: number };

export type Attributes = Readonly<Record<string, number | string | readonly number[] | { readonly float: number }>>;

/**
 * A graph under construction. The operators of `ops/` add nodes to it; each checks its inputs and knows the shape of its
 * result, so a graph that builds is a graph that loads. Names follow from the order of building: the same program gives the
 * same graph.
 */
export class GraphBuilder {
  readonly #weights: WeightSource;
  readonly #nodes: OnnxNode[] = [];
  readonly #initializers = new Map<string, OnnxTensor>();
  readonly #inputs: OnnxValue[] = [];
  readonly #values: OnnxValue[] = [];
  readonly #counts = new Map<string, number>();
  #stage = '';

  constructor(weights: WeightSource) {
    this.#weights = weights;
  }

  /** Nodes made inside `build` bear this stage's name in front; `model inspect` counts by it. Stages do not nest. */
  stage<T>(name: string, build: () => T): T {
    const before = this.#stage;
    this.#stage = name;
    try {
      return build();
    } finally {
      this.#stage = before;
    }
  }

  input(name: string, type: ElementType, dims: readonly Dim[]): Value {
    const value = { name, type, dims };
    this.#inputs.push(value);
    return value;
  }

  /** The raw numbers of a weight, for whoever folds or rearranges them before they enter the graph. */
  take(name: string, dims: readonly number[], init: Initial): Float32Array {
    return this.#weights.take(name, dims, init);
  }

  /** A weight as it is in the source. */
  weight(name: string, dims: readonly number[], init: Initial): Value {
    return this.constant(name, dims, this.take(name, dims, init));
  }

  /**
   * A constant tensor under a name of its own; the same name with the same bytes is stored once.
   *
   * @throws RangeError when the data do not fill the shape, or the name is taken by other data
   */
  constant(name: string, dims: readonly number[], data: Float32Array | BigInt64Array | Int32Array | Uint8Array): Value {
    const type = typeOf(data);
    const count = elementCount(dims);
    if (count !== data.length)
      throw new RangeError(`constant ${name}: ${data.length} values for shape ${showDims(dims)} (${count})`);
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const known = this.#initializers.get(name);
    if (
      known &&
      (known.type !== type || showDims(known.dims) !== showDims(dims) || Buffer.compare(known.data!, bytes))
    ) {
      throw new RangeError(`constant ${name} is already in the graph with other data`);
    }
    if (!known) this.#initializers.set(name, { name, type, dims, data: bytes });
    return { name, type, dims };
  }

  /** Small whole numbers (shapes, axes, limits) as an int64 vector, or as a scalar when given alone. */
  ints(values: readonly number[] | number): Value {
    const list = typeof values === 'number' ? [values] : values;
    const name = typeof values === 'number' ? `int:${values}` : `ints:${list.join(',')}`;
    return this.constant(name, typeof values === 'number' ? [] : [list.length], BigInt64Array.from(list, BigInt));
  }

  /** A float32 scalar. */
  float(value: number): Value {
    return this.constant(`float:${value}`, [], Float32Array.of(value));
  }

  /**
   * Adds a node of one result. Operators in `ops/` call it with the shape they worked out; nothing is checked here.
   *
   * @param inputs  undefined stands for an optional input left out
   */
  node(
    op: string,
    inputs: readonly (Value | undefined)[],
    attributes: Attributes,
    result: { readonly type: ElementType; readonly dims: readonly Dim[] },
    domain = '',
  ): Value {
    return this.nodes(op, inputs, attributes, [result], domain)[0]!;
  }

  /** Like {@link node}, for operators of several results. */
  nodes(
    op: string,
    inputs: readonly (Value | undefined)[],
    attributes: Attributes,
    results: readonly { readonly type: ElementType; readonly dims: readonly Dim[] }[],
    domain = '',
  ): Value[] {
    const stem = this.#stage ? `${this.#stage}/${op}` : op;
    const count = this.#counts.get(stem) ?? 0;
    this.#counts.set(stem, count + 1);
    const name = `${stem}_${count}`;
    const values = results.map(({ type, dims }, i) => ({ name: i === 0 ? name : `${name}:${i}`, type, dims }));
    this.#nodes.push({
      name,
      op,
      domain,
      inputs: inputs.map((value) => value?.name ?? ''),
      outputs: values.map((value) => value.name),
      attributes: Object.fromEntries(Object.entries(attributes).map(([key, value]) => [key, attributeOf(value)])),
    });
    this.#values.push(...values);
    return values;
  }

  /**
   * The finished model.
   *
   * @param outputs  by the names they bear outside
   */
  finish(
    name: string,
    outputs: Readonly<Record<string, Value>>,
    metadata: Readonly<Record<string, string>>,
  ): OnnxModel {
    const named = Object.entries(outputs);
    const outer = new Map(named.map(([outside, value]) => [value.name, outside]));
    // A value can be given only one outer name and must not be an input: then a copy would be needed, which no net of ours has.
    if (outer.size !== named.length) throw new RangeError('two outputs are the same value');
    const rename = (inner: string): string => outer.get(inner) ?? inner;
    const used = new Set(this.#nodes.flatMap((node) => node.inputs));
    const domains = new Set(this.#nodes.map((node) => node.domain).filter(Boolean));
    return {
      irVersion: IR_VERSION,
      producer: 'maskcast',
      opsets: { '': OPSET, ...Object.fromEntries([...domains].map((domain) => [domain, 1])) },
      graph: {
        name,
        nodes: this.#nodes.map((node) => ({
          ...node,
          inputs: node.inputs.map(rename),
          outputs: node.outputs.map(rename),
        })),
        initializers: [...this.#initializers.values()].filter((tensor) => used.has(tensor.name)),
        inputs: this.#inputs,
        outputs: named.map(([outside, value]) => ({ ...value, name: outside })),
        values: this.#values.filter((value) => !outer.has(value.name)),
      },
      metadata,
    };
  }
}

function typeOf(data: Float32Array | BigInt64Array | Int32Array | Uint8Array): ElementType {
  if (data instanceof Float32Array) return 'float32';
  if (data instanceof BigInt64Array) return 'int64';
  return data instanceof Int32Array ? 'int32' : 'uint8';
}

function attributeOf(value: Attributes[string]): OnnxAttribute {
  if (typeof value === 'number') return { kind: 'int', value };
  if (typeof value === 'string') return { kind: 'string', value };
  if ('float' in value) return { kind: 'float', value: value.float };
  return { kind: 'ints', value };
}

/**
 * For operators: an error that names the operator and the shapes of its inputs.
 *
 * @example throw misfit('Conv', [x, weight], 'x has 64 channels, the weight expects 128')
 */
export function misfit(op: string, inputs: readonly (Value | undefined)[], rule: string): RangeError {
  const shapes = inputs.map((value) => (value ? `${value.name} ${value.type} ${showDims(value.dims)}` : 'none'));
  return new RangeError(`${op}(${shapes.join(', ')}): ${rule}`);
}

/** True for the element types that arithmetic takes. */
export function isNumeric(type: ElementType): boolean {
  return type !== 'bool' && type in ELEMENT_TYPES;
}
