import { describe, expect, it } from 'vitest';
import { peakMemory } from '../../../models/runtime/peak-memory.js';

describe('peak memory', () => {
  it('is at least what was held once, and stays', () => {
    const before = peakMemory();
    let held: Buffer | undefined = Buffer.alloc(before + 2 ** 27, 1);
    const during = peakMemory();
    expect(during).toBeGreaterThan(held.length);
    held = undefined;
    expect(peakMemory()).toBeGreaterThanOrEqual(during);
  });
});
