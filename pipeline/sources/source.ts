import { mkdir } from 'node:fs/promises';
import { resolve as resolvePath } from 'node:path';
import { Observable, type Subscriber } from 'rxjs';
import { InputError } from '../../config/errors.js';
import type { CameraConfig } from '../../config/schema.js';
import type { CameraId, Frame, InputForm, SourceMessage } from '../../operators/types.js';
import type { CapturePlan, Hardware } from '../ffmpeg/arguments.js';
import { FramePool } from '../ffmpeg/frame-pool.js';
import { sourceKind } from '../ffmpeg/input-kind.js';
import type { FfmpegEnd } from '../ffmpeg/process.js';
import { splitSegment } from '../ffmpeg/split-segment.js';
import type { Log } from '../log.js';
import { createBackoff } from './backoff.js';
import { type Capture, type SourceStats, startCapture } from './capture.js';
import { failureReason } from './failure.js';
import { endOfFile, expectedFrames, type FiniteInput, openFinite } from './finite-input.js';
import { watchFrozen } from './frozen-picture.js';
import { StatusBoard } from './status-board.js';
import { Timeline } from './timeline.js';

export interface SourceOptions {
  readonly camera: CameraId;
  readonly config: CameraConfig;
  /** Form in which frames are delivered. */
  readonly input: InputForm;
  /** Also write stream-copied segments of about `segmentS` seconds into `folder`, cut at key frames. */
  readonly record?: { readonly folder: string; readonly segmentS: number };
  readonly log: Log;
  /** Picture buffers of this camera; each is 3 · width · height bytes. */
  readonly poolFrames?: number;
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
   * `stop()`; errors with `InputError` when a file is refused. A live source never errors.
   */
  readonly messages: Observable<SourceMessage>;
  /** Counts so far; a copy. */
  stats(): SourceStats;
  /** Ends the source; resolves when ffmpeg is gone and its last segment was emitted. */
  stop(): Promise<void>;
}

const DEFAULT_POOL_FRAMES = 4;
const DEFAULT_LIVE_FPS = 10;
const ANALYSIS_S = 1.5;
const LONGEST_ANALYSIS_S = 10;
/**
 * Longest wait for a camera to say what it sends. Short, because a switched-off camera swallows the first call, and TCP
 * repeats it more and more seldom; every third time longer, for cameras that need to be asked with patience.
 */
const ANSWER_S = [5, 5, 12] as const;
/** Longest wait from there to the first picture: a key frame may be ten seconds away, and more. Doubles when in vain. */
const FIRST_PICTURE_S = 12;
const LONGEST_FIRST_PICTURE_S = 60;
/** A connection with frames for so long was good: waits begin small again. */
const GOOD_RUN_MS = 10_000;
const WATCH_EVERY_MS = 250;
const REFRESH_STATUS_MS = 10_000;
/** Words in ffmpeg's last lines that blame hardware decoding. */
const HARDWARE_FAILED =
  /hwaccel|hardware|vaapi|cuda|nvdec|qsv|mfx|videotoolbox|d3d11|v4l2m2m|rkmpp|Device creation failed/i;

/** A camera, file, folder of images or device as a stream of frames, segments and states. */
export function openSource(options: SourceOptions): Source {
  const stats: SourceStats = { frames: 0, delivered: 0, dropped: 0, decodeErrors: 0, epochs: 0 };
  let run: Supervisor | undefined;
  return {
    messages: new Observable<SourceMessage>((subscriber) => {
      if (run) throw new Error(`camera ${options.camera}: messages take one subscriber`);
      const supervisor = new Supervisor(options, stats, subscriber);
      run = supervisor;
      void supervisor.run();
      return () => void supervisor.stop();
    }),
    stats: () => ({ ...stats }),
    stop: async () => run?.stop(),
  };
}

/** Keeps a camera's connections coming, one after the other. */
class Supervisor {
  readonly #options: SourceOptions;
  readonly #stats: SourceStats;
  readonly #out: Subscriber<SourceMessage>;
  readonly #log: Log;
  readonly #clock: SourceClock;
  readonly #board: StatusBoard;
  readonly #done: Promise<void>;
  #finish!: () => void;
  #stopped = false;
  #capture: Capture | undefined;
  #wake: (() => void) | undefined;

  constructor(options: SourceOptions, stats: SourceStats, out: Subscriber<SourceMessage>) {
    this.#options = options;
    this.#stats = stats;
    this.#out = out;
    this.#log = options.log;
    this.#clock = options.clock ?? { nowMs: Date.now, random: Math.random };
    this.#board = new StatusBoard(options.camera, this.#clock.nowMs, (status) => out.next({ kind: 'status', status }));
    this.#done = new Promise((resolve) => {
      this.#finish = resolve;
    });
  }

  async run(): Promise<void> {
    const refresh = setInterval(() => this.#board.refresh(), REFRESH_STATUS_MS);
    try {
      await this.#connections();
      this.#board.set('ended', this.#epoch, this.#stopped ? 'stopped' : undefined);
      this.#out.complete();
    } catch (error) {
      // A refusal is the user's to mend; anything else is ours, and both end the source.
      this.#board.set('failed', this.#epoch, error instanceof InputError ? error.message : 'internal error');
      this.#out.error(error);
    } finally {
      clearInterval(refresh);
      this.#finish();
    }
  }

  stop(): Promise<void> {
    this.#stopped = true;
    this.#capture?.stop();
    this.#wake?.();
    return this.#done;
  }

  get #epoch(): number {
    return Math.max(0, this.#stats.epochs - 1);
  }

  async #connections(): Promise<void> {
    const { camera, config, input, record } = this.#options;
    const kind = sourceKind(config.source);
    const live = config.live ?? (kind === 'rtsp' || kind === 'http' || kind === 'device');
    this.#board.set('connecting', 0);
    const finite = await openFinite(kind, config, camera);
    if (finite?.note) this.#log.info(finite.note);
    const expected = finite && expectedFrames(finite, config.fps);
    if (expected !== undefined) this.#stats.expected = expected;
    if (record) await mkdir(record.folder, { recursive: true });

    const pool = new FramePool(this.#options.poolFrames ?? DEFAULT_POOL_FRAMES, input.width * input.height * 3);
    const backoff = createBackoff(this.#clock.random, () => performance.now());
    const runName = Math.floor(this.#clock.nowMs()).toString(36);
    const finishes = finite !== undefined || (kind === 'http' && !live);
    let hardware: Hardware = config.hardware;
    let stampAtArrival = false;
    let fileTimeMs = finite?.timeMs ?? this.#clock.nowMs();
    let pictureless = 0;

    for (let attempt = 0; !this.#stopped; attempt++) {
      const plan: CapturePlan = {
        kind,
        source: kind === 'file' ? resolvePath(config.source) : config.source,
        input,
        fps: config.fps ?? (live ? DEFAULT_LIVE_FPS : undefined),
        live,
        transport: config.transport,
        hardware,
        silenceS: Math.max(LONGEST_FIRST_PICTURE_S, 2 * config.stallAfter),
        // What could not be understood in a short look gets a longer one.
        analyseS: Math.min(LONGEST_ANALYSIS_S, ANALYSIS_S * 2 ** pictureless),
        stampAtArrival,
        ...(record &&
          finite?.recordMode !== 'none' && {
            record: {
              folder: resolvePath(record.folder),
              prefix: `${camera}-${runName}-${attempt}-`,
              segmentS: record.segmentS,
              mode: finite?.recordMode ?? 'copy',
            },
          }),
      };
      const timeline = new Timeline({
        live,
        epoch: this.#stats.epochs,
        fileTimeMs,
        note: (level, sentence) => this.#log[level](sentence),
      });
      const patience = {
        answerS: Math.max(ANSWER_S[attempt % ANSWER_S.length]!, config.stallAfter, plan.analyseS + 2),
        firstPictureS: Math.min(LONGEST_FIRST_PICTURE_S, FIRST_PICTURE_S * 2 ** pictureless),
      };
      const { end, capture, stalled, unstamped, answered } = await this.#connection(
        plan,
        timeline,
        pool,
        patience,
        finite,
      );
      if (this.#stopped) return;
      if (end.unstarted !== undefined) throw new InputError(end.unstarted);
      if (unstamped) {
        stampAtArrival = true;
        continue;
      }
      const hadFrames = capture.frames() > 0;
      if (hardware !== 'none' && !hadFrames && HARDWARE_FAILED.test(end.tail.join('\n'))) {
        this.#log.warn(`hardware decoding (${hardware}) does not work here; software decoding goes on`);
        this.#log.debug({ ffmpeg: end.tail }, 'last lines of ffmpeg');
        hardware = 'none';
        continue;
      }
      if (finishes) {
        this.#reportEnd(end, capture, timeline, finite);
        if (!config.loop) return;
        fileTimeMs = timeline.nextTime;
        continue;
      }
      const lasted = capture.lastSignMs() - capture.startedMs;
      if (hadFrames && lasted >= GOOD_RUN_MS) backoff.reset();
      pictureless = hadFrames || !answered ? 0 : pictureless + 1;
      const reason = stalled ?? failureReason(end.tail, end.code, hadFrames);
      const waitMs = backoff.next();
      this.#log.warn({ waitMs: Math.round(waitMs) }, `connection lost: ${reason}; trying again`);
      this.#log.debug({ ffmpeg: end.tail, code: end.code, signal: end.signal }, 'last lines of ffmpeg');
      this.#board.set('reconnecting', this.#epoch, reason);
      await this.#wait(waitMs);
    }
  }

  /** One connection with its watchdog. */
  async #connection(
    plan: CapturePlan,
    timeline: Timeline,
    pool: FramePool,
    patience: { readonly answerS: number; readonly firstPictureS: number },
    finite: FiniteInput | undefined,
  ): Promise<{ end: FfmpegEnd; capture: Capture; stalled: string | undefined; unstamped: boolean; answered: boolean }> {
    const frozen = watchFrozen();
    const { config } = this.#options;
    let stalled: string | undefined;
    let unstamped = false;
    let answered = false;
    let hardwareFailed = false;
    const capture = startCapture({
      camera: this.#options.camera,
      plan,
      ...(finite?.stdin !== undefined && { stdin: finite.stdin }),
      pool,
      timeline,
      stats: this.#stats,
      nowMs: this.#clock.nowMs,
      onFrame: (frame) => this.#deliver(frame, plan.live && frozen.look(frame.pixels, frame.receivedMs)),
      onSegment: (segment) => this.#out.next({ kind: 'segment', segment }),
      split: async (segment) => {
        try {
          return await splitSegment(segment);
        } catch (error) {
          this.#log.warn(
            { error: String(error) },
            'a segment with two picture sizes could not be split; it stays whole',
          );
          return [segment];
        }
      },
      onText: (text) => {
        if (/Input #0,/.test(text)) answered = true;
        // Motion JPEG over HTTP has no times; ffmpeg would invent 25 a second.
        if (
          plan.kind === 'http' &&
          plan.live &&
          !plan.stampAtArrival &&
          /Input #0, (mpjpeg|mjpeg|jpeg_pipe)/.test(text)
        ) {
          unstamped = true;
          capture.stop();
        }
        if (
          plan.hardware !== 'none' &&
          !hardwareFailed &&
          /hwaccel initialisation returned error|Failed setup for format/.test(text)
        ) {
          hardwareFailed = true;
          this.#log.warn(
            `hardware decoding (${plan.hardware}) does not work for this stream; ffmpeg decodes it in software`,
          );
        }
      },
    });
    this.#capture = capture;
    if (this.#stopped) capture.stop();
    const watchdog = setInterval(() => {
      if (!plan.live || stalled !== undefined) return;
      const limitS = capture.frames()
        ? Math.max(config.stallAfter, 3 * timeline.intervalS)
        : answered
          ? Math.max(patience.firstPictureS, config.stallAfter)
          : patience.answerS;
      if (performance.now() - capture.lastSignMs() <= limitS * 1000) return;
      const what = capture.frames() || answered ? 'no picture' : 'no answer';
      stalled = `${what} for ${Number(limitS.toFixed(1))} s`;
      capture.stop();
    }, WATCH_EVERY_MS);
    const end = await capture.ended;
    clearInterval(watchdog);
    this.#capture = undefined;
    return { end, capture, stalled, unstamped, answered };
  }

  #deliver(frame: Frame, frozen: boolean): void {
    this.#stats.epochs = Math.max(this.#stats.epochs, frame.epoch + 1);
    this.#board.count(frame.receivedMs);
    this.#board.set('live', frame.epoch, frozen ? 'picture is frozen' : undefined);
    if (this.#out.closed) frame.release();
    else this.#out.next({ kind: 'frame', frame });
  }

  #reportEnd(end: FfmpegEnd, capture: Capture, timeline: Timeline, finite: FiniteInput | undefined): void {
    const name = finite?.name ?? 'the source';
    if (capture.frames() === 0) {
      const why = finite ? 'none of its pictures can be decoded' : failureReason(end.tail, end.code, false);
      throw new InputError(`source ${name}: ${why}; give another one`);
    }
    const warning = endOfFile({
      frames: capture.frames(),
      lastPtsS: timeline.lastPts,
      intervalS: timeline.intervalS,
      errors: end.errors,
      everyFrame: this.#options.config.fps === undefined,
      finite,
    });
    if (warning) this.#log.warn(`source ${name} ${warning}`);
    if (end.code !== 0) this.#log.debug({ ffmpeg: end.tail, code: end.code }, 'last lines of ffmpeg');
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
