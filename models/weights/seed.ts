import { elementCount } from '../onnx/dims.js';
import type { TrackedSource } from './source.js';

/**
 * Weights made up from a seed. Each value depends only on the seed, the tensor's name and its place, by whole-number
 * arithmetic: the same on every machine, and one tensor's numbers do not move when another is added.
 *
 * @param seed  whole number; only its lower 32 bits count
 */
export function seededWeights(seed: number): TrackedSource {
  return {
    has: () => true,
    take(name, dims, init) {
      const [low, high] = init.kind === 'uniform' ? [init.from, init.to] : heBounds(dims, init.gain ?? 1);
      return uniform(mix(hashName(name) ^ mix(seed)), Number(elementCount(dims)), low, high);
    },
    finish: () => {},
  };
}

/** He et al. 2015, uniform: variance 2 / fan-in keeps the size of activations through ReLU layers. */
function heBounds(dims: readonly number[], gain: number): [number, number] {
  const fanIn = Math.max(
    1,
    dims.slice(1).reduce((product, size) => product * size, 1),
  );
  const bound = gain * Math.sqrt(6 / fanIn);
  return [-bound, bound];
}

function uniform(key: number, count: number, low: number, high: number): Float32Array {
  const values = new Float32Array(count);
  const scale = (high - low) / 2 ** 24;
  for (let i = 0; i < count; i++) values[i] = low + (mix(key + Math.imul(i, 0x9e37_79b9)) >>> 8) * scale;
  return values;
}

/** A bijection of 32-bit numbers that leaves no visible pattern (the "lowbias32" constants of C. Wellons' search). */
function mix(value: number): number {
  let x = value | 0;
  x = Math.imul(x ^ (x >>> 16), 0x7feb_352d);
  x = Math.imul(x ^ (x >>> 15), 0x846c_a68b);
  return x ^ (x >>> 16);
}

/** FNV-1a over UTF-16 units. */
function hashName(name: string): number {
  let hash = 0x811c_9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x0100_0193);
  return hash;
}
