import { describe, expect, it } from 'vitest';
import { InputError } from '../../../config/errors.js';
import { seededWeights } from '../../../models/weights/seed.js';
import { layeredWeights, recordedWeights, storedWeights, type TensorStore } from '../../../models/weights/source.js';

const HE = { kind: 'he' } as const;

function store(name: string, tensors: Readonly<Record<string, readonly number[]>>): TensorStore {
  return {
    name,
    shapes: new Map(Object.entries(tensors)),
    read: (tensor) => new Float32Array(tensors[tensor]!.reduce((a, b) => a * b, 1)).fill(name.length),
  };
}

describe('weights of a file', () => {
  it('that lack a tensor name it with its shape', () => {
    const source = storedWeights(store('net.safetensors', { a: [2] }));
    expect(() => source.take('head.0.weight', [256, 256, 3, 3], HE)).toThrow(InputError);
    expect(() => source.take('head.0.weight', [256, 256, 3, 3], HE)).toThrow(
      'net.safetensors: tensor head.0.weight [256,256,3,3] is missing',
    );
  });

  it('of another shape are named with both shapes', () => {
    const source = storedWeights(store('net.safetensors', { a: [64, 1024] }));
    expect(() => source.take('a', [256, 1024], HE)).toThrow(
      'tensor a has shape [64,1024], the network needs [256,1024]',
    );
  });

  it('that nobody took are named with their shapes, counters of batch norm left out', () => {
    const source = storedWeights(
      store('net.safetensors', { a: [2], 'fc.weight': [1000, 2048], 'bn1.num_batches_tracked': [] }),
    );
    source.take('a', [2], HE);
    expect(() => source.finish()).toThrow('no place for fc.weight [1000,2048];');
    source.take('fc.weight', [1000, 2048], HE);
    expect(() => source.finish()).not.toThrow();
  });

  it('come from the first source that has them; the last speaks for what is missing', () => {
    const layers = layeredWeights([
      storedWeights(store('one', { a: [1] })),
      storedWeights(store('three', { a: [1], b: [1] })),
    ]);
    expect([...layers.take('a', [1], HE), ...layers.take('b', [1], HE)]).toEqual([3, 5]);
    expect(() => layers.take('c', [1], HE)).toThrow('three: tensor c [1] is missing');
    expect(() => layers.finish()).toThrow('three: the network has no place for a [1]');
  });

  it('are written down in the order of asking', () => {
    const recorded = recordedWeights(seededWeights(1));
    recorded.take('b', [2], HE);
    recorded.take('a', [3, 1], HE);
    expect([...recorded.taken].map(([name, { dims }]) => [name, dims])).toEqual([
      ['b', [2]],
      ['a', [3, 1]],
    ]);
  });
});

describe('weights of a seed', () => {
  it('depend on the seed, the name and the place alone', () => {
    const take = (seed: number, name: string, size: number): number[] => [
      ...seededWeights(seed).take(name, [size, 4], HE),
    ];
    expect(take(1, 'a', 3)).toEqual(take(1, 'a', 3));
    expect(take(1, 'a', 3)).toEqual(take(1, 'a', 5).slice(0, 12));
    expect(take(1, 'a', 3)).not.toEqual(take(2, 'a', 3));
    expect(take(1, 'a', 3)).not.toEqual(take(1, 'b', 3));
  });

  it('are the same on every machine', () => {
    // First values of seed 1, written down once: arithmetic on whole numbers has no other answer.
    expect([...seededWeights(1).take('conv1.weight', [4], { kind: 'uniform', from: 0, to: 1 })]).toMatchInlineSnapshot(`
      [
        0.10804921388626099,
        0.4885667562484741,
        0.2593606114387512,
        0.713528037071228,
      ]
    `);
  });

  it('fill their range evenly, without relation between neighbours or names', () => {
    const values = seededWeights(5).take('x', [100_000], { kind: 'uniform', from: -1, to: 1 });
    const other = seededWeights(5).take('y', [100_000], { kind: 'uniform', from: -1, to: 1 });
    const mean = (pair: (i: number) => number): number =>
      values.reduce((sum, _, i) => sum + pair(i), 0) / values.length;
    expect(Math.min(...values.slice(0, 50_000))).toBeGreaterThanOrEqual(-1);
    // A mean of 100 000 such values lies within four standard deviations of what it should be.
    expect(Math.abs(mean((i) => values[i]!))).toBeLessThan((4 * 0.577) / Math.sqrt(100_000));
    expect(mean((i) => values[i]! ** 2)).toBeCloseTo(1 / 3, 2);
    expect(Math.abs(mean((i) => values[i]! * (values[i + 1] ?? 0)))).toBeLessThan(4 / 3 / Math.sqrt(100_000));
    expect(Math.abs(mean((i) => values[i]! * other[i]!))).toBeLessThan(4 / 3 / Math.sqrt(100_000));
  });
});
