import { InputError } from '../../config/errors.js';
import type { OnnxModel, OnnxNode } from '../onnx/model.js';
import { CARD_KEY, cardIn, digestOf } from '../weights/card.js';
import { calibrate, type Feeds } from './calibrate.js';
import { deconvAsConv } from './deconv-as-conv.js';
import { ownErrors, piledErrors } from './layer-error.js';
import { INT8_KEY, type Int8Note } from './note.js';
import { feedersOf, type Int8Plan, type KeptReason, planInt8 } from './plan.js';
import { rewriteInt8 } from './rewrite.js';
import { worstPairs } from './saturation.js';
import { batchesToSee, batchScales, scalesFor, valuesToSee } from './scales.js';
import { type WeightRange, WeightRounding } from './weight-scale.js';

export interface QuantizeOptions {
  /** The float graph. */
  readonly model: OnnxModel;
  /** Calibration pictures as the graph takes them; walked through two to three times. */
  readonly feeds: Feeds;
  readonly threads: number;
  /** Default `half`: sums are right on every processor. */
  readonly range?: WeightRange;
  /** Convolutions to leave in float: names of nodes, `*` standing for anything, such as `rpn/*`. */
  readonly keepFloat?: readonly string[];
  /** Leaves the separated convolution in float, whatever form it has. */
  readonly mixed?: boolean;
  /** A convolution whose own relative error is larger stays in float, with those that make what it reads. Default 0.05. */
  readonly mostError?: number;
  /** Measures the error that piles up in the int8 graph too: one more walk through the pictures. Default true. */
  readonly piled?: boolean;
  readonly progress?: (part: QuantizePart, done: number) => void;
}

export type QuantizePart = 'calibration' | 'error by layer' | 'error of the whole';

/** One convolution or product of the float graph. */
export interface LayerReport {
  readonly name: string;
  readonly int8: boolean;
  /** Why it is float. */
  readonly kept: KeptReason | null;
  /** Relative L2 error of its result when only it is quantised; null where it was not tried or no picture reached it. */
  readonly ownError: number | null;
  /** Relative L2 error of its result in the int8 graph; null for regions, whose places differ. */
  readonly piledError: number | null;
  /** Largest sum of neighbouring weights of one sign; at most 128 is right on every processor. */
  readonly worstPair: number | null;
}

export interface QuantizeReport {
  readonly range: WeightRange;
  readonly pictures: number;
  readonly worstPair: number;
  readonly layers: readonly LayerReport[];
}

/**
 * Error of a layer (share of its size) from which on it stays in float. ResNets stay below 0.04. The default model, on PicoDet-S,
 * loses 0.7 points of box AP with it, 1.7 with 0.1 (docs/quantisation.md).
 */
const MOST_ERROR = 0.05;

/**
 * Static post-training quantisation: uint8 activations, int8 weights per channel, ranges and bias corrections from calibration
 * pictures, sensitive layers left in float by their measured error. Inputs, outputs and model card stay; the metadata say how it
 * was made.
 *
 * @throws InputError when the graph has nothing to quantise, or no calibration picture is given
 */
export async function quantizeModel(
  options: QuantizeOptions,
): Promise<{ readonly model: OnnxModel; readonly report: QuantizeReport }> {
  const { feeds, threads, range = 'half', mostError = MOST_ERROR, piled = true, progress = () => {} } = options;
  const model = deconvAsConv(options.model);
  const asked = keeper(options);
  const first = planInt8(model, asked);
  const wanted = { values: valuesToSee(model, first), means: convInputs(first), batches: batchesToSee(first) };
  if (first.kinds.size === 0)
    throw new InputError('the model has no layer that can run in int8; is it quantised already?');
  const walk = (part: QuantizePart): { feeds: Feeds; threads: number; step: () => void } => {
    let done = 0;
    return { feeds, threads, step: () => progress(part, ++done) };
  };
  const seen = await calibrate(model, wanted, walk('calibration'));
  if (seen.runs === 0)
    throw new InputError('no calibration picture was given; at least one is needed, a hundred is good');
  const settings = {
    rounding: new WeightRounding(range),
    means: seen.means,
    batchScales: new Map([...seen.batches].map(([value, histograms]) => [value, batchScales(histograms)])),
  };
  const firstOptions = { ...settings, plan: first, scales: scalesFor(model, first, seen.histograms) };
  const errors = await ownErrors(model, firstOptions, walk('error by layer'));

  const sensitive = sensitiveIn(model, errors, mostError);
  const plan = planInt8(model, (node) => asked(node) ?? sensitive.get(node));
  const final = { ...settings, plan, scales: scalesFor(model, plan, seen.histograms) };
  const graph = rewriteInt8(model, final);
  const together = piled ? await piledErrors(model, graph, final, walk('error of the whole')) : new Map();
  const pairs = worstPairs(graph);
  const worstPair = Math.max(0, ...pairs.values());
  const layers = [...plan.kinds.entries(), ...plan.kept.entries()]
    .filter(([node]) => node.op === 'Conv' || plan.products.has(node))
    .map(([node]) => ({
      name: node.name,
      int8: plan.kinds.has(node),
      kept: plan.kept.get(node) ?? null,
      ownError: errors.get(node) ?? null,
      piledError: together.get(node) ?? null,
      worstPair: pairs.get(node.name) ?? null,
    }));
  const place = new Map(model.graph.nodes.map((node, i) => [node.name, i]));
  layers.sort((a, b) => place.get(a.name)! - place.get(b.name)!);
  const report: QuantizeReport = { range, pictures: seen.runs, worstPair, layers };
  return { model: withNote(graph, options.model, report), report };
}

function keeper({ keepFloat = [], mixed = false }: QuantizeOptions): (node: OnnxNode) => KeptReason | undefined {
  const patterns = [...keepFloat, ...(mixed ? ['separated/*'] : [])].map(
    (pattern) => new RegExp(`^${pattern.split('*').map(escaped).join('.*')}$`),
  );
  return ({ name }) => (patterns.some((pattern) => pattern.test(name)) ? 'asked for' : undefined);
}

const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');

/** Convolutions whose own error is too large, and those that make what they read. */
function sensitiveIn(
  model: OnnxModel,
  errors: ReadonlyMap<OnnxNode, number | undefined>,
  mostError: number,
): ReadonlyMap<OnnxNode, KeptReason> {
  const sensitive = new Map<OnnxNode, KeptReason>();
  for (const [node, error] of errors) {
    if ((error ?? 0) <= mostError) continue;
    if (node.op === 'Conv')
      for (const feeder of feedersOf(node, model)) if (!sensitive.has(feeder)) sensitive.set(feeder, 'feeds an error');
    sensitive.set(node, 'error');
  }
  return sensitive;
}

function convInputs({ kinds }: Int8Plan): Set<string> {
  return new Set([...kinds].filter(([, kind]) => kind === 'conv').map(([node]) => node.inputs[0]!));
}

/** The float model's card with the new digest, and what was done. */
function withNote(
  graph: OnnxModel,
  source: OnnxModel,
  { range, worstPair, pictures, layers }: QuantizeReport,
): OnnxModel {
  const card = cardIn('the model', source.metadata);
  const int8 = layers.filter((layer) => layer.int8).length;
  const note: Int8Note = {
    schema: 1,
    source: card?.digest ?? digestOf(source),
    weights: range,
    worstPair,
    pictures,
    int8,
    float: layers.length - int8,
  };
  return {
    ...graph,
    metadata: {
      ...source.metadata,
      ...(card && { [CARD_KEY]: JSON.stringify({ ...card, digest: digestOf(graph) }) }),
      [INT8_KEY]: JSON.stringify(note),
    },
  };
}
