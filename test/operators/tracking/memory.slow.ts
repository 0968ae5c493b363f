import { expect, it } from 'vitest';
import { busyStreet } from './busy-street.js';

it('24 h of a busy street at 5 fps: neither the state nor the heap grows', () => {
  const { stateLengths, heapBytes, confirmed } = busyStreet({ hours: 24, seed: 8 });
  console.log({ stateLengths, heapMb: heapBytes.map((bytes) => bytes / 2 ** 20), confirmed });
  expect(confirmed).toBeGreaterThan(12_000);
  expect(Math.max(...stateLengths)).toBeLessThan(60_000);
  // Less than a byte for each of the 324,000 frames between the first and the last look.
  expect(heapBytes.at(-1)! - heapBytes[0]!).toBeLessThan(324_000);
}, 600_000);
