import type { FrameInstances } from '../adapters/adapter.js';
import type { ModelInfo, ModelProvider } from '../runtime/model.js';
import type { Sample } from './candidate.js';

/** What a probe is asked: one way to run one file. */
export interface ProbeRequest {
  readonly file: string;
  readonly provider: ModelProvider;
  readonly workers: number;
  readonly threads: number;
  /** Frames a run; a model with a fixed batch takes its own. */
  readonly batch: number;
  /** The timed part takes about this long, and one run at least, ms. */
  readonly leastMs: number;
}

/** Instances found on the probe's own pictures: what two forms of a network must agree on. */
export type FoundInstances = Pick<FrameInstances, 'boxes' | 'scores' | 'classes'>;

export interface ProbeAnswer {
  readonly sample: Omit<Sample, 'agreement'>;
  readonly info: ModelInfo;
  /** One a frame of the first run. */
  readonly found: readonly FoundInstances[];
  /** What ONNX Runtime or ours had to say while loading. */
  readonly notes: readonly string[];
}

/** From the child process. */
export type FromProbe =
  | { readonly kind: 'answer'; readonly answer: ProbeAnswer }
  | { readonly kind: 'refused'; readonly message: string };

/** To a thread of the child process. */
export type ToProbeThread = { readonly kind: 'run'; readonly runs: number } | { readonly kind: 'close' };

/** From a thread of the child process. */
export type FromProbeThread =
  | {
      readonly kind: 'ready';
      readonly info: ModelInfo;
      readonly found: readonly FoundInstances[];
      readonly notes: readonly string[];
    }
  | { readonly kind: 'refused'; readonly message: string }
  | { readonly kind: 'done' };
