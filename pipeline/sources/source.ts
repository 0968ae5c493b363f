import { Observable } from 'rxjs';
import type { CameraConfig } from '../../config/schema.js';
import type { CameraId, InputForm, SourceMessage } from '../../operators/types.js';
import type { Log } from '../log.js';
import type { SourceStats } from './capture.js';
import { Supervisor } from './supervisor.js';

export interface SourceOptions {
  readonly camera: CameraId;
  readonly config: CameraConfig;
  /** Form in which frames are delivered. */
  readonly input: InputForm;
  /** Also write segments of about `segmentS` seconds into `folder`, cut at key frames; while the disk takes them. */
  readonly record?: { readonly folder: string; readonly segmentS: number };
  readonly log: Log;
  /** Picture buffers of this camera, default 4; each is 3 · width · height bytes. */
  readonly poolFrames?: number;
  /** How often a disk that took no segments is tried again while a live camera runs, default 30 s. */
  readonly recordRetryMs?: number;
  /** For tests; left out: the machine's clock and randomness. */
  readonly clock?: SourceClock;
}

export interface SourceClock {
  /** UTC ms. */
  nowMs(): number;
  /** 0…1 */
  random(): number;
}

export interface Source {
  /**
   * Cold, for one subscriber: subscribing starts, unsubscribing ends everything. Completes at the end of a file or after
   * `stop()`; errors with `InputError` when a file is refused or ffmpeg is missing. A live source never errors for what
   * its camera does.
   */
  readonly messages: Observable<SourceMessage>;
  /** Counts so far; a copy. */
  stats(): SourceStats;
  /** Ends the source; resolves when ffmpeg is gone and its last segment was emitted. */
  stop(): Promise<void>;
}

/** A camera, file, folder of images or device as a stream of frames, segments and states. */
export function openSource(options: SourceOptions): Source {
  const stats: SourceStats = { frames: 0, delivered: 0, dropped: 0, decodeErrors: 0, epochs: 0 };
  let supervisor: Supervisor | undefined;
  return {
    messages: new Observable<SourceMessage>((subscriber) => {
      if (supervisor) throw new Error(`camera ${options.camera}: messages take one subscriber`);
      const started = new Supervisor(options, stats, subscriber);
      supervisor = started;
      void started.run();
      return () => void started.stop();
    }),
    stats: () => ({ ...stats }),
    stop: async () => supervisor?.stop(),
  };
}
