import type { OnnxModel, OnnxNode } from '../onnx/model.js';
import { type ActivationScale, bestRange, type Limits, scaleOf } from './activation-scale.js';
import { floatOf, floatsIn, type GraphLinks, linksOf } from './graph-links.js';
import type { MatrixBatch } from './observe.js';
import type { Int8Plan } from './plan.js';
import type { RangeHistogram } from './range-histogram.js';

/** The straight line a·x + b, clamped to `low`…`high`, that an activation computes. */
export interface ClampedLine {
  readonly slope: number;
  readonly offset: number;
  readonly low: number;
  readonly high: number;
}

/** What a node of kind `line` computes. */
export function lineOf(node: OnnxNode, { constants }: GraphLinks): ClampedLine {
  if (node.op === 'HardSigmoid') {
    return { slope: floatOf(node, 'alpha', 0.2), offset: floatOf(node, 'beta', 0.5), low: 0, high: 1 };
  }
  const high = node.op === 'Clip' ? floatsIn(constants.get(node.inputs[2] ?? ''))?.[0] : undefined;
  return { slope: 1, offset: 0, low: 0, high: high ?? Infinity };
}

/** Values whose numbers the calibration has to see: all that int8 nodes read or make, but for those that share a scale. */
export function valuesToSee(model: OnnxModel, plan: Int8Plan): ReadonlySet<string> {
  const { constants } = linksOf(model);
  const values = new Set<string>();
  for (const [node, kind] of plan.kinds) {
    const [first] = node.inputs;
    if (kind === 'product') {
      if (plan.products.get(node)!.batch === undefined) values.add(first!);
      continue;
    }
    const read = kind === 'binary' || kind === 'concat' ? node.inputs : [first!];
    for (const name of read) if (!constants.has(name)) values.add(name);
    if (kind !== 'move') values.add(plan.absorbed.get(node)?.outputs[0] ?? node.outputs[0]!);
  }
  for (const [node, activation] of plan.absorbed) if (activation) values.delete(node.outputs[0]!);
  return values;
}

/** What products of a batch of matrices read: each matrix has a scale of its own. */
export function batchesToSee({ kinds, products }: Int8Plan): ReadonlyMap<string, MatrixBatch> {
  const batches = new Map<string, MatrixBatch>();
  for (const [node, { input, batch, batchInside }] of products)
    if (kinds.has(node) && batch !== undefined) batches.set(input, { batch, batchInside });
  return batches;
}

/** The scales of a batch's matrices, whose zero is 128 in all. */
export function batchScales(histograms: readonly RangeHistogram[]): Float32Array {
  return Float32Array.from(histograms, (histogram) => {
    const { low, high } = bestRange(histogram);
    return Math.max(-low, high) / 127 || 1;
  });
}

/**
 * The scale of every value that is bytes under a plan.
 *
 * @param histograms  by value, of {@link valuesToSee}
 */
export function scalesFor(
  model: OnnxModel,
  plan: Int8Plan,
  histograms: ReadonlyMap<string, RangeHistogram>,
): ReadonlyMap<string, ActivationScale> {
  const links = linksOf(model);
  const scales = new Map<string, ActivationScale>();
  const seen = (name: string): ActivationScale => {
    const known = scales.get(name);
    if (known) return known;
    const histogram = histograms.get(name);
    if (!histogram) throw new RangeError(`value ${name} was not seen in calibration`);
    const scale = scaleOf(bestRange(histogram, limitsOf(name, links)));
    scales.set(name, scale);
    return scale;
  };
  const absorbed = new Set(plan.absorbed.values());
  for (const [node, kind] of plan.kinds) {
    if (absorbed.has(node)) continue;
    const [input] = node.inputs;
    if (kind === 'product') {
      if (plan.products.get(node)!.batch === undefined) seen(input!);
      continue;
    }
    const read = kind === 'binary' || kind === 'concat' ? node.inputs : [input!];
    for (const name of read) seen(name);
    const result = plan.absorbed.get(node)?.outputs[0] ?? node.outputs[0]!;
    if (kind === 'move') for (const name of node.outputs) scales.set(name, scales.get(input!)!);
    else if (node.op === 'HardSigmoid') scales.set(result, lineScale(lineOf(node, links)));
    else if (node.op === 'Sigmoid') scales.set(result, { scale: Math.fround(1 / 255), zero: 0 });
    else seen(result);
  }
  return scales;
}

/**
 * The scale in which a hard sigmoid is a change of scale alone: `offset` must fall on a whole byte, or nothing would be exactly
 * one half.
 */
function lineScale({ offset }: ClampedLine): ActivationScale {
  const place = Math.min(254, Math.max(1, Math.floor(offset * 255)));
  return { scale: Math.fround(offset > 0 ? offset / place : 1 / 255), zero: 0 };
}

/** What stands before and behind a value says which of its numbers matter. */
export function limitsOf(name: string, links: GraphLinks): Limits {
  const maker = links.makerOf.get(name);
  if (maker && (maker.op === 'Relu' || maker.op === 'Clip')) {
    const { low, high } = lineOf(maker, links);
    return { low, high };
  }
  const readers = links.readersOf(name);
  const gate = readers.find(({ op }) => op === 'HardSigmoid');
  const gated = (reader: OnnxNode): boolean =>
    reader.op === 'Mul' && reader.inputs.includes(name) && reader.inputs.includes(gate!.outputs[0]!);
  // x · hardsigmoid(x) is zero below −offset / slope, whatever x is there.
  if (gate && !links.outputs.has(name) && readers.every((reader) => reader === gate || gated(reader))) {
    const { slope, offset } = lineOf(gate, links);
    return { low: -offset / slope };
  }
  return {};
}
