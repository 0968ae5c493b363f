import { availableParallelism } from 'node:os';
import { basename } from 'node:path';
import type { FrameInstances } from '../../models/adapters/adapter.js';
import type { ModelInfo, ModelProvider } from '../../models/runtime/model.js';
import { workerUrl } from '../../models/runtime/worker-url.js';
import { fileDigest } from '../../models/tuning/store.js';
import type { Detection, Frame, Thumbnail } from '../../operators/types.js';
import type { Log } from '../log.js';
import { chooseLayout } from './layout.js';
import { openThreads } from './threads.js';
import { planOf, type Runnable, startTuned } from './tuned.js';
import { type InferenceThread, startThread } from './worker-thread.js';

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
  /**
   * Data folder. With it, what `maskcast model tune` chose on this machine is used where the settings above say `auto`; left
   * out: the file runs as it is.
   */
  readonly dataFolder?: string;
  /** Also make a thumbnail of each frame, for `watchCamera`; left out: no. */
  readonly thumbnails?: boolean;
}

/** What is loaded and how it runs. */
export interface DetectorInfo extends Omit<ModelInfo, 'fixedBatch'> {
  readonly file: string;
  /** Frames that one `detect` should carry at most: they go through in one run, or in one run of each worker. */
  readonly maxBatch: number;
  /** SHA-256 of the file, hex. */
  readonly digest: string;
  readonly workers: number;
  readonly threads: number;
}

export interface DetectResult {
  /** One list a frame, in the order of the frames; best score first. */
  readonly detections: readonly (readonly Detection[])[];
  /** One a frame where the detector was asked for them. */
  readonly thumbnails?: readonly Thumbnail[];
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
  /** Threads that died; each is replaced. */
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
   * Runs the model on frames, which stay the caller's and must not be released before the promise settles. Waits for a
   * worker when none is free. More frames than one run takes are spread over several.
   *
   * @throws WorkerLost when a worker died with some of the frames; Error when a run failed or the detector is closed
   */
  detect(frames: readonly Frame[]): Promise<DetectResult>;
  stats(): DetectorStats;
  /** Lets what runs end, refuses what waits, ends the threads. May be called more than once. */
  close(): Promise<void>;
}

/** Frames a run with a model that takes any number, unless the user says otherwise. */
const AUTO_BATCH = 4;

/**
 * Loads a model on its worker threads.
 *
 * @throws InputError when file, signature or provider is at fault
 */
export async function openDetector(options: DetectorOptions): Promise<Detector> {
  const { file, provider, log, minScore, labels, thumbnails: wantsThumbnails = false } = options;
  const note = (sentence: string): void => log.info({ model: file }, sentence);
  const program = workerUrl(import.meta.url, '../../models/runtime/worker.js');
  const cores = availableParallelism();
  // A file that cannot be read is refused, with its reason, by the first worker.
  const digest = await fileDigest(file).catch(() => undefined);
  const tuned = await planOf(options, digest);
  const start = (run: Runnable, where: ModelProvider): Promise<InferenceThread> =>
    startThread(
      program,
      {
        file: run.file,
        provider: where,
        batch: run.batch,
        minScore,
        threads: run.threads,
        thumbnails: wantsThumbnails,
        ...(labels ? { labels } : {}),
      },
      note,
    );
  const untuned: Runnable = {
    file,
    batch: options.batch === 'auto' ? AUTO_BATCH : options.batch,
    ...chooseLayout(options, cores, true),
  };

  // The first says where it runs; the others go to the same place without trying anew.
  const tunedFirst = tuned && (await startTuned(tuned, () => start(tuned, provider), options));
  const run = tuned && tunedFirst ? tuned : untuned;
  const first = tunedFirst ?? (await start(untuned, provider));
  if (digest === undefined) {
    await first.close();
    throw new Error(`model file ${file} went away while it was loaded`);
  }
  const { batch } = run;
  const onCpu = { workers: run.workers, threads: run.threads };
  const layout = first.info.provider === 'cpu' ? onCpu : chooseLayout(options, cores, false);
  const threads = await openThreads({
    first,
    count: layout.workers,
    start: () => start({ ...run, ...layout }, first.info.provider),
    onTrouble: (sentence) => log.error({ model: file }, sentence),
  });
  const { fixedBatch, ...known } = first.info;
  const perRun = fixedBatch ?? batch;
  if (typeof options.batch === 'number' && perRun !== options.batch) {
    log.warn({ model: file }, `the model takes ${perRun} frame(s) a run; batch ${options.batch} is passed over`);
  }
  const info: DetectorInfo = {
    ...known,
    name: basename(file),
    file,
    maxBatch: fixedBatch === undefined ? batch : fixedBatch * layout.workers,
    digest,
    ...layout,
  };
  log.info({ model: file, adapter: info.adapter, provider: info.provider, ...layout, batch: perRun }, 'model loaded');

  const counts = { batches: 0, frames: 0, failed: 0 };
  return {
    info,
    get idle() {
      return threads.idle;
    },
    async detect(frames) {
      const askedMs = performance.now();
      let startedMs = frames.length > 0 ? Number.POSITIVE_INFINITY : askedMs;
      const onStart = (): void => {
        startedMs = Math.min(startedMs, performance.now());
      };
      // All must be over before the caller may release the frames, also when one fails.
      const outcomes = await Promise.allSettled(chunks(frames, perRun).map((chunk) => threads.run(chunk, onStart)));
      const detections: Detection[][] = [];
      const thumbnails: Thumbnail[] = [];
      for (const outcome of outcomes) {
        if (outcome.status === 'rejected') {
          counts.failed++;
          throw outcome.reason;
        }
        for (const one of outcome.value) {
          detections.push(toDetections(one, info.labels));
          if (one.thumbnail) thumbnails.push(one.thumbnail);
        }
      }
      counts.batches++;
      counts.frames += frames.length;
      return {
        detections,
        ...(wantsThumbnails && { thumbnails }),
        detectMs: performance.now() - startedMs,
        waitMs: startedMs - askedMs,
      };
    },
    stats: () => ({ ...counts, lost: threads.lost, waiting: threads.waiting }),
    close: () => threads.close(),
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
