import { ELEMENT_TYPES, type OnnxModel, type OnnxNode, type OnnxTensor, type OnnxValue } from '../onnx/model.js';
import { CARD_KEY, cardIn, digestOf } from '../weights/card.js';
import { floatsIn, type GraphLinks, linksOf } from './graph-links.js';
import { HALF_MOST, toHalf } from './half-numbers.js';
import { isCompared } from './plan.js';
import { isFastForm } from './product.js';

/** Key of `metadata_props` of a file with float16 layers: how many layers are, and how many stayed float32. */
export const FLOAT16_KEY = 'maskcast-float16';

/** Layers with weights: what makes a file large and a GPU busy. */
const LAYERS = new Set(['Conv', 'ConvTranspose', 'Gemm', 'MatMul']);
/** What may stand between two of them, and which inputs are numbers; the rest of the inputs are sizes and places. */
const BETWEEN: Readonly<Record<string, 'first' | 'all'>> = {
  Relu: 'first',
  LeakyRelu: 'first',
  Sigmoid: 'first',
  HardSigmoid: 'first',
  HardSwish: 'first',
  MaxPool: 'first',
  AveragePool: 'first',
  GlobalAveragePool: 'first',
  Resize: 'first',
  Reshape: 'first',
  Flatten: 'first',
  Squeeze: 'first',
  Unsqueeze: 'first',
  Transpose: 'first',
  Split: 'first',
  Slice: 'first',
  Clip: 'all',
  Add: 'all',
  Mul: 'all',
  Concat: 'all',
};

export type Float16Kept = 'compared' | 'too large' | 'fast form' | 'no weights of its own';

export interface Float16Report {
  /** Layers in float16, by name. */
  readonly half: readonly string[];
  /** Layers left in float32, with the reason. */
  readonly kept: ReadonlyMap<string, Float16Kept>;
  /** What is worked out, or read, in float16: values by name. */
  readonly values: readonly string[];
}

/**
 * A float32 graph with the weights and maps of its layers in float16: half the bytes to read, and on GPUs twice or more the
 * operations a second. Inputs and outputs stay as they are.
 *
 * In float32 stay boxes, scores and everything that ranks or picks them; the layers whose numbers are ranked or become boxes right
 * away (float16 would tie scores); RoIAlign, whose coordinates need more than 11 bits; and the fast forms of models/kernels.
 *
 * @param tooLarge  values that float16 cannot hold, from runs on pictures; what makes or reads them stays float32
 */
export function toFloat16(
  model: OnnxModel,
  tooLarge: (value: string) => boolean = () => false,
): { readonly model: OnnxModel; readonly report: Float16Report } {
  const links = linksOf(model);
  const kept = new Map<string, Float16Kept>();
  const half = new Set<OnnxNode>();
  const values = new Set<string>();
  const layers: string[] = [];
  for (const node of model.graph.nodes) {
    if (node.domain || [...numbersOf(node), ...node.outputs].some(tooLarge)) {
      if (LAYERS.has(node.op)) kept.set(node.name, node.domain ? 'fast form' : 'too large');
      continue;
    }
    if (LAYERS.has(node.op)) {
      const reason = reasonOf(node, links);
      if (reason) {
        kept.set(node.name, reason);
        continue;
      }
      layers.push(node.name);
    } else if (!follows(node, values, links)) continue;
    half.add(node);
    for (const name of node.outputs) values.add(name);
  }
  const read = [...half].flatMap(numbersOf).filter((name) => !links.constants.has(name));
  const graph = new Rewriter(model, links, half).rewritten();
  const report = { half: layers, kept, values: [...new Set([...read, ...values])] };
  return { model: withNote(graph, model, layers.length, kept.size), report };
}

function reasonOf(node: OnnxNode, links: GraphLinks): Float16Kept | undefined {
  // For processors, where float16 wins nothing; their sums would err twice as much (docs/quantisation.md, “float16”).
  if (isFastForm(node)) return 'fast form';
  const weights = node.inputs.slice(1).map((name) => floatsIn(links.constants.get(name)));
  if (!weights[0] || weights.includes(undefined)) return 'no weights of its own';
  if (!weights.every(fits)) return 'too large';
  return isCompared(node, links) ? 'compared' : undefined;
}

/** True when a node reads float16, and all else that it computes with can be float16. */
function follows(node: OnnxNode, values: ReadonlySet<string>, { constants }: GraphLinks): boolean {
  const reads = numbersOf(node);
  if (isFastForm(node) || !reads.some((name) => values.has(name))) return false;
  return reads.every((name) => values.has(name) || fits(floatsIn(constants.get(name))));
}

const fits = (list: Float32Array | undefined): boolean => list?.every((value) => Math.abs(value) <= HALF_MOST) ?? false;

/** The inputs that a node computes with. */
function numbersOf({ op, inputs }: OnnxNode): readonly string[] {
  if (LAYERS.has(op) || BETWEEN[op] === 'all') return inputs.filter((name) => name !== '');
  return BETWEEN[op] ? inputs.slice(0, 1) : [];
}

/** Name of a value as float16. */
const halfOf = (value: string): string => `${value}:f16`;

class Rewriter {
  readonly #model: OnnxModel;
  readonly #links: GraphLinks;
  readonly #half: ReadonlySet<OnnxNode>;
  readonly #nodes: OnnxNode[] = [];
  readonly #constants = new Map<string, OnnxTensor>();
  /** Values that exist as float16, and those of them that exist as float32 too. */
  readonly #asHalf = new Set<string>();
  readonly #widened = new Set<string>();

  constructor(model: OnnxModel, links: GraphLinks, half: ReadonlySet<OnnxNode>) {
    this.#model = model;
    this.#links = links;
    this.#half = half;
  }

  rewritten(): OnnxModel {
    const { graph } = this.#model;
    const made = new Set([...this.#half].flatMap(({ outputs }) => outputs));
    for (const node of graph.nodes) {
      if (!this.#half.has(node)) {
        for (const name of node.inputs) if (made.has(name)) this.#widen(name);
        this.#nodes.push(node);
        continue;
      }
      const numbers = new Set(numbersOf(node));
      const inputs = node.inputs.map((name) => (numbers.has(name) ? this.#narrow(name, node) : name));
      this.#nodes.push({ ...node, inputs, outputs: node.outputs.map(halfOf) });
      for (const name of node.outputs) this.#asHalf.add(name);
    }
    for (const { name } of graph.outputs) if (made.has(name)) this.#widen(name);
    const used = new Set(this.#nodes.flatMap(({ inputs }) => inputs));
    const outer = new Set(graph.outputs.map(({ name }) => name));
    const values = [...graph.values, ...graph.outputs].flatMap((value): OnnxValue[] => [
      ...(!outer.has(value.name) && (!made.has(value.name) || this.#widened.has(value.name)) ? [value] : []),
      ...(this.#asHalf.has(value.name) ? [{ ...value, name: halfOf(value.name), type: 'float16' as const }] : []),
    ]);
    return {
      ...this.#model,
      graph: {
        ...graph,
        nodes: this.#nodes,
        initializers: [...graph.initializers, ...this.#constants.values()].filter(({ name }) => used.has(name)),
        values,
      },
    };
  }

  /** Makes sure that a value or constant exists as float16. */
  #narrow(name: string, near: OnnxNode): string {
    const constant = this.#links.constants.get(name);
    if (constant) {
      const data = new Uint8Array(toHalf(floatsIn(constant)!).buffer); // Only such constants are narrowed.
      this.#constants.set(name, { ...constant, name: halfOf(name), type: 'float16', data });
    } else if (!this.#asHalf.has(name)) {
      this.#asHalf.add(name);
      this.#cast(name, halfOf(name), FLOAT16, near);
    }
    return halfOf(name);
  }

  /** Makes sure that a value that is made as float16 exists as float32. */
  #widen(name: string): void {
    if (this.#widened.has(name)) return;
    this.#widened.add(name);
    this.#cast(halfOf(name), name, FLOAT32, this.#links.makerOf.get(name)!); // It is made by a node of ours.
  }

  #cast(from: string, to: string, type: number, near: OnnxNode): void {
    const stage = near.name.slice(0, near.name.indexOf('/') + 1);
    this.#nodes.push({
      name: `${stage}Cast:${to}`,
      op: 'Cast',
      domain: '',
      inputs: [from],
      outputs: [to],
      attributes: { to: { kind: 'int', value: type } },
    });
  }
}

const FLOAT32 = ELEMENT_TYPES.float32.code;
const FLOAT16 = ELEMENT_TYPES.float16.code;

/** The float32 model's card with the new digest, and what was done. */
function withNote(graph: OnnxModel, source: OnnxModel, half: number, float: number): OnnxModel {
  const card = cardIn('the model', source.metadata);
  return {
    ...graph,
    metadata: {
      ...source.metadata,
      ...(card && { [CARD_KEY]: JSON.stringify({ ...card, digest: digestOf(graph) }) }),
      [FLOAT16_KEY]: JSON.stringify({ schema: 1, half, float }),
    },
  };
}
