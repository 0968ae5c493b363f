import type { Tensors } from '../../../models/adapters/adapter.js';
import { pictures } from '../nets/tiny-networks.js';

/** Pictures for the networks of `tiny-networks.ts`, one a run. */
export function* tinyFeeds(count: number): Generator<Tensors> {
  const data = pictures(count, 64, 96);
  const bytes = 64 * 96 * 3;
  for (let n = 0; n < count; n++)
    yield { images: { type: 'uint8', dims: [1, 64, 96, 3], data: data.slice(n * bytes, (n + 1) * bytes) } };
}
