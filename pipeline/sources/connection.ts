import type { CameraId, Frame, Segment } from '../../operators/types.js';
import type { CapturePlan } from '../ffmpeg/arguments.js';
import type { FramePool } from '../ffmpeg/frame-pool.js';
import type { FfmpegEnd } from '../ffmpeg/process.js';
import { type SegmentFile, splitSegment } from '../ffmpeg/split-segment.js';
import type { Log } from '../log.js';
import { type SourceStats, startCapture } from './capture.js';
import type { Timeline } from './timeline.js';

export interface ConnectionOptions {
  readonly camera: CameraId;
  readonly plan: CapturePlan;
  /** List of images for ffmpeg's stdin. */
  readonly list: string | undefined;
  readonly pool: FramePool;
  readonly timeline: Timeline;
  readonly stats: SourceStats;
  /** Pictures at the start that an earlier run over the same file has handed on. */
  readonly skip: number;
  readonly nowMs: () => number;
  readonly patience: Patience;
  readonly log: Log;
  readonly onFrame: (frame: Frame) => void;
  readonly onSegment: (segment: Segment) => void;
}

/** Longest waits, in seconds; they hold for live sources only. */
export interface Patience {
  /** Until the camera has said what it sends. */
  readonly answerS: number;
  /** From there to its first picture. */
  readonly firstPictureS: number;
  /** Between pictures; or three of their intervals, where that is longer. */
  readonly stallS: number;
}

export interface ConnectionEnd {
  readonly ffmpeg: FfmpegEnd;
  /** Pictures of this run, skipped ones too. */
  readonly frames: number;
  /** Those handed on, by this run and by the ones that it continues. */
  readonly handedOn: number;
  /** From the start to the last sign of a picture. */
  readonly lastedMs: number;
  /** The camera has said what it sends. */
  readonly answered: boolean;
  /** The watchdog ended it: why. */
  readonly stalled: string | undefined;
  /** Ended because its pictures have no times: to be started again with `stampAtArrival`. */
  readonly unstamped: boolean;
}

export interface Connection {
  readonly ended: Promise<ConnectionEnd>;
  stop(): void;
}

const WATCH_EVERY_MS = 250;
const INPUT_KNOWN = /Input #0,/;
/** Formats without times, for which ffmpeg would invent 25 pictures a second. */
const TIMELESS = /Input #0, (mpjpeg|mjpeg|jpeg_pipe)/;
const HARDWARE_GIVEN_UP = /hwaccel initialisation returned error|Failed setup for format/;

/** One connection with a camera, or one run over a file, under a watchdog. */
export function connect(options: ConnectionOptions): Connection {
  const { plan, timeline, patience, log } = options;
  let stalled: string | undefined;
  let unstamped = false;
  let answered = false;
  let softwareNoted = false;

  const split = async (segment: SegmentFile): Promise<readonly SegmentFile[]> => {
    try {
      return await splitSegment(segment);
    } catch (error) {
      log.warn({ error: String(error) }, 'a segment with two picture sizes could not be split; it stays whole');
      return [segment];
    }
  };

  const capture = startCapture({
    ...options,
    split,
    onText: (text) => {
      answered ||= INPUT_KNOWN.test(text);
      if (plan.kind === 'http' && plan.live && !plan.stampAtArrival && TIMELESS.test(text)) {
        unstamped = true;
        capture.stop();
      }
      if (plan.hardware !== 'none' && !softwareNoted && HARDWARE_GIVEN_UP.test(text)) {
        softwareNoted = true;
        log.warn(`hardware decoding (${plan.hardware}) does not work for this stream; ffmpeg decodes it in software`);
      }
    },
  });

  const watchdog = setInterval(() => {
    if (!plan.live || stalled !== undefined) return;
    // One picture tells nothing about the interval to the next.
    const limitS =
      capture.frames() > 1
        ? Math.max(patience.stallS, 3 * timeline.intervalS)
        : answered
          ? patience.firstPictureS
          : patience.answerS;
    if (performance.now() - capture.lastSignMs() <= limitS * 1000) return;
    stalled = `no ${answered || capture.frames() ? 'picture' : 'answer'} for ${Number(limitS.toFixed(1))} s`;
    capture.stop();
  }, WATCH_EVERY_MS);

  return {
    ended: capture.ended.then((ffmpeg) => {
      clearInterval(watchdog);
      const lastedMs = capture.lastSignMs() - capture.startedMs;
      return { ffmpeg, frames: capture.frames(), handedOn: capture.handedOn(), lastedMs, answered, stalled, unstamped };
    }),
    stop: capture.stop,
  };
}
