import type { OnnxModel, OnnxNode } from '../onnx/model.js';
import { floatsIn, type GraphLinks, linksOf, textOf } from './graph-links.js';
import { type ProductLayer, productLayer } from './product.js';

/** How a node runs in int8. */
export type Int8Kind =
  /** QLinearConv. */
  | 'conv'
  /** MatMulIntegerToFloat: bytes in, float out. */
  | 'product'
  /** Bytes are moved or compared, never computed with: the result has its input's scale. */
  | 'move'
  /** QLinearAdd, QLinearMul. */
  | 'binary'
  /** Clamped straight lines a·x + b (ReLU, hard sigmoid, clip from 0): a change of scale that saturates at both ends. */
  | 'line'
  /** By table: QLinearSigmoid, QLinearLeakyRelu. */
  | 'table'
  | 'concat'
  /** QLinearAveragePool, QLinearGlobalAveragePool. */
  | 'mean';

/** Which nodes run in int8, and what joins them. */
export interface Int8Plan {
  readonly kinds: ReadonlyMap<OnnxNode, Int8Kind>;
  /** Products with constant matrices, those left in float too. */
  readonly products: ReadonlyMap<OnnxNode, ProductLayer>;
  /**
   * What vanishes into the node before it: an activation, for the result is cut at zero by its own scale; and what adds a product's
   * bias.
   */
  readonly absorbed: ReadonlyMap<OnnxNode, OnnxNode>;
  /** Layers (convolutions and products) left in float, with the reason. */
  readonly kept: ReadonlyMap<OnnxNode, KeptReason>;
}

export type KeptReason = 'asked for' | 'error' | 'feeds an error' | 'compared' | 'one cell' | 'no plain convolution';

/**
 * Decides which nodes run in int8.
 *
 * Convolutions do, unless one is kept (by the caller), computes a single cell (channel gates: no time, much harm), or its
 * result is ranked or becomes box coordinates before any further layer: 256 levels would tie scores, and these last 1×1 are
 * a percent of the work. Everything between two int8 nodes that has an int8 form follows. Large products with constant matrices, which
 * fast forms have in place of convolutions, read bytes by themselves.
 *
 * @param keep  why a layer stays float, undefined when it need not
 */
export function planInt8(model: OnnxModel, keep: (node: OnnxNode) => KeptReason | undefined): Int8Plan {
  const links = linksOf(model);
  const kinds = new Map<OnnxNode, Int8Kind>();
  const kept = new Map<OnnxNode, KeptReason>();
  const products = new Map<OnnxNode, ProductLayer>();
  const bytes = new Set<string>();
  for (const node of model.graph.nodes) {
    const product = productLayer(node, links);
    if (product) {
      products.set(node, product);
      const reason = keep(node) ?? (isCompared(node, links) ? 'compared' : undefined);
      if (reason) kept.set(node, reason);
      else kinds.set(node, 'product');
      continue;
    }
    if (node.domain) continue;
    if (node.op === 'Conv') {
      const reason = keep(node) ?? structuralReason(node, links);
      if (reason) {
        kept.set(node, reason);
        continue;
      }
      kinds.set(node, 'conv');
    } else {
      const kind = kindOf(node, links);
      if (!kind || !follows(node, kind, bytes, links)) continue;
      kinds.set(node, kind);
    }
    for (const name of node.outputs) bytes.add(name);
  }
  dropIdle(kinds, model, links);
  return { kinds, products, absorbed: absorb(kinds, products, links), kept };
}

/**
 * The convolutions whose results a convolution reads, through whatever is between.
 *
 * A layer errs most when its input holds channels of very different size in one scale: then the layers that made that
 * input have to stay float with it, or the small channels are lost before it.
 */
export function feedersOf(node: OnnxNode, model: OnnxModel): ReadonlySet<OnnxNode> {
  const links = linksOf(model);
  const feeders = new Set<OnnxNode>();
  const seen = new Set<string>();
  const next = [node.inputs[0]!];
  for (let name = next.pop(); name !== undefined; name = next.pop()) {
    if (seen.has(name)) continue;
    seen.add(name);
    const maker = links.makerOf.get(name);
    if (maker?.op === 'Conv') feeders.add(maker);
    else if (maker) next.push(...maker.inputs);
  }
  return feeders;
}

function structuralReason(node: OnnxNode, links: GraphLinks): KeptReason | undefined {
  const [, weight, bias] = node.inputs;
  const plain =
    floatsIn(links.constants.get(weight ?? ''))?.length &&
    links.constants.get(weight!)!.dims.length === 4 &&
    (!bias || floatsIn(links.constants.get(bias))) &&
    textOf(node, 'auto_pad', 'NOTSET') === 'NOTSET';
  if (!plain) return 'no plain convolution';
  const dims = links.dimsOf(node.outputs[0]!);
  if (dims?.[2] === 1 && dims[3] === 1) return 'one cell';
  return isCompared(node, links) ? 'compared' : undefined;
}

/** Layers with weights: what is behind them no longer ranks this layer's numbers. */
const LAYERS = new Set(['Conv', 'ConvTranspose', 'Gemm', 'MatMul', 'FusedMatMul', 'RoiAlign']);
/** Where scores are ranked, or numbers become distances. */
const COMPARES = new Set(['TopK', 'NonMaxSuppression', 'Softmax', 'Exp']);

/** True when a layer's result is ranked, or becomes coordinates, before any further layer. */
export function isCompared(node: OnnxNode, links: GraphLinks): boolean {
  const seen = new Set<OnnxNode>();
  const next = node.outputs.flatMap((name) => links.readersOf(name));
  for (let reader = next.pop(); reader; reader = next.pop()) {
    if (seen.has(reader) || LAYERS.has(reader.op)) continue;
    if (COMPARES.has(reader.op)) return true;
    seen.add(reader);
    next.push(...reader.outputs.flatMap((name) => links.readersOf(name)));
  }
  return false;
}

const KINDS: Readonly<Record<string, Int8Kind>> = {
  MaxPool: 'move',
  Reshape: 'move',
  Transpose: 'move',
  Split: 'move',
  Slice: 'move',
  Flatten: 'move',
  Squeeze: 'move',
  Unsqueeze: 'move',
  Add: 'binary',
  Mul: 'binary',
  Relu: 'line',
  HardSigmoid: 'line',
  Sigmoid: 'table',
  LeakyRelu: 'table',
  Concat: 'concat',
  AveragePool: 'mean',
  GlobalAveragePool: 'mean',
};

function kindOf(node: OnnxNode, { constants }: GraphLinks): Int8Kind | undefined {
  if (node.op === 'Resize') {
    // Bilinear resizing of bytes cuts fractions off; repeating cells is exact.
    return textOf(node, 'mode', 'nearest') === 'nearest' ? 'move' : undefined;
  }
  if (node.op === 'Clip') {
    const [, low, high] = node.inputs;
    const fromZero = floatsIn(constants.get(low ?? ''))?.[0] === 0;
    return fromZero && (!high || constants.has(high)) ? 'line' : undefined;
  }
  return Object.hasOwn(KINDS, node.op) ? KINDS[node.op] : undefined;
}

/** True when a node reads bytes and all else that it reads can be made bytes. */
function follows(node: OnnxNode, kind: Int8Kind, bytes: ReadonlySet<string>, { constants }: GraphLinks): boolean {
  if (kind !== 'binary' && kind !== 'concat') return bytes.has(node.inputs[0]!);
  return node.inputs.some((name) => bytes.has(name)) && !node.inputs.some((name) => constants.has(name));
}

/** Activations at the end of an int8 stretch are better computed on float: their result would only be turned back. */
function dropIdle(kinds: Map<OnnxNode, Int8Kind>, model: OnnxModel, links: GraphLinks): void {
  for (const node of model.graph.nodes.toReversed()) {
    const kind = kinds.get(node);
    if (kind !== 'table' && node.op !== 'HardSigmoid') continue;
    if (!links.readersOf(node.outputs[0]!).some((reader) => kinds.has(reader))) kinds.delete(node);
  }
}

const CLAMPS = new Set(['Relu', 'Clip']);

function absorb(
  kinds: ReadonlyMap<OnnxNode, Int8Kind>,
  products: ReadonlyMap<OnnxNode, ProductLayer>,
  links: GraphLinks,
): Map<OnnxNode, OnnxNode> {
  const absorbed = new Map<OnnxNode, OnnxNode>();
  for (const [node, kind] of kinds) {
    if (kind === 'product') {
      const bias = biasBehind(node, products.get(node)!, links);
      if (bias) absorbed.set(node, bias);
    }
    if (kind !== 'conv' && kind !== 'binary') continue;
    const [output] = node.outputs;
    const readers = links.readersOf(output!);
    const [reader] = readers;
    if (readers.length !== 1 || !CLAMPS.has(reader!.op) || !kinds.has(reader!) || links.outputs.has(output!)) continue;
    absorbed.set(node, reader!);
  }
  return absorbed;
}

/** The only reader of a single matrix's product, when it adds one constant a column. */
function biasBehind(node: OnnxNode, layer: ProductLayer, links: GraphLinks): OnnxNode | undefined {
  const [output] = node.outputs;
  const [reader, other] = links.readersOf(output!);
  if (!reader || other || reader.op !== 'Add' || layer.batch !== undefined || links.outputs.has(output!))
    return undefined;
  const bias = links.constants.get(reader.inputs.find((name) => name !== output)!);
  return bias?.type === 'float32' && bias.dims.length === 1 && bias.dims[0] === layer.columns ? reader : undefined;
}
