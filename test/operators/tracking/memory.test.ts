import { expect, it } from 'vitest';
import { busyStreet } from './busy-street.js';

it('an hour of a busy street: hundreds of tracks come and go, the state stays small', () => {
  const { stateLengths, confirmed } = busyStreet({ hours: 1, seed: 8 });
  expect(confirmed).toBeGreaterThan(500);
  // Some twenty tracks of less than 2 kB each.
  expect(Math.max(...stateLengths)).toBeLessThan(60_000);
});
