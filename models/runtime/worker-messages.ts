import type { Thumbnail } from '../../operators/types.js';
import type { FrameInstances, ModelFrame } from '../adapters/adapter.js';
import type { ModelInfo, ModelOptions } from './model.js';

/** What the worker thread is started with. */
export interface WorkerData extends Omit<ModelOptions, 'note'> {
  /** Make a thumbnail of each frame too; left out: no. */
  readonly thumbnails?: boolean;
}

/** What a worker says of one frame. */
export interface SeenFrame extends FrameInstances {
  /** There when the worker was started with `thumbnails`. */
  readonly thumbnail?: Thumbnail;
}

/** To the worker. `close` is answered after the run under way, with the thread's end. */
export type ToWorker =
  | { readonly kind: 'run'; readonly job: number; readonly frames: readonly ModelFrame[] }
  | { readonly kind: 'close' };

/** From the worker. */
export type FromWorker =
  | { readonly kind: 'note'; readonly sentence: string }
  | { readonly kind: 'ready'; readonly info: ModelInfo }
  /** The model cannot be opened:the user's input is at fault. The thread ends. */
  | { readonly kind: 'refused'; readonly message: string }
  | { readonly kind: 'done'; readonly job: number; readonly seen: readonly SeenFrame[] }
  /** This run failed; the worker goes on. */
  | { readonly kind: 'failed'; readonly job: number; readonly message: string };
