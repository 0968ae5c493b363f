import { resolve as resolvePath } from 'node:path';
import type { Subscriber } from 'rxjs';
import { InputError } from '../../config/errors.js';
import type { Frame, SourceMessage } from '../../operators/types.js';
import type { CapturePlan } from '../ffmpeg/arguments.js';
import { FramePool } from '../ffmpeg/frame-pool.js';
import { sourceKind } from '../ffmpeg/input-kind.js';
import { createBackoff } from './backoff.js';
import type { SourceStats } from './capture.js';
import { type Connection, type ConnectionEnd, connect, type Patience } from './connection.js';
import { failureReason } from './failure.js';
import { endOfFile, expectedFrames, type FiniteInput, openFinite } from './finite-input.js';
import { type FrozenPicture, watchFrozen } from './frozen-picture.js';
import { endedByDisk, recordingTrouble } from './recording-room.js';
import type { SourceOptions } from './source.js';
import { StatusBoard } from './status-board.js';
import { Timeline } from './timeline.js';

const DEFAULT_POOL_FRAMES = 4;
const DEFAULT_LIVE_FPS = 10;
/** What could not be understood in a short look gets a longer one, s. */
const ANALYSIS_S = 1.5;
const LONGEST_ANALYSIS_S = 10;
/**
 * Wait for a camera to say what it sends, s. Short, because one that is switched off swallows the first call, and TCP
 * repeats it more and more seldom; every third time longer, for cameras that need to be asked with patience.
 */
const ANSWER_S = [5, 5, 12] as const;
/** Wait for the first picture, s: a key frame may be ten seconds away. Doubles when in vain. */
const FIRST_PICTURE_S = 12;
const LONGEST_FIRST_PICTURE_S = 60;
/** A connection with pictures for so long was good: waits begin small again. */
const GOOD_RUN_MS = 10_000;
const REFRESH_STATUS_MS = 10_000;
const RECORD_RETRY_MS = 30_000;
/** Words in ffmpeg's last lines that blame hardware decoding. */
const HARDWARE_FAILED =
  /hwaccel|hardware|vaapi|cuda|nvdec|qsv|mfx|videotoolbox|d3d11|v4l2m2m|rkmpp|Device creation failed/i;

/** Keeps a camera's connections coming, one after the other; runs over a file once, or round and round. */
export class Supervisor {
  readonly #options: SourceOptions;
  readonly #stats: SourceStats;
  readonly #out: Subscriber<SourceMessage>;
  readonly #nowMs: () => number;
  readonly #board: StatusBoard;
  readonly #done: Promise<void>;
  #finish!: () => void;
  #stopped = false;
  #connection: Connection | undefined;
  #wake: (() => void) | undefined;
  #frozen: FrozenPicture = watchFrozen();
  #diskFailing = false;
  #diskIsBack = false;

  constructor(options: SourceOptions, stats: SourceStats, out: Subscriber<SourceMessage>) {
    this.#options = options;
    this.#stats = stats;
    this.#out = out;
    this.#nowMs = options.clock?.nowMs ?? Date.now;
    this.#board = new StatusBoard(options.camera, this.#nowMs, (status) => out.next({ kind: 'status', status }));
    this.#done = new Promise((resolve) => {
      this.#finish = resolve;
    });
  }

  /** Runs to the end of everything and tells the subscriber; never rejects. */
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
    this.#connection?.stop();
    this.#wake?.();
    return this.#done;
  }

  /** Epoch of the newest frame. */
  get #epoch(): number {
    return Math.max(0, this.#stats.epochs - 1);
  }

  async #connections(): Promise<void> {
    const { camera, config, input, record, log } = this.#options;
    const kind = sourceKind(config.source);
    const live = config.live ?? (kind === 'rtsp' || kind === 'http' || kind === 'device');
    this.#board.set('connecting', 0);
    const finite = await openFinite(kind, config, camera);
    const lists = finite?.lists ?? [undefined];
    if (finite?.note) log.info(finite.note);
    const expected = finite && expectedFrames(finite, config.fps);
    if (expected !== undefined) this.#stats.expected = expected;

    const pool = new FramePool(this.#options.poolFrames ?? DEFAULT_POOL_FRAMES, input.width * input.height * 3);
    const backoff = createBackoff(this.#options.clock?.random ?? Math.random, () => performance.now());
    const runName = Math.floor(this.#nowMs()).toString(36);
    const finishes = finite !== undefined || (kind === 'http' && !live);
    const recorded = record && finite?.recordMode !== 'none' ? record : undefined;
    // A file whose recording failed goes on where it was, on the same clock and without recording.
    let resume: { readonly handedOn: number; readonly timeline: Timeline } | undefined;
    let hardware = config.hardware;
    let stampAtArrival = false;
    let fileTimeMs = finite?.timeMs ?? this.#nowMs();
    let pictureless = 0;
    let list = 0;

    for (let attempt = 0; !this.#stopped; attempt++) {
      const records = recorded && !resume && (await this.#diskTakes(recorded.folder)) ? recorded : undefined;
      const plan: CapturePlan = {
        kind,
        source: kind === 'file' ? resolvePath(config.source) : config.source,
        input,
        fps: config.fps ?? (live ? DEFAULT_LIVE_FPS : undefined),
        live,
        transport: config.transport,
        hardware,
        silenceS: Math.max(LONGEST_FIRST_PICTURE_S, 2 * config.stallAfter),
        analyseS: Math.min(LONGEST_ANALYSIS_S, ANALYSIS_S * 2 ** pictureless),
        stampAtArrival,
        ...(records && {
          record: {
            folder: resolvePath(records.folder),
            prefix: `${camera}-${runName}-${attempt}-`,
            segmentS: records.segmentS,
            mode: finite?.recordMode === 'encode' ? 'encode' : 'copy',
          },
        }),
      };
      const patience: Patience = {
        answerS: Math.max(ANSWER_S[attempt % ANSWER_S.length]!, config.stallAfter, plan.analyseS + 2),
        firstPictureS: Math.max(
          Math.min(LONGEST_FIRST_PICTURE_S, FIRST_PICTURE_S * 2 ** pictureless),
          config.stallAfter,
        ),
        stallS: config.stallAfter,
      };
      const timeline =
        resume?.timeline ??
        new Timeline({
          live,
          epoch: this.#stats.epochs,
          fileTimeMs,
          intervalS: finite?.intervalS,
          note: (level, sentence) => log[level](sentence),
        });
      const end = await this.#connect(plan, patience, timeline, pool, lists[list], resume?.handedOn ?? 0);
      resume = undefined;
      const { ffmpeg, frames } = end;
      if (this.#stopped) return;
      if (ffmpeg.unstarted !== undefined) throw new InputError(ffmpeg.unstarted);
      log.debug({ ffmpeg: ffmpeg.tail, code: ffmpeg.code, signal: ffmpeg.signal }, 'last lines of ffmpeg');
      if (end.unstamped) {
        stampAtArrival = true;
      } else if (this.#diskIsBack) {
        this.#diskIsBack = false;
        log.info('the disk takes segments again; the camera is connected anew to record');
        this.#board.set('reconnecting', this.#epoch, 'recording goes on');
      } else if (records && end.stalled === undefined && endedByDisk(ffmpeg.tail)) {
        this.#diskFails(failureReason(ffmpeg.tail, ffmpeg.code, false));
        this.#stats.decodeErrors -= ffmpeg.errors;
        if (finishes && !live) {
          this.#stats.frames -= Math.max(0, end.frames - end.handedOn);
          resume = { handedOn: end.handedOn, timeline };
        } else this.#board.set('reconnecting', this.#epoch, 'segments cannot be written');
      } else if (hardware !== 'none' && frames === 0 && HARDWARE_FAILED.test(ffmpeg.tail.join('\n'))) {
        log.warn(`hardware decoding (${hardware}) does not work here; software decoding goes on`);
        hardware = 'none';
      } else if (finishes) {
        this.#reportEnd(end, timeline, finite);
        list = (list + 1) % lists.length;
        if (list === 0 && !config.loop) return;
        fileTimeMs = timeline.nextTime;
      } else {
        if (frames > 0 && end.lastedMs >= GOOD_RUN_MS) backoff.reset();
        pictureless = frames > 0 || !end.answered ? 0 : pictureless + 1;
        const reason = end.stalled ?? failureReason(ffmpeg.tail, ffmpeg.code, frames > 0);
        const waitMs = backoff.next();
        log.warn({ waitMs: Math.round(waitMs) }, `connection lost: ${reason}; trying again`);
        this.#board.set('reconnecting', this.#epoch, reason);
        await this.#wait(waitMs);
      }
    }
  }

  async #connect(
    plan: CapturePlan,
    patience: Patience,
    timeline: Timeline,
    pool: FramePool,
    list: string | undefined,
    skip: number,
  ): Promise<ConnectionEnd> {
    this.#frozen = watchFrozen();
    const connection = connect({
      camera: this.#options.camera,
      plan,
      list,
      pool,
      timeline,
      stats: this.#stats,
      skip,
      nowMs: this.#nowMs,
      patience,
      log: this.#options.log,
      onFrame: (frame) => this.#deliver(frame),
      onSegment: (segment) => this.#out.next({ kind: 'segment', segment }),
    });
    this.#connection = connection;
    if (this.#stopped) connection.stop();
    const retry = setInterval(
      () => void this.#tryDisk(plan, connection),
      this.#options.recordRetryMs ?? RECORD_RETRY_MS,
    );
    const end = await connection.ended;
    clearInterval(retry);
    this.#connection = undefined;
    return end;
  }

  /** Whether segments may be recorded now; says so once when they may not. */
  async #diskTakes(folder: string): Promise<boolean> {
    const trouble = await recordingTrouble(folder);
    if (trouble === undefined) this.#diskFailing = false;
    else this.#diskFails(trouble);
    return trouble === undefined;
  }

  #diskFails(reason: string): void {
    if (!this.#diskFailing) this.#options.log.warn(`nothing is recorded for now: ${reason}; the analysis goes on`);
    this.#diskFailing = true;
  }

  /** A live camera that runs without recording is connected anew as soon as the disk takes segments. */
  async #tryDisk(plan: CapturePlan, connection: Connection): Promise<void> {
    const { record } = this.#options;
    if (!record || !plan.live || !this.#diskFailing || (await recordingTrouble(record.folder)) !== undefined) return;
    if (this.#connection !== connection || this.#stopped) return;
    this.#diskIsBack = true;
    connection.stop();
  }

  #deliver(frame: Frame): void {
    this.#stats.epochs = Math.max(this.#stats.epochs, frame.epoch + 1);
    const frozen = frame.droppable && this.#frozen.look(frame.pixels, frame.receivedMs);
    this.#board.count(frame.receivedMs);
    this.#board.set('live', frame.epoch, frozen ? 'picture is frozen' : undefined);
    // After an unsubscribe nobody else would give the place back.
    if (this.#out.closed) frame.release();
    else this.#out.next({ kind: 'frame', frame });
  }

  #reportEnd({ ffmpeg, frames }: ConnectionEnd, timeline: Timeline, finite: FiniteInput | undefined): void {
    const name = finite?.name ?? 'the source';
    if (frames === 0 && this.#stats.delivered === 0) {
      const why = finite ? 'none of its pictures can be decoded' : failureReason(ffmpeg.tail, ffmpeg.code, false);
      throw new InputError(`camera ${this.#options.camera}: source ${name}: ${why}; give another one`);
    }
    const warning = endOfFile({
      frames,
      lastPtsS: timeline.lastPts,
      intervalS: timeline.intervalS,
      errors: ffmpeg.errors,
      everyFrame: this.#options.config.fps === undefined,
      finite,
    });
    if (warning) this.#options.log.warn(`source ${name} ${warning}`);
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
