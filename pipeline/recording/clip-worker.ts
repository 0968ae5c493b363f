import { setPriority } from 'node:os';
import { parentPort } from 'node:worker_threads';
import sharp from 'sharp';
import { type ClipJob, type ClipResult, makeClip } from './make-clip.js';

/** To the worker: a job in pieces, then the word to begin; or that time is short. */
export type ToClipWorker =
  | { readonly kind: 'frames'; readonly frames: ClipJob['frames'] }
  | { readonly kind: 'job'; readonly job: Omit<ClipJob, 'frames'> }
  | { readonly kind: 'hurry' };

/** From the worker, once for each job. */
export type FromClipWorker =
  | { readonly kind: 'made'; readonly result: ClipResult }
  | { readonly kind: 'failed'; readonly reason: string };

const port = parentPort!; // this file is only ever started as a worker
const hurry = new AbortController();
let frames: ClipJob['frames'][number][] = [];

sharp.cache(false);
sharp.concurrency(1);
try {
  setPriority(0, 5); // Linux: of this thread alone
} catch {
  // Not allowed, or no such thing here: then it runs like the others.
}

port.on('message', (message: ToClipWorker) => {
  if (message.kind === 'frames') frames.push(...message.frames);
  else if (message.kind === 'hurry') hurry.abort();
  else {
    const job = { ...message.job, frames };
    frames = [];
    const reply = (from: FromClipWorker): void => port.postMessage(from);
    makeClip(job, hurry.signal).then(
      (result) => reply({ kind: 'made', result }),
      (cause: unknown) => reply({ kind: 'failed', reason: cause instanceof Error ? cause.message : String(cause) }),
    );
  }
});
