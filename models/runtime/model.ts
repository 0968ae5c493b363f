import { basename } from 'node:path';
import { InputError } from '../../config/errors.js';
import type { InputForm } from '../../operators/types.js';
import type { Adapter, FrameInstances, ModelFrame } from '../adapters/adapter.js';
import { chooseAdapter } from '../adapters/choose.js';
import { readModelMetadata } from './model-file.js';
import { describePlacement } from './placement.js';
import { type ModelSession, openSession } from './session.js';

/** Where inference runs. */
export type ModelProvider = 'auto' | 'cpu' | 'webgpu' | 'cuda' | 'tensorrt' | 'coreml' | 'directml';

export interface ModelOptions {
  readonly file: string;
  readonly provider: ModelProvider;
  readonly threads: number;
  /** Frames of the largest run that is wanted; the model is tried with as many. */
  readonly batch: number;
  readonly minScore: number;
  /** Names of the classes, in the model's order. */
  readonly labels?: readonly string[];
  readonly note: (sentence: string) => void;
}

/** What a loaded model is. */
export interface ModelInfo {
  /** Name of the file without its folder. */
  readonly name: string;
  /** Family of its adapter. */
  readonly adapter: string;
  readonly labels: readonly string[];
  readonly input: InputForm;
  /** Frames of every run; undefined when any number up to the tried batch works. */
  readonly fixedBatch: number | undefined;
  readonly masks: boolean;
  readonly provider: Exclude<ModelProvider, 'auto'>;
}

/** A session with the adapter that feeds and reads it. Blocks the thread that calls `run`: see worker.ts. */
export interface Model {
  readonly info: ModelInfo;
  /**
   * Instances of each frame. With a fixed batch at most that many frames.
   */
  run(frames: readonly ModelFrame[]): Promise<readonly FrameInstances[]>;
  release(): Promise<void>;
}

/**
 * Opens a model file, picks its adapter by signature and runs it once on black frames, so that the first real
 * frame finds everything allocated and a file that only looks right is refused now.
 *
 * @throws InputError when the file, its signature or the provider is at fault
 */
export async function openModel(options: ModelOptions): Promise<Model> {
  const { file, batch, minScore, labels, note } = options;
  const metadata = await readModelMetadata(file);
  const session = await openSession(options);
  try {
    const signature = { inputs: session.inputs, outputs: session.outputs, metadata };
    const adapter = chooseAdapter(file, signature, { minScore, ...(labels ? { labels } : {}) });
    await warm(file, session, adapter, adapter.fixedBatch ?? 1);
    const placement = await session.placement();
    if (placement) note(describePlacement(session.provider, placement));
    const several = adapter.fixedBatch === undefined && batch > 1;
    const fixedBatch = several && !(await runsBatch(file, session, adapter, batch, note)) ? 1 : adapter.fixedBatch;
    return {
      info: {
        name: basename(file),
        adapter: adapter.name,
        labels: adapter.labels,
        input: adapter.input,
        fixedBatch,
        masks: adapter.masks,
        provider: session.provider,
      },
      run: async (frames) => adapter.decode(await session.run(adapter.makeFeeds(frames)), frames),
      release: () => session.release(),
    };
  } catch (cause) {
    await session.release();
    throw cause;
  }
}

async function warm(file: string, session: ModelSession, adapter: Adapter, batch: number): Promise<void> {
  const { width, height } = adapter.input;
  const frame: ModelFrame = {
    pixels: new Uint8Array(width * height * 3),
    placement: { scaleX: 1, scaleY: 1, offsetX: 0, offsetY: 0 },
    source: { width, height },
  };
  const frames = Array.from({ length: batch }, () => frame);
  try {
    adapter.decode(await session.run(adapter.makeFeeds(frames)), frames);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new InputError(
      `model file ${file} has the signature of ${adapter.name}, but a trial run failed: ${reason}; export it anew or use another model`,
      { cause },
    );
  }
}

/** Some exports name the batch as dynamic and hold a Reshape to one picture all the same. */
async function runsBatch(
  file: string,
  session: ModelSession,
  adapter: Adapter,
  batch: number,
  note: (sentence: string) => void,
): Promise<boolean> {
  try {
    await warm(file, session, adapter, batch);
    return true;
  } catch (cause) {
    note(`frames are run one by one: ${cause instanceof Error ? cause.message : String(cause)}`);
    return false;
  }
}
