import { Worker } from 'node:worker_threads';
import { InputError } from '../../config/errors.js';
import type { ModelFrame } from '../../models/adapters/adapter.js';
import type { ModelInfo } from '../../models/runtime/model.js';
import type { FromWorker, SeenFrame, ToWorker, WorkerData } from '../../models/runtime/worker-messages.js';

/** An inference thread died (uncaught error, out of memory) with a run in its hands. The run's frames are lost; a new thread takes over. */
export class WorkerLost extends Error {
  override readonly name = 'WorkerLost';
}

/** One inference thread whose model is loaded. */
export interface InferenceThread {
  readonly info: ModelInfo;
  /**
   * Runs the model; one run at a time. The frames' pixels must stay as they are until the promise settles.
   *
   * @throws WorkerLost when the thread died; Error when only this run failed
   */
  run(frames: readonly ModelFrame[]): Promise<readonly SeenFrame[]>;
  /** Lets the run under way end, frees the model and waits for the thread's end. */
  close(): Promise<void>;
  /** Settles when the thread is gone, with the reason when nobody asked for its end. */
  readonly gone: Promise<Error | undefined>;
}

/**
 * Starts a thread and loads the model in it.
 *
 * @param program  compiled worker program
 * @throws InputError when file, signature or provider is at fault; Error when the thread dies while loading
 */
export function startThread(
  program: URL,
  workerData: WorkerData,
  note: (sentence: string) => void,
): Promise<InferenceThread> {
  // Not the flags of the process: `--input-type`, set for a script on the command line, would keep the thread from starting.
  const worker = new Worker(program, { workerData, name: 'inference', execArgv: [] });
  const post = (message: ToWorker): void => worker.postMessage(message);
  let job = 0;
  let pending: { resolve(seen: readonly SeenFrame[]): void; reject(cause: Error): void } | undefined;
  let closing = false;
  let reason: Error | undefined;

  const gone = new Promise<Error | undefined>((resolve) => {
    worker.on('error', (cause: unknown) => {
      reason = cause instanceof Error ? cause : new Error(String(cause));
    });
    worker.on('exit', (code) => {
      if (!closing) reason ??= new Error(`it ended with code ${code}`);
      pending?.reject(lost(reason));
      pending = undefined;
      resolve(reason);
    });
  });

  const settle = (message: FromWorker): void => {
    if (!pending || !('job' in message) || message.job !== job) return;
    const { resolve, reject } = pending;
    pending = undefined;
    if (message.kind === 'done') resolve(message.seen);
    else reject(new Error(`inference failed: ${message.message}`));
  };

  const open = (info: ModelInfo): InferenceThread => ({
    info,
    gone,
    run: (frames) =>
      new Promise((resolve, reject) => {
        if (reason || closing) {
          reject(lost(reason));
          return;
        }
        pending = { resolve, reject };
        job++;
        // Only handles are copied: a view on shared memory arrives as a view on the same memory.
        post({
          kind: 'run',
          job,
          frames: frames.map(({ pixels, placement, source }) => ({ pixels, placement, source })),
        });
      }),
    async close() {
      closing = true;
      post({ kind: 'close' });
      await gone;
    },
  });

  return new Promise((resolve, reject) => {
    worker.on('message', (message: FromWorker) => {
      if (message.kind === 'note') note(message.sentence);
      else if (message.kind === 'ready') resolve(open(message.info));
      else if (message.kind === 'refused') {
        closing = true;
        reject(new InputError(message.message));
      } else settle(message);
    });
    void gone.then((cause) =>
      reject(new Error(`the inference thread ended while loading: ${cause?.message ?? 'without a reason'}`, { cause })),
    );
  });
}

function lost(cause: Error | undefined): WorkerLost {
  return new WorkerLost(`the inference thread is gone: ${cause?.message ?? 'it was closed'}`, { cause });
}
