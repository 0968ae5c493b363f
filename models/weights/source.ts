import { InputError } from '../../config/errors.js';
import { showDims } from '../onnx/dims.js';
import type { Initial, WeightSource } from '../onnx/graph-builder.js';

/** A store of named tensors: a safetensors file, or the initialisers of an ONNX file. */
export interface TensorStore {
  /** For messages: the file's name. */
  readonly name: string;
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  /** The tensor as float32. Only for names in `shapes`. */
  read(name: string): Float32Array;
}

/** A source that can tell what it was not asked for. */
export interface TrackedSource extends WeightSource {
  has(name: string): boolean;
  /** @throws InputError naming tensors that the network has no place for */
  finish(): void;
}

/** Kept by PyTorch beside batch norm's statistics; no part of the network. */
const IGNORED = /\.num_batches_tracked$/;

/**
 * Tensors of a store, checked by name and shape.
 *
 * @param spare  names that may be left over: a whole ResNet has a last stage that most networks here do without
 */
export function storedWeights(store: TensorStore, spare: (name: string) => boolean = () => false): TrackedSource {
  const taken = new Set<string>();
  return {
    has: (name) => store.shapes.has(name),
    take(name, dims) {
      const found = store.shapes.get(name);
      if (!found) {
        throw new InputError(
          `${store.name}: tensor ${name} ${showDims(dims)} is missing; give a file of this network, or --seed to fill what is missing`,
        );
      }
      if (showDims(found) !== showDims(dims)) {
        throw new InputError(
          `${store.name}: tensor ${name} has shape ${showDims(found)}, the network needs ${showDims(dims)}; name the preset and options that the file was made for`,
        );
      }
      taken.add(name);
      return store.read(name);
    },
    finish() {
      const extra = [...store.shapes].filter(([name]) => !taken.has(name) && !IGNORED.test(name) && !spare(name));
      if (extra.length === 0) return;
      const shown = extra.slice(0, 5).map(([name, dims]) => `${name} ${showDims(dims)}`);
      const more = extra.length > shown.length ? ` and ${extra.length - shown.length} more` : '';
      throw new InputError(
        `${store.name}: the network has no place for ${shown.join(', ')}${more}; name the preset that the file was made for`,
      );
    },
  };
}

/** Asks the sources in turn; the last one must answer, so its message is what the user sees. */
export function layeredWeights(sources: readonly TrackedSource[]): TrackedSource {
  if (sources.length === 0) throw new RangeError('no source of weights');
  return {
    has: (name) => sources.some((source) => source.has(name)),
    take: (name, dims, init) => (sources.find((source) => source.has(name)) ?? sources.at(-1)!).take(name, dims, init),
    finish: () => {
      for (const source of sources) source.finish();
    },
  };
}

/** Passes everything on and keeps what was asked for, in order: what a file of these weights must hold. */
export function recordedWeights(
  source: TrackedSource,
): TrackedSource & { readonly taken: ReadonlyMap<string, StoredTensor> } {
  const taken = new Map<string, StoredTensor>();
  return {
    taken,
    has: (name) => source.has(name),
    take(name, dims, init: Initial) {
      const data = source.take(name, dims, init);
      taken.set(name, { dims, data });
      return data;
    },
    finish: () => source.finish(),
  };
}

/** Row-major float32. */
export interface StoredTensor {
  readonly dims: readonly number[];
  readonly data: Float32Array;
}
