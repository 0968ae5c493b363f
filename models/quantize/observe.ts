import type { TensorValue } from '../adapters/adapter.js';
import { splitDim } from '../onnx/dims.js';
import type { ElementType, OnnxModel, OnnxNode, OnnxTensor, OnnxValue } from '../onnx/model.js';

/** Numbers of one value and picture that are looked at. */
const SAMPLES = 16_384;

/** Every how many-th number of one matrix of a batch is looked at: prime, as {@link SAMPLES}' strides. */
const BATCH_STRIDE = 67;

/** What a copy of a graph gives out of itself beside its own outputs. */
export interface Observation {
  readonly model: OnnxModel;
  /** Name of the output that holds evenly spread numbers of each value, at most some 16 thousand a picture. */
  readonly samples: ReadonlyMap<string, string>;
  /** Name of the output that holds the mean of each channel of each value asked for. */
  readonly means: ReadonlyMap<string, string>;
  /** Name of the output that holds some numbers of each matrix of a batch, and how far it reaches from zero, `[batch, n]`, by value. */
  readonly batches: ReadonlyMap<string, string>;
}

/** A batch of matrices whose numbers are wanted for each by itself. */
export interface MatrixBatch {
  readonly batch: number;
  /** `[rows, batch, inner]` instead of `[batch, rows, inner]`. */
  readonly batchInside: boolean;
}

/**
 * A copy of a graph that gives out samples of inner values instead of whole maps, so that one run sees every layer of a large
 * net in a few megabytes.
 *
 * @param values  to sample; float32, or uint8 where a rewritten graph has them as bytes
 * @param means   values `[n, c, h, w]` whose channel means are wanted
 * @param batches values that are batches of matrices
 */
export function observe(
  model: OnnxModel,
  values: Iterable<string>,
  means: Iterable<string> = [],
  batches: ReadonlyMap<string, MatrixBatch> = new Map(),
): Observation {
  const known = new Map(
    [...model.graph.inputs, ...model.graph.outputs, ...model.graph.values].map((value) => [value.name, value]),
  );
  const nodes: OnnxNode[] = [];
  const constants = new Map<string, OnnxTensor>();
  const outputs: OnnxValue[] = [];
  const ints = (list: readonly number[]): string => {
    const name = `observe:${list.join(',')}`;
    const data = new Uint8Array(BigInt64Array.from(list, BigInt).buffer);
    constants.set(name, { name, type: 'int64', dims: [list.length], data });
    return name;
  };
  const add = (op: string, inputs: readonly string[], attributes: OnnxNode['attributes'], output: string): string => {
    nodes.push({ name: output, op, domain: '', inputs, outputs: [output], attributes });
    return output;
  };
  const give = (name: string, type: ElementType): string => {
    outputs.push({ name, type, dims: undefined });
    return name;
  };
  const samples = new Map<string, string>();
  for (const value of values) {
    const info = known.get(value);
    const flat = add('Reshape', [value, ints([-1])], {}, `observe/flat:${value}`);
    const slice = [flat, ints([0]), ints([Number.MAX_SAFE_INTEGER]), ints([0]), ints([strideOf(info)])];
    samples.set(value, give(add('Slice', slice, {}, `observe/sample:${value}`), info?.type ?? 'float32'));
  }
  const channels = new Map<string, string>();
  for (const value of means) {
    const attributes = {
      axes: { kind: 'ints', value: [0, 2, 3] },
      keepdims: { kind: 'int', value: 0 },
    } as const;
    channels.set(value, give(add('ReduceMean', [value], attributes, `observe/mean:${value}`), 'float32'));
  }
  const matrices = new Map<string, string>();
  for (const [value, { batch, batchInside }] of batches) {
    const order = { perm: { kind: 'ints', value: [1, 0, 2] } } as const;
    const outer = batchInside ? add('Transpose', [value], order, `observe/outer:${value}`) : value;
    const rows = add('Reshape', [outer, ints([batch, -1])], {}, `observe/rows:${value}`);
    const slice = [rows, ints([0]), ints([Number.MAX_SAFE_INTEGER]), ints([1]), ints([BATCH_STRIDE])];
    const some = add('Slice', slice, {}, `observe/some:${value}`);
    const axes = { axes: { kind: 'ints', value: [1] }, keepdims: { kind: 'int', value: 1 } } as const;
    const largest = add('ReduceMax', [add('Abs', [rows], {}, `observe/abs:${value}`)], axes, `observe/most:${value}`);
    const both = { axis: { kind: 'int', value: 1 } } as const;
    matrices.set(value, give(add('Concat', [some, largest], both, `observe/batch:${value}`), 'float32'));
  }
  const own = new Set(model.graph.outputs.map(({ name }) => name));
  return {
    model: {
      ...model,
      graph: {
        ...model.graph,
        nodes: [...model.graph.nodes, ...nodes],
        initializers: [...model.graph.initializers, ...constants.values()],
        outputs: [...model.graph.outputs, ...outputs.filter(({ name }) => !own.has(name))],
      },
    },
    samples,
    means: channels,
    batches: matrices,
  };
}

/** Every how many-th number is looked at. Odd, and no divisor of usual widths, so that all channels and columns have their turn. */
function strideOf(value: OnnxValue | undefined): number {
  const count = value?.dims?.reduce<number>((all, dim) => all * splitDim(dim).factor, 1) ?? 1;
  let stride = Math.max(1, Math.floor(count / SAMPLES));
  if (stride > 1) while (!isPrime(stride)) stride++;
  return stride;
}

function isPrime(n: number): boolean {
  for (let i = 2; i * i <= n; i++) if (n % i === 0) return false;
  return n > 1;
}

/** Numbers of an output that is float32 or uint8. */
export function numbersOf(output: TensorValue | undefined, name: string): Float32Array | Uint8Array {
  if (output?.type === 'float32' || output?.type === 'uint8') return output.data;
  throw new RangeError(`output ${name} is ${output?.type ?? 'missing'}; float32 or uint8 is expected`);
}
