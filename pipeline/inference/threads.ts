import type { ModelFrame } from '../../models/adapters/adapter.js';
import type { SeenFrame } from '../../models/runtime/worker-messages.js';
import { type InferenceThread, WorkerLost } from './worker-thread.js';

/** Inference threads of one model: each run goes to the first that is free, and a thread that dies is replaced. */
export interface Threads {
  /** Threads that are free now. */
  readonly idle: number;
  /** Runs that wait for a thread. */
  readonly waiting: number;
  /** Threads that died so far. */
  readonly lost: number;
  /**
   * Runs the model once, as soon as a thread is free and everything asked for before has begun.
   *
   * @param onStart  called when a thread has taken it
   * @throws WorkerLost when the thread died with it; Error when the run failed or the threads are closed
   */
  run(frames: readonly ModelFrame[], onStart: () => void): Promise<readonly SeenFrame[]>;
  /** Lets the runs under way end, refuses those that wait, ends the threads. */
  close(): Promise<void>;
}

export interface ThreadsOptions {
  readonly first: InferenceThread;
  /** How many there are to be, the first included. */
  readonly count: number;
  readonly start: () => Promise<InferenceThread>;
  /** Hears of each death and of each replacement that did not start. */
  readonly onTrouble: (sentence: string) => void;
}

const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 30_000;
/** A thread that lived this long died of something new. */
const HEALTHY_MS = 60_000;

interface Job {
  readonly frames: readonly ModelFrame[];
  onStart(): void;
  resolve(seen: readonly SeenFrame[]): void;
  reject(cause: unknown): void;
}

/**
 * Starts the other threads.
 *
 * @throws whatever `start` throws; all threads, `first` too, have ended then
 */
export async function openThreads({ first, count, start, onTrouble }: ThreadsOptions): Promise<Threads> {
  const free: InferenceThread[] = [];
  const alive = new Set<InferenceThread>();
  const queue: Job[] = [];
  const timers = new Set<NodeJS.Timeout>();
  const starting = new Set<Promise<void>>();
  let closed: Promise<void> | undefined;
  let lost = 0;

  const pump = (): void => {
    while (free.length > 0 && queue.length > 0) void give(free.shift()!, queue.shift()!);
  };
  const give = async (thread: InferenceThread, job: Job): Promise<void> => {
    job.onStart();
    try {
      job.resolve(await thread.run(job.frames));
    } catch (cause) {
      job.reject(cause);
      if (cause instanceof WorkerLost) return;
    }
    if (!alive.has(thread)) return;
    free.push(thread);
    pump();
  };

  const adopt = (thread: InferenceThread, waitMs: number): void => {
    const bornMs = performance.now();
    alive.add(thread);
    free.push(thread);
    void thread.gone.then((reason) => {
      alive.delete(thread);
      const at = free.indexOf(thread);
      if (at >= 0) free.splice(at, 1);
      if (closed) return;
      lost++;
      const nextMs = performance.now() - bornMs > HEALTHY_MS ? FIRST_WAIT_MS : waitMs;
      onTrouble(`an inference thread died (${reason?.message}); a new one starts in ${nextMs} ms`);
      replaceAfter(nextMs);
    });
    pump();
  };
  const replaceAfter = (waitMs: number): void => {
    const longerMs = Math.min(2 * waitMs, LONGEST_WAIT_MS);
    const timer = setTimeout(() => {
      timers.delete(timer);
      const attempt = start().then(
        (thread) => (closed ? thread.close() : adopt(thread, longerMs)),
        (cause: Error) => {
          if (closed) return;
          onTrouble(`a new inference thread did not start (${cause.message}); again in ${longerMs} ms`);
          replaceAfter(longerMs);
        },
      );
      starting.add(attempt);
      void attempt.finally(() => starting.delete(attempt));
    }, waitMs);
    timers.add(timer);
  };
  const close = (): Promise<void> => {
    closed ??= (async () => {
      for (const timer of timers) clearTimeout(timer);
      for (const job of queue.splice(0)) job.reject(closedError());
      await Promise.all([...alive].map((thread) => thread.close()));
      await Promise.all(starting);
    })();
    return closed;
  };

  adopt(first, FIRST_WAIT_MS);
  const others = await Promise.allSettled(Array.from({ length: count - 1 }, () => start()));
  for (const other of others) if (other.status === 'fulfilled') adopt(other.value, FIRST_WAIT_MS);
  const failure = others.find((other) => other.status === 'rejected');
  if (failure) {
    await close();
    throw failure.reason;
  }
  return {
    get idle() {
      return free.length;
    },
    get waiting() {
      return queue.length;
    },
    get lost() {
      return lost;
    },
    run: (frames, onStart) =>
      new Promise((resolve, reject) => {
        if (closed) {
          reject(closedError());
          return;
        }
        queue.push({ frames, onStart, resolve, reject });
        pump();
      }),
    close,
  };
}

const closedError = (): Error => new Error('the detector is closed');
