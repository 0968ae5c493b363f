import { buildNetwork } from '../../../models/nets/network.js';
import { writeModel } from '../../../models/onnx/encode.js';
import type { FormNames } from '../../../models/tuning/candidate.js';
import type { ProbeAnswer, ProbeRequest } from '../../../models/tuning/probe-messages.js';
import { seededWeights } from '../../../models/weights/seed.js';
import { TINY } from '../nets/tiny-networks.js';

/** Writes a tiny network of ours, in the direct form. */
export async function writeTiny(file: string, name: keyof typeof TINY = 'redesigned', seed = 18): Promise<string> {
  await writeModel(file, buildNetwork(TINY[name]!, { weights: seededWeights(seed) }));
  return file;
}

/** What a made-up machine needs for one frame, ms. */
export type Speed = (way: { form: string; workers: number; threads: number; batch: number }) => number;

/** A probe of a made-up machine with a clock of its own, which each look moves on. */
export function laboratory(speed: Speed, facts: { provider?: 'cpu' | 'cuda'; fixedBatch?: number } = {}) {
  const requests: ProbeRequest[] = [];
  let clockMs = 0;
  return {
    requests,
    now: () => clockMs,
    async probe(request: ProbeRequest, mostMs: number): Promise<ProbeAnswer> {
      requests.push(request);
      // `name-<digest>-<forms>.onnx`, or the model itself.
      const form = /-[0-9a-f]{16}-(.+)\.onnx$/.exec(request.file)?.[1] ?? 'direct';
      const batch = facts.fixedBatch ?? request.batch;
      const msPerFrame = speed({ ...request, form, batch });
      clockMs += Math.min(1000, mostMs);
      if (mostMs < 1000) throw new Error('killed');
      const input = { width: 96, height: 64, fit: 'stretch', fill: 0 } as const;
      return {
        sample: { msPerFrame, runMs: msPerFrame * batch * request.workers, cpuMs: msPerFrame, peakBytes: 1e8 },
        info: {
          name: 'tiny',
          adapter: 'maskcast',
          labels: [],
          input,
          fixedBatch: facts.fixedBatch,
          masks: true,
          provider: facts.provider ?? 'cpu',
        },
        found: [],
        notes: [],
      };
    },
  };
}

/** Spectral and direct. */
export const TWO_FORMS: readonly FormNames[] = [{}, { separated: 'spectral' }];
