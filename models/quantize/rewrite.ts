import type { OnnxModel, OnnxNode, OnnxTensor, OnnxValue } from '../onnx/model.js';
import type { ActivationScale } from './activation-scale.js';
import { floatsIn, type GraphLinks, intOf, intsOf, linksOf } from './graph-links.js';
import { roundedAtLoad } from './load-time-weights.js';
import type { Int8Kind, Int8Plan } from './plan.js';
import type { ProductLayer } from './product.js';
import { lineOf } from './scales.js';
import { type Int8Weights, meanShift, type WeightRounding } from './weight-scale.js';

/** ONNX Runtime's own operators. */
const MICROSOFT = 'com.microsoft';

export interface RewriteOptions {
  readonly plan: Int8Plan;
  readonly scales: ReadonlyMap<string, ActivationScale>;
  /** Of each matrix of a batch that products read, by value. */
  readonly batchScales: ReadonlyMap<string, Float32Array>;
  readonly rounding: WeightRounding;
  /** Mean of each channel of what a convolution reads, by value; left out: biases are not corrected. */
  readonly means?: ReadonlyMap<string, Float32Array>;
}

/** Name of a value as bytes. */
export const bytesOf = (value: string): string => `${value}:u8`;

/**
 * The same graph with the planned nodes in int8: QLinearConv and its like with uint8 activations, one conversion wherever bytes
 * meet float. Names of nodes and of float values stay, so stages, inputs and outputs are the same.
 */
export function rewriteInt8(model: OnnxModel, options: RewriteOptions): OnnxModel {
  const rewriter = new Rewriter(model, options);
  for (const node of model.graph.nodes) rewriter.visit(node);
  return rewriter.finish();
}

class Rewriter {
  readonly #model: OnnxModel;
  readonly #options: RewriteOptions;
  readonly #links: GraphLinks;
  readonly #nodes: OnnxNode[] = [];
  readonly #added = new Map<string, OnnxTensor>();
  /** Batches of matrices as bytes. */
  readonly #matrixValues: OnnxValue[] = [];
  /** Values that exist as bytes so far. */
  readonly #asBytes = new Set<string>();
  /** Values that exist as float so far. */
  readonly #asFloat: Set<string>;
  readonly #absorbed: ReadonlySet<OnnxNode>;

  constructor(model: OnnxModel, options: RewriteOptions) {
    this.#model = model;
    this.#options = options;
    this.#links = linksOf(model);
    this.#absorbed = new Set(options.plan.absorbed.values());
    this.#asFloat = new Set([...model.graph.inputs, ...model.graph.initializers].map(({ name }) => name));
  }

  visit(node: OnnxNode): void {
    if (this.#absorbed.has(node)) return;
    const kind = this.#options.plan.kinds.get(node);
    if (!kind) {
      for (const name of node.inputs) if (name) this.#float(name, node);
      this.#nodes.push(node);
      for (const name of node.outputs) this.#asFloat.add(name);
      return;
    }
    const result = this.#options.plan.absorbed.get(node)?.outputs[0] ?? node.outputs[0]!;
    if (kind === 'product') {
      this.#product(node, result);
      this.#asFloat.add(result);
      return;
    }
    this.#nodes.push(this.#int8(node, kind, result));
    for (const name of kind === 'move' ? node.outputs : [result]) this.#asBytes.add(name);
  }

  finish(): OnnxModel {
    const { graph } = this.#model;
    for (const { name } of graph.outputs) this.#float(name, this.#links.makerOf.get(name));
    const used = new Set(this.#nodes.flatMap(({ inputs }) => inputs));
    const values = [...this.#matrixValues];
    const outer = new Map(graph.outputs.map((value) => [value.name, value]));
    for (const value of [...graph.values, ...graph.outputs]) {
      if (this.#asFloat.has(value.name) && !outer.has(value.name)) values.push(value);
      if (this.#asBytes.has(value.name) || used.has(bytesOf(value.name)))
        values.push({ name: bytesOf(value.name), type: 'uint8', dims: value.dims });
    }
    return {
      ...this.#model,
      opsets: { ...this.#model.opsets, [MICROSOFT]: 1 },
      graph: {
        ...graph,
        nodes: this.#nodes,
        initializers: [...graph.initializers, ...this.#added.values()].filter(({ name }) => used.has(name)),
        values,
      },
    };
  }

  /** Makes sure that a value exists as float. */
  #float(name: string, near: OnnxNode | undefined): void {
    if (this.#asFloat.has(name) || !this.#asBytes.has(name)) return;
    this.#asFloat.add(name);
    this.#nodes.push({
      name: `${stageOf(near)}DequantizeLinear:${name}`,
      op: 'DequantizeLinear',
      domain: '',
      inputs: [bytesOf(name), ...this.#scale(name)],
      outputs: [name],
      attributes: {},
    });
  }

  /** Makes sure that a value exists as bytes. */
  #bytes(name: string, near: OnnxNode): string {
    if (!this.#asBytes.has(name)) {
      this.#asBytes.add(name);
      this.#nodes.push({
        name: `${stageOf(near)}QuantizeLinear:${name}`,
        op: 'QuantizeLinear',
        domain: '',
        inputs: [name, ...this.#scale(name)],
        outputs: [bytesOf(name)],
        attributes: {},
      });
    }
    return bytesOf(name);
  }

  /** Names of a value's scale and zero as constants. */
  #scale(name: string): [scale: string, zero: string] {
    return this.#scaleConstants(this.#scaleOf(name));
  }

  #scaleOf(name: string): ActivationScale {
    const scale = this.#options.scales.get(name);
    if (!scale) throw new RangeError(`value ${name} has no scale`);
    return scale;
  }

  #scaleConstants({ scale, zero }: ActivationScale): [scale: string, zero: string] {
    return [
      this.#constant(`scale:${scale}`, 'float32', [], Float32Array.of(scale)),
      this.#constant(`zero:${zero}`, 'uint8', [], Uint8Array.of(zero)),
    ];
  }

  #constant(
    name: string,
    type: 'float32' | 'uint8' | 'int8' | 'int32',
    dims: readonly number[],
    data: Float32Array | Uint8Array | Int8Array | Int32Array,
  ): string {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    // Two nodes may share float weights that round differently, for their biases ask for other scales.
    let free = name;
    for (let copy = 2; ; copy++) {
      const known = this.#added.get(free)?.data;
      if (!known) break;
      if (Buffer.compare(known, bytes) === 0) return free;
      free = `${name}:${copy}`;
    }
    this.#added.set(free, { name: free, type, dims, data: bytes });
    return free;
  }

  #int8(node: OnnxNode, kind: Exclude<Int8Kind, 'product'>, result: string): OnnxNode {
    const [input] = node.inputs;
    const made = { ...node, outputs: [bytesOf(result)] };
    switch (kind) {
      case 'conv':
        return this.#conv(node, result);
      case 'move':
        return {
          ...node,
          inputs: [this.#bytes(input!, node), ...node.inputs.slice(1)],
          outputs: node.outputs.map(bytesOf),
        };
      case 'binary':
        return {
          ...made,
          op: `QLinear${node.op}`,
          domain: MICROSOFT,
          inputs: [...node.inputs.flatMap((name) => this.#triple(name, node)), ...this.#scale(result)],
        };
      case 'concat':
        return {
          ...made,
          op: 'QLinearConcat',
          domain: MICROSOFT,
          inputs: [...this.#scale(result), ...node.inputs.flatMap((name) => this.#triple(name, node))],
        };
      case 'table':
        return {
          ...made,
          op: `QLinear${node.op}`,
          domain: MICROSOFT,
          inputs: [...this.#triple(input!, node), ...this.#scale(result)],
        };
      case 'mean':
        return this.#mean(node, result);
      case 'line':
        return this.#line(node, result);
    }
  }

  /**
   * A mean of windows is a depthwise convolution whose weights are all 1 in the scale of one share: the same sums, rounded once. The
   * runtime has that one with channels last, like its other int8 layers; its QLinearAveragePool makes it move every byte before the sums.
   */
  #mean(node: OnnxNode, result: string): OnnxNode {
    const window = intsOf(node, 'kernel_shape') ?? [];
    const channels = this.#links.dimsOf(node.inputs[0]!)?.[1];
    const plain = !intsOf(node, 'pads')?.some(Boolean) && !intOf(node, 'ceil_mode', 0) && !intsOf(node, 'dilations');
    if (node.op !== 'AveragePool' || typeof channels !== 'number' || !plain || node.attributes.auto_pad) {
      return {
        ...node,
        op: `QLinear${node.op}`,
        domain: MICROSOFT,
        inputs: [...this.#triple(node.inputs[0]!, node), ...this.#scale(result)],
        outputs: [bytesOf(result)],
      };
    }
    const taps = window.reduce((all, side) => all * side, 1);
    const { strides, kernel_shape } = node.attributes;
    return {
      ...node,
      op: 'QLinearConv',
      inputs: [
        ...this.#triple(node.inputs[0]!, node),
        this.#constant(
          `ones:${channels}x${window}`,
          'int8',
          [channels, 1, ...window],
          new Int8Array(channels * taps).fill(1),
        ),
        this.#constant(`share:${taps}`, 'float32', [], Float32Array.of(1 / taps)),
        this.#constant('zero:s8', 'int8', [], new Int8Array(1)),
        ...this.#scale(result),
      ],
      outputs: [bytesOf(result)],
      attributes: {
        ...(strides && { strides }),
        ...(kernel_shape && { kernel_shape }),
        group: { kind: 'int', value: channels },
      },
    };
  }

  #triple(name: string, near: OnnxNode): [bytes: string, scale: string, zero: string] {
    return [this.#bytes(name, near), ...this.#scale(name)];
  }

  /**
   * a·x + b in the result's scale s is x in the scale s / a with its zero at b / s: adding nothing does that in one pass, and
   * bytes saturate where the line is clamped.
   */
  #line(node: OnnxNode, result: string): OnnxNode {
    const { slope, offset } = lineOf(node, this.#links);
    const { scale } = this.#scaleOf(result);
    const target = { scale: Math.fround(scale / slope), zero: Math.round(offset / scale) };
    const nothing = this.#constant('nothing:u8', 'uint8', [1], Uint8Array.of(0));
    return {
      name: node.name,
      op: 'QLinearAdd',
      domain: MICROSOFT,
      inputs: [
        ...this.#triple(node.inputs[0]!, node),
        nothing,
        ...this.#scaleConstants({ scale: 1, zero: 0 }),
        ...this.#scaleConstants(target),
      ],
      outputs: [bytesOf(result)],
      attributes: {},
    };
  }

  /**
   * Bytes in, float out. Each column of each matrix has its scale; those of a batch's inputs, whose zero is 128, go into it.
   */
  #product(node: OnnxNode, result: string): void {
    const layer = this.#options.plan.products.get(node)!; // Its kind says so.
    const isBatch = layer.batch !== undefined;
    this.#float(layer.weights, node);
    const { rounded, scales } = roundedAtLoad(layer, {
      step: (op, inputs, attributes) => this.#step(node, op, inputs, attributes),
      number: (name, type, value) =>
        this.#constant(name, type, [], type === 'int8' ? Int8Array.of(value) : Float32Array.of(value)),
    });
    const [one] = this.#scaleConstants({ scale: 1, zero: 0 });
    const bias = this.#options.plan.absorbed.get(node)?.inputs.find((name) => this.#links.constants.has(name));
    const [bytes, scale, zero] = isBatch ? this.#matrices(layer, node) : this.#triple(layer.input, node);
    this.#nodes.push({
      name: node.name,
      op: 'MatMulIntegerToFloat',
      domain: MICROSOFT,
      inputs: [
        bytes,
        rounded,
        isBatch ? one : scale,
        isBatch ? this.#step(node, 'Mul', [scales, scale]) : scales,
        zero,
        ...(bias ? ['', bias] : []),
      ],
      outputs: [result],
      attributes: {},
    });
  }

  /** A batch of matrices as bytes `[batch, rows, inner]`, with their scales `[batch, 1, 1]`. */
  #matrices(
    { input, batch = 1, inner, batchInside }: ProductLayer,
    near: OnnxNode,
  ): [bytes: string, scale: string, zero: string] {
    const scales = this.#options.batchScales.get(input);
    if (!scales) throw new RangeError(`value ${input} has no scales`);
    this.#float(input, near);
    const each = this.#constant(`${input}:scales`, 'float32', [batch], scales);
    const zeros = this.#constant(`zeros:128,${batch}`, 'uint8', [batch], new Uint8Array(batch).fill(128));
    const bytes = this.#step(near, 'QuantizeLinear', [input, each, zeros], {
      axis: { kind: 'int', value: batchInside ? 1 : 0 },
    });
    const order = { perm: { kind: 'ints', value: [1, 0, 2] } } as const;
    const outer = batchInside ? this.#step(near, 'Transpose', [bytes], order) : bytes;
    const rows = this.#links.dimsOf(near.outputs[0]!)?.[1];
    if (rows !== undefined) this.#matrixValues.push({ name: outer, type: 'uint8', dims: [batch, rows, inner] });
    return [
      outer,
      this.#constant(`${input}:columns`, 'float32', [batch, 1, 1], scales),
      this.#constant('zero:128', 'uint8', [], Uint8Array.of(128)),
    ];
  }

  /** A node on the way to another, named after it. */
  #step(near: OnnxNode, op: string, inputs: readonly string[], attributes: OnnxNode['attributes'] = {}): string {
    const name = `${near.name}/${op}:${this.#nodes.length}`;
    this.#nodes.push({ name, op, domain: '', inputs, outputs: [name], attributes });
    return name;
  }

  #conv(node: OnnxNode, result: string): OnnxNode {
    const [input, weightName, biasName] = node.inputs;
    const { rounding, means } = this.#options;
    const weight = this.#links.constants.get(weightName!)!;
    const weights = floatsIn(weight)!; // The plan takes no other convolution.
    const [out = 0] = weight.dims;
    const bias = floatsIn(this.#links.constants.get(biasName ?? '')) ?? new Float32Array(out);
    const { scale: inputScale } = this.#scaleOf(input!);
    const rounded = rounding.of(weightName!, weights, weight.dims, (channel) => leastScale(bias[channel]!, inputScale));
    const mean = means?.get(input!);
    const shift = mean && meanShift(weights, weight.dims, intOf(node, 'group', 1), rounded, mean);
    return {
      name: node.name,
      op: 'QLinearConv',
      domain: '',
      inputs: [
        ...this.#triple(input!, node),
        this.#constant(`${weightName}:s8`, 'int8', weight.dims, rounded.weights),
        this.#constant(`${weightName}:scales`, 'float32', [out], rounded.scales),
        this.#constant(`zeros:${out}`, 'int8', [out], new Int8Array(out)),
        ...this.#scale(result),
        this.#constant(`${node.name}:s32`, 'int32', [out], biasInt32(bias, shift, inputScale, rounded)),
      ],
      outputs: [bytesOf(result)],
      attributes: node.attributes,
    };
  }
}

/** Biases are whole multiples of input scale · weight scale and must stay well inside 32 bits. */
const MOST_BIAS = 2 ** 29;

function leastScale(bias: number, inputScale: number): number {
  return Math.abs(bias) / (inputScale * MOST_BIAS);
}

function biasInt32(
  bias: Float32Array,
  shift: Float32Array | undefined,
  inputScale: number,
  { scales }: Int8Weights,
): Int32Array {
  return Int32Array.from(bias, (value, o) => {
    const whole = Math.round((value - (shift?.[o] ?? 0)) / (inputScale * scales[o]!));
    return Math.max(-(2 ** 31), Math.min(2 ** 31 - 1, whole));
  });
}

/** `body/Conv_3` → `body/` */
function stageOf(node: OnnxNode | undefined): string {
  const slash = node?.name.indexOf('/') ?? -1;
  return slash > 0 ? node!.name.slice(0, slash + 1) : '';
}
