/**
 * Program of an inference thread: owns one ONNX Runtime session, takes frames by handle (their pixels are shared memory) and
 * answers with instances, and thumbnails where they are wanted, in transferred arrays. It ends by message only: `terminate()` inside a run aborts the process.
 */
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { InputError } from '../../config/errors.js';
import { makeThumbnail } from '../../operators/camera/thumbnail.js';
import type { FrameInstances, ModelFrame } from '../adapters/adapter.js';
import { type Model, openModel } from './model.js';
import type { FromWorker, SeenFrame, ToWorker, WorkerData } from './worker-messages.js';

if (isMainThread || !parentPort) throw new Error('worker.js is started as a worker thread by pipeline/inference');
const port = parentPort;
const say = (message: FromWorker, transfer: ArrayBuffer[] = []): void => port.postMessage(message, transfer);

// A run awaits, so messages are queued here: one session runs one batch at a time, and `close` comes after all before it.
const inbox: ToWorker[] = [];
let wake: (() => void) | undefined;
port.on('message', (message: ToWorker) => {
  inbox.push(message);
  wake?.();
});

// workerData is untyped; pipeline/inference is its only sender and builds it as WorkerData.
const options = workerData as WorkerData;
try {
  const model = await openModel({ ...options, note: (sentence) => say({ kind: 'note', sentence }) });
  say({ kind: 'ready', info: model.info });
  await serve(model);
  await model.release();
} catch (cause) {
  if (!(cause instanceof InputError)) throw cause;
  say({ kind: 'refused', message: cause.message });
}
port.close();

async function serve(model: Model): Promise<void> {
  for (;;) {
    const message = inbox.shift();
    if (message?.kind === 'close') return;
    if (message?.kind === 'run') await answer(model, message.job, message.frames);
    else if (message) throw new TypeError(`message of unknown kind: ${JSON.stringify(message)}`);
    else await new Promise<void>((resolve) => (wake = resolve));
  }
}

async function answer(model: Model, job: number, frames: readonly ModelFrame[]): Promise<void> {
  try {
    const instances = await model.run(frames);
    const seen = options.thumbnails ? instances.map((one, row) => withThumbnail(one, frames[row]!, model)) : instances;
    const arrays = seen.flatMap(({ boxes, scores, classes, thumbnail }: SeenFrame) => [
      boxes.buffer,
      scores.buffer,
      classes.buffer,
      ...(thumbnail ? [thumbnail.luma.buffer] : []),
    ]);
    // Typed arrays of an adapter are on ArrayBuffers of their own; the types cannot say so.
    say({ kind: 'done', job, seen }, arrays as ArrayBuffer[]);
  } catch (cause) {
    say({ kind: 'failed', job, message: cause instanceof Error ? cause.message : String(cause) });
  }
}

/** Here and not on the main thread, which has no loop over pixels; the frame is at hand until the answer. */
function withThumbnail(one: FrameInstances, { pixels, placement, source }: ModelFrame, { info }: Model): SeenFrame {
  return { ...one, thumbnail: makeThumbnail(pixels, info.input.width, placement, source) };
}
