import type { OnnxModel, OnnxNode } from '../onnx/model.js';
import { openGraph } from '../runtime/graph-session.js';
import { type ActivationScale, fromByte } from './activation-scale.js';
import type { Feeds } from './calibrate.js';
import { linksOf } from './graph-links.js';
import { numbersOf, observe } from './observe.js';
import type { ProductLayer } from './product.js';
import { bytesOf, type RewriteOptions, rewriteInt8 } from './rewrite.js';
import { limitsOf } from './scales.js';

/** Relative L2 error: √(Σ (float − int8)² ÷ Σ float²). */
export class RelativeError {
  #difference = 0;
  #size = 0;

  /**
   * @param low  numbers below are cut without harm, and count as this one
   */
  add(float: ArrayLike<number>, bytes: ArrayLike<number>, scale: ActivationScale, low = -Infinity): void {
    for (let i = 0; i < float.length; i++) {
      const expected = Math.max(low, float[i]!);
      const found = Math.max(low, fromByte(bytes[i]!, scale));
      this.#difference += (expected - found) ** 2;
      this.#size += expected ** 2;
    }
  }

  /** Undefined when nothing was compared. */
  get value(): number | undefined {
    return this.#size > 0 ? Math.sqrt(this.#difference / this.#size) : undefined;
  }
}

interface Measuring {
  readonly feeds: Feeds;
  readonly threads: number;
  readonly step: () => void;
}

/**
 * Error that each layer makes by itself: beside every float one stands its int8 twin, which reads the same float input.
 *
 * @returns by the layer's node; undefined where no picture reached it
 */
export async function ownErrors(
  model: OnnxModel,
  options: RewriteOptions,
  { feeds, threads, step }: Measuring,
): Promise<ReadonlyMap<OnnxNode, number | undefined>> {
  const twins = twinGraph(model, options);
  const low = lowestOf(model);
  const names = [...twins.results].flatMap(([, { float, bytes }]) => [float, bytes]);
  const watched = observe(twins.model, new Set(names));
  const errors = new Map([...twins.results.keys()].map((node) => [node, new RelativeError()]));
  const session = await openGraph(watched.model, { threads });
  try {
    for await (const feed of feeds()) {
      const outputs = await session.run(feed, [...watched.samples.values()]);
      const read = (value: string): ArrayLike<number> => {
        const output = watched.samples.get(value)!;
        return numbersOf(outputs[output], output);
      };
      for (const [node, { float, bytes, scale }] of twins.results)
        errors.get(node)!.add(read(float), read(bytes), scale, low(float));
      step();
    }
  } finally {
    await session.release();
  }
  return new Map([...errors].map(([node, error]) => [node, error.value]));
}

/** From where on numbers of a value matter: those a hard-swish makes zero are cut in int8, which is no error. */
function lowestOf(model: OnnxModel): (value: string) => number {
  const links = linksOf(model);
  return (value) => limitsOf(value, links).low ?? -Infinity;
}

interface Twin {
  readonly float: string;
  /** Its result: bytes; of a product, float. */
  readonly bytes: string;
  readonly scale: ActivationScale;
}

/** Of numbers that are no bytes. */
const AS_IS: ActivationScale = { scale: 1, zero: 0 };

/** The float graph with an int8 twin of every planned layer beside it, whose results bear names of their own. */
function twinGraph(
  model: OnnxModel,
  options: RewriteOptions,
): { readonly model: OnnxModel; readonly results: ReadonlyMap<OnnxNode, Twin> } {
  const { plan } = options;
  const kinds = new Map<OnnxNode, 'conv' | 'product'>();
  const products = new Map<OnnxNode, ProductLayer>();
  const absorbed = new Map<OnnxNode, OnnxNode>();
  const scales = new Map(options.scales);
  const results = new Map<OnnxNode, Twin>();
  const twin = (node: OnnxNode): OnnxNode => ({
    ...node,
    name: `${node.name}:twin`,
    outputs: node.outputs.map((name) => `${name}:twin`),
  });
  for (const [node, kind] of plan.kinds) {
    if (kind !== 'conv' && kind !== 'product') continue;
    const activation = plan.absorbed.get(node);
    const value = activation?.outputs[0] ?? node.outputs[0]!;
    const copy = twin(node);
    kinds.set(copy, kind);
    const product = plan.products.get(node);
    if (product) products.set(copy, product);
    if (activation) absorbed.set(copy, twin(activation));
    if (kind === 'product') {
      results.set(node, { float: value, bytes: `${value}:twin`, scale: AS_IS });
      continue;
    }
    const scale = options.scales.get(value)!;
    scales.set(`${value}:twin`, scale);
    results.set(node, { float: value, bytes: bytesOf(`${value}:twin`), scale });
  }
  const sizes = new Map([...model.graph.values, ...model.graph.outputs].map(({ name, dims }) => [name, dims]));
  const { graph } = rewriteInt8(
    { ...model, graph: { ...model.graph, nodes: [...kinds.keys()], outputs: [], values: [] } },
    { ...options, plan: { kinds, products, absorbed, kept: new Map() }, scales },
  );
  const named = new Set(model.graph.initializers.map(({ name }) => name));
  return {
    model: {
      ...model,
      opsets: { ...model.opsets, 'com.microsoft': 1 },
      graph: {
        ...model.graph,
        nodes: [...model.graph.nodes, ...graph.nodes],
        initializers: [...model.graph.initializers, ...graph.initializers.filter(({ name }) => !named.has(name))],
        // Shapes, so that the samples of a twin are those of its float.
        values: [
          ...model.graph.values,
          ...[...results.values()].map(({ float, bytes, scale }) => ({
            name: bytes,
            type: scale === AS_IS ? ('float32' as const) : ('uint8' as const),
            dims: sizes.get(float),
          })),
        ],
      },
    },
    results,
  };
}

/**
 * Error that has piled up at each convolution of the int8 graph, for values of whole pictures; regions are left out, for they
 * lie elsewhere once a proposal has moved.
 *
 * @returns by the convolution's node
 */
export async function piledErrors(
  model: OnnxModel,
  int8: OnnxModel,
  { plan, scales }: Pick<RewriteOptions, 'plan' | 'scales'>,
  { feeds, threads, step }: Measuring,
): Promise<ReadonlyMap<OnnxNode, number | undefined>> {
  const sizes = new Map([...model.graph.values, ...model.graph.outputs].map(({ name, dims }) => [name, dims]));
  const values = new Map<OnnxNode, string>();
  for (const [node, kind] of plan.kinds) {
    const value = plan.absorbed.get(node)?.outputs[0] ?? node.outputs[0]!;
    const [batch] = sizes.get(value) ?? [];
    if (kind === 'conv' && (batch === 'N' || batch === 1)) values.set(node, value);
  }
  const low = lowestOf(model);
  const floats = observe(model, values.values());
  const bytes = observe(int8, [...values.values()].map(bytesOf));
  const errors = new Map([...values.keys()].map((node) => [node, new RelativeError()]));
  const float = await openGraph(floats.model, { threads });
  try {
    const other = await openGraph(bytes.model, { threads });
    try {
      for await (const feed of feeds()) {
        const expected = await float.run(feed, [...floats.samples.values()]);
        const found = await other.run(feed, [...bytes.samples.values()]);
        for (const [node, value] of values) {
          const a = floats.samples.get(value)!;
          const b = bytes.samples.get(bytesOf(value))!;
          errors.get(node)!.add(numbersOf(expected[a], a), numbersOf(found[b], b), scales.get(value)!, low(value));
        }
        step();
      }
    } finally {
      await other.release();
    }
  } finally {
    await float.release();
  }
  return new Map([...errors].map(([node, error]) => [node, error.value]));
}
