import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { availableParallelism } from 'node:os';
import type { FrameInstances } from '../../models/adapters/adapter.js';
import type { ModelInfo, ModelProvider } from '../../models/runtime/model.js';
import type { WorkerData } from '../../models/runtime/worker-messages.js';
import { workerUrl } from '../../models/runtime/worker-url.js';
import type { Detection, Frame } from '../../operators/types.js';
import type { Log } from '../log.js';
import { chooseLayout } from './layout.js';
import { type InferenceThread, startThread, WorkerLost } from './worker-thread.js';

export { WorkerLost } from './worker-thread.js';

export interface DetectorOptions {
  readonly file: string;
  readonly provider: ModelProvider;
  readonly workers: number | 'auto';
  readonly threads: number | 'auto';
  /** Frames of the largest run. */
  readonly batch: number | 'auto';
  /** Detections below this never leave the worker. */
  readonly minScore: number;
  readonly log: Log;
  /** Names of the model's classes, in its order; left out: those of the file, else COCO's. */
  readonly labels?: readonly string[];
}

/** What is loaded and how it runs. */
export interface DetectorInfo extends Omit<ModelInfo, 'fixedBatch'> {
  readonly file: string;
  /** Frames that one `detect` should carry at most to go through in one run (or one run a worker). */
  readonly maxBatch: number;
  /** SHA-256 of the file, hex. */
  readonly digest: string;
  readonly workers: number;
  readonly threads: number;
}

export interface DetectResult {
  /** One list a frame, in the order of the frames; best score first. */
  readonly detections: readonly (readonly Detection[])[];
  /** From the hand-over to a worker to the last result, ms. */
  readonly detectMs: number;
  /** Waited for a free worker, ms. */
  readonly waitMs: number;
}

export interface DetectorStats {
  readonly batches: number;
  readonly frames: number;
  /** Calls of `detect` that threw. */
  readonly failed: number;
  /** Threads that died and were replaced. */
  readonly lost: number;
  /** Runs that wait for a worker now. */
  readonly waiting: number;
}

/** A model on its worker threads. */
export interface Detector {
  readonly info: DetectorInfo;
  /** Workers that are free now. */
  readonly idle: number;
  /**
   * Runs the model on frames, which stay the caller's and must not be released before the promise settles. Waits for a worker
   * when none is free.
   *
   * @throws WorkerLost when a worker died with some of the frames; Error when the run failed or the detector is closed
   */
  detect(frames: readonly Frame[]): Promise<DetectResult>;
  stats(): DetectorStats;
  /** Lets what runs end, refuses what waits, ends the threads. May be called more than once. */
  close(): Promise<void>;
}

/** Frames a run with a model that takes any number, unless the user says otherwise. */
const AUTO_BATCH = 4;
const FIRST_RETRY_MS = 250;
const LONGEST_RETRY_MS = 30_000;

interface Job {
  readonly frames: readonly Frame[];
  readonly askedMs: number;
  started(ms: number): void;
  resolve(instances: readonly FrameInstances[]): void;
  reject(cause: unknown): void;
}

/**
 * Loads a model on its worker threads.
 *
 * @throws InputError when file, signature or provider is at fault
 */
export async function openDetector(options: DetectorOptions): Promise<Detector> {
  const { file, provider, log, minScore, labels } = options;
  const batch = options.batch === 'auto' ? AUTO_BATCH : options.batch;
  const program = workerUrl(import.meta.url, '../../models/runtime/worker.js');
  const cores = availableParallelism();
  let layout = chooseLayout(options, cores, true);
  const dataFor = (): WorkerData => ({
    file,
    provider,
    batch,
    minScore,
    threads: layout.threads,
    spinning: layout.workers === 1,
    ...(labels ? { labels } : {}),
  });
  const start = (): Promise<InferenceThread> =>
    startThread(program, dataFor(), (note) => log.info({ model: file }, note));

  const first = await start();
  const digest = await sha256(file);
  if (first.info.provider !== 'cpu') layout = chooseLayout(options, cores, false);
  const { fixedBatch, ...known } = first.info;
  if (fixedBatch !== undefined && options.batch !== 'auto' && options.batch !== fixedBatch) {
    log.warn({ model: file }, `the model takes ${fixedBatch} frames a run; batch ${options.batch} is passed over`);
  }
  const perRun = fixedBatch ?? batch;
  const info: DetectorInfo = {
    ...known,
    file,
    maxBatch: fixedBatch === undefined ? batch : fixedBatch * layout.workers,
    digest,
    ...layout,
  };

  const free: InferenceThread[] = [];
  const open = new Set<InferenceThread>();
  const queue: Job[] = [];
  const retries = new Set<NodeJS.Timeout>();
  const starting = new Set<Promise<void>>();
  let closed: Promise<void> | undefined;
  const counts = { batches: 0, frames: 0, failed: 0, lost: 0 };

  const pump = (): void => {
    while (free.length > 0 && queue.length > 0) void runJob(free.shift()!, queue.shift()!);
  };
  const runJob = async (thread: InferenceThread, job: Job): Promise<void> => {
    job.started(performance.now());
    try {
      job.resolve(await thread.run(job.frames));
    } catch (cause) {
      job.reject(cause);
      if (cause instanceof WorkerLost) return;
    }
    free.push(thread);
    pump();
  };

  const adopt = (thread: InferenceThread): void => {
    open.add(thread);
    free.push(thread);
    void thread.gone.then((reason) => {
      open.delete(thread);
      const at = free.indexOf(thread);
      if (at >= 0) free.splice(at, 1);
      if (closed) return;
      counts.lost++;
      log.error({ model: file }, `an inference thread died and is replaced: ${reason?.message}`);
      replaceAfter(FIRST_RETRY_MS);
    });
    pump();
  };
  const replaceAfter = (waitMs: number): void => {
    const timer = setTimeout(() => {
      retries.delete(timer);
      const attempt = start().then(
        (thread) => (closed ? thread.close() : adopt(thread)),
        (cause: Error) => {
          if (closed) return;
          const nextMs = Math.min(2 * waitMs, LONGEST_RETRY_MS);
          log.error({ model: file }, `a new inference thread did not start (again in ${nextMs} ms): ${cause.message}`);
          replaceAfter(nextMs);
        },
      );
      starting.add(attempt);
      void attempt.finally(() => starting.delete(attempt));
    }, waitMs);
    retries.add(timer);
  };

  adopt(first);
  for (const thread of await Promise.all(Array.from({ length: layout.workers - 1 }, start))) adopt(thread);
  log.info({ model: file, adapter: info.adapter, provider: info.provider, ...layout, batch: perRun }, 'model loaded');

  const enqueue = (frames: readonly Frame[], started: (ms: number) => void): Promise<readonly FrameInstances[]> =>
    new Promise((resolve, reject) => {
      if (closed) reject(new Error('the detector is closed'));
      else queue.push({ frames, askedMs: performance.now(), started, resolve, reject });
    });

  return {
    info,
    get idle() {
      return free.length;
    },
    async detect(frames) {
      const askedMs = performance.now();
      let startedMs = Number.POSITIVE_INFINITY;
      const runs = chunks(frames, perRun).map((chunk) =>
        enqueue(chunk, (ms) => {
          startedMs = Math.min(startedMs, ms);
        }),
      );
      pump();
      // All must be over before the caller may release the frames, also when one failed.
      const outcomes = await Promise.allSettled(runs);
      const failure = outcomes.find((outcome) => outcome.status === 'rejected');
      if (failure) {
        counts.failed++;
        throw failure.reason;
      }
      const instances = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? outcome.value : []));
      counts.batches++;
      counts.frames += frames.length;
      const endMs = performance.now();
      if (frames.length === 0) startedMs = endMs;
      return {
        detections: instances.map((one) => toDetections(one, info.labels)),
        detectMs: endMs - startedMs,
        waitMs: startedMs - askedMs,
      };
    },
    stats: () => ({ ...counts, waiting: queue.length }),
    close() {
      closed ??= (async () => {
        for (const timer of retries) clearTimeout(timer);
        for (const job of queue.splice(0)) job.reject(new Error('the detector is closed'));
        await Promise.all([...open].map((thread) => thread.close()));
        await Promise.all(starting);
      })();
      return closed;
    },
  };
}

function chunks<T>(all: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, i) => all.slice(i * size, (i + 1) * size));
}

function toDetections(
  { count, boxes, scores, classes, masks }: FrameInstances,
  labels: readonly string[],
): Detection[] {
  return Array.from({ length: count }, (_, i) => {
    const mask = masks?.[i];
    return {
      // Some id of COCO's list has no name.
      label: labels[classes[i]!] || `class${classes[i]}`,
      score: scores[i]!,
      box: [boxes[4 * i]!, boxes[4 * i + 1]!, boxes[4 * i + 2]!, boxes[4 * i + 3]!],
      ...(mask ? { mask } : {}),
    };
  });
}

async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk);
  return hash.digest('hex');
}
