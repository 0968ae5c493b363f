import { setImmediate as turn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { workerUrl } from '../../models/runtime/worker-url.js';
import type { FromClipWorker, ToClipWorker } from './clip-worker.js';
import type { ClipJob, ClipResult } from './make-clip.js';

/** Frames handed over at a time: copying a long clip's in one go would hold up the main thread. */
const SLICE = 100;

/** Makes clips in a thread of its own, one at a time. A thread that breaks is replaced at the next clip. */
export class ClipMaker {
  #worker: Worker | undefined;
  #hurry = false;

  /** @throws Error with a reason for the user */
  async make({ frames, ...job }: ClipJob): Promise<ClipResult> {
    const worker = this.#start();
    worker.ref();
    const send = (message: ToClipWorker): void => worker.postMessage(message);
    const reply = new Promise<FromClipWorker>((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', (cause) => reject(new Error(`the clip worker failed: ${cause.message}`, { cause })));
      worker.once('exit', () => reject(new Error('the clip was given up: the program ended')));
    });
    reply.catch(() => undefined); // awaited below, after the handing over
    try {
      for (let i = 0; i < frames.length; i += SLICE) {
        send({ kind: 'frames', frames: frames.slice(i, i + SLICE) });
        await turn();
      }
      send({ kind: 'job', job });
      const answer = await reply;
      if (answer.kind === 'failed') throw new Error(answer.reason);
      return answer.result;
    } finally {
      worker.removeAllListeners('message').removeAllListeners('error').removeAllListeners('exit');
      worker.on('error', () => undefined);
      worker.once('exit', () => this.#gone(worker));
      worker.unref();
    }
  }

  /** From now on clips are made without rendering; one that is being rendered is finished without. */
  hurry(): void {
    this.#hurry = true;
    this.#worker?.postMessage({ kind: 'hurry' } satisfies ToClipWorker);
  }

  /** Gives up what is being made. */
  async close(): Promise<void> {
    // The children of the thread end with it: their pipes close.
    await this.#worker?.terminate();
    this.#worker = undefined;
  }

  #start(): Worker {
    if (this.#worker) return this.#worker;
    const worker = new Worker(workerUrl(import.meta.url, './clip-worker.js'));
    this.#worker = worker;
    if (this.#hurry) worker.postMessage({ kind: 'hurry' } satisfies ToClipWorker);
    return worker;
  }

  #gone(worker: Worker): void {
    if (this.#worker === worker) this.#worker = undefined;
  }
}
