import { mkdirSync, readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Observable, Subject } from 'rxjs';
import type { ClipsConfig, RecordConfig } from '../../config/schema.js';
import type { CameraId, ClipMessage, Segment, TrackEvent, TrackedFrame } from '../../operators/types.js';
import type { Log } from '../log.js';
import { CameraClips, type ClipOrder } from './camera-clips.js';
import { ClipLibrary, clipId } from './clip-library.js';
import { ClipMaker } from './clip-maker.js';
import { DISK_TROUBLE } from './make-clip.js';
import type { Sidecar } from './sidecar.js';

export interface RecorderOptions {
  readonly dataFolder: string;
  /** Cameras that record. */
  readonly cameras: Readonly<Record<CameraId, RecordConfig>>;
  readonly clips: ClipsConfig;
  /** Goes into each sidecar. */
  readonly model: Sidecar['model'];
  readonly log: Log;
}

/** Numbers since the start. */
export interface RecorderStats {
  /** Events whose clip waits for its end or its pictures. */
  readonly open: number;
  /** Clips that wait to be made or are being made. */
  readonly waiting: number;
  readonly ready: number;
  readonly failed: number;
  readonly deleted: number;
}

/** Calls never block: what takes time waits in a bounded queue and is done in another thread. */
export interface Recorder {
  segment(segment: Segment): void;
  tracked(frame: TrackedFrame): void;
  event(event: TrackEvent): void;
  /** No more frames or segments of this epoch will come. */
  epochEnded(camera: CameraId, epoch: number): void;
  /** Id of the clip that records an event; undefined when none does, or it is long past. */
  clipOf(event: string): string | undefined;
  readonly messages: Observable<ClipMessage>;
  /** JPEG of an event's best moment, once its clip is ready. */
  readonly snapshots: Observable<{ readonly camera: CameraId; readonly event: string; readonly jpeg: Uint8Array }>;
  /** Where the segments of a camera go; exists, unless the disk did not allow it. */
  segmentFolder(camera: CameraId): string;
  stats(): RecorderStats;
  /**
   * Makes all clips of what is there and waits for them.
   *
   * @param withinMs  after half of it nothing is rendered any more: clips are then ready without annotated.mp4 and say
   *                  so; after all of it the rest is given up, with a message for each. Left out: waits as long as it takes
   */
  drain(withinMs?: number): Promise<void>;
  /** Gives up what is not made and deletes the segments. */
  close(): Promise<void>;
}

/** Clips in the queue from which on new ones are made without rendering, and from which on none are taken. */
const BUSY = 100;
const FULL = 200;
const TOO_BUSY = `annotated.mp4 was left out because ${BUSY} clips waited; "maskcast clip render" makes it`;
const RETENTION_EVERY_MS = 60_000;
/** Events whose clip can still be asked for. */
const REMEMBERED = 2000;
/** Makes clips of events from segments and tracked frames. Leftovers of a crash are removed. */
export function openRecorder(options: RecorderOptions): Recorder {
  return new ClipRecorder(options);
}

class ClipRecorder implements Recorder {
  readonly messages = new Subject<ClipMessage>();
  readonly snapshots = new Subject<{ camera: CameraId; event: string; jpeg: Uint8Array }>();
  readonly #options: RecorderOptions;
  readonly #log: Log;
  readonly #cameras: ReadonlyMap<CameraId, CameraClips>;
  readonly #library: ClipLibrary;
  readonly #maker = new ClipMaker();
  readonly #clipOf = new Map<string, string>();
  /** Segment files → clips that are not made yet and need them, and whether the camera has let go of them. */
  readonly #held = new Map<string, { clips: number; letGo: boolean }>();
  readonly #counts = { waiting: 0, ready: 0, failed: 0, deleted: 0 };
  readonly #retention: NodeJS.Timeout;
  #work: Promise<void>;
  #diskFails = false;
  #closed = false;

  constructor(options: RecorderOptions) {
    this.#options = options;
    this.#log = options.log;
    this.#cameras = new Map(
      Object.entries(options.cameras).map(([camera, config]) => [
        camera,
        new CameraClips(
          config,
          (order) => this.#take(order, config),
          (segment) => this.#letGo(segment.path),
        ),
      ]),
    );
    this.#library = new ClipLibrary(options.dataFolder, options.clips, (message) => {
      this.#counts.deleted++;
      this.messages.next(message);
    });
    const leftovers = Object.keys(options.cameras).flatMap((camera) => this.#prepareSegments(camera));
    this.#work = this.#tidy(async () => {
      for (const path of leftovers) await rm(path, { force: true });
      await this.#library.sweep();
      await this.#library.enforce();
    });
    this.#retention = setInterval(
      () => this.#queue(() => this.#tidy(() => this.#library.enforce())),
      RETENTION_EVERY_MS,
    );
    this.#retention.unref();
  }

  segment(segment: Segment): void {
    const camera = this.#cameras.get(segment.camera);
    if (camera && !this.#closed) camera.segment(segment);
    else this.#letGo(segment.path);
  }

  tracked(frame: TrackedFrame): void {
    this.#cameras.get(frame.camera)?.tracked(frame);
  }

  event(event: TrackEvent): void {
    if (!this.#cameras.get(event.camera)?.event(event) || this.#clipOf.has(event.event)) return;
    this.#clipOf.set(event.event, clipId(event.start, event.event));
    const oldest = this.#clipOf.keys().next();
    if (this.#clipOf.size > REMEMBERED && !oldest.done) this.#clipOf.delete(oldest.value);
  }

  epochEnded(camera: CameraId, epoch: number): void {
    this.#cameras.get(camera)?.epochEnded(epoch);
  }

  clipOf(event: string): string | undefined {
    return this.#clipOf.get(event);
  }

  segmentFolder(camera: CameraId): string {
    return join(this.#options.dataFolder, 'segments', camera);
  }

  stats(): RecorderStats {
    return { open: [...this.#cameras.values()].reduce((sum, { open }) => sum + open, 0), ...this.#counts };
  }

  async drain(withinMs?: number): Promise<void> {
    for (const camera of this.#cameras.values()) camera.finish();
    if (withinMs === undefined) return this.#work;
    const hurry = setTimeout(() => this.#maker.hurry(), withinMs / 2);
    let giveUp: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      giveUp = setTimeout(resolve, withinMs);
    });
    await Promise.race([this.#work, late]);
    clearTimeout(hurry);
    clearTimeout(giveUp);
    if (this.#counts.waiting === 0) return;
    this.#log.warn(`${this.#counts.waiting} clips are given up: the program ends before they are made`);
    this.#closed = true; // the queue now only says what it does not make
    await this.#maker.close();
    await this.#work;
  }

  async close(): Promise<void> {
    clearInterval(this.#retention);
    this.#closed = true;
    for (const camera of this.#cameras.values()) camera.finish();
    await this.#maker.close();
    await this.#work;
    for (const camera of this.#cameras.keys()) {
      await rm(this.segmentFolder(camera), { recursive: true, force: true }).catch(() => undefined);
    }
    this.messages.complete();
    this.snapshots.complete();
  }

  /** @returns segments of an earlier run */
  #prepareSegments(camera: CameraId): string[] {
    const folder = this.segmentFolder(camera);
    try {
      mkdirSync(folder, { recursive: true });
      return readdirSync(folder).map((name) => join(folder, name));
    } catch {
      return []; // the source says so when it finds that it cannot write them
    }
  }

  #queue(step: () => Promise<void>): void {
    this.#work = this.#work.then(step);
  }

  async #tidy(step: () => Promise<void>): Promise<void> {
    try {
      await step();
    } catch (cause) {
      this.#log.debug({ cause: (cause as Error).message }, 'clips could not be tidied');
    }
  }

  #take(order: ClipOrder, config: RecordConfig): void {
    if (this.#counts.waiting >= FULL) {
      this.#fail(order, `${FULL} clips wait to be made; this machine is too slow for so many events`);
      return;
    }
    const annotate = config.annotate && this.#counts.waiting < BUSY;
    this.#counts.waiting++;
    for (const { path } of order.segments) {
      const held = this.#held.get(path) ?? { clips: 0, letGo: false };
      held.clips++;
      this.#held.set(path, held);
    }
    this.#queue(async () => {
      try {
        await this.#make(order, annotate, config.annotate && !annotate);
      } catch (cause) {
        this.#fail(order, cause instanceof Error ? cause.message : String(cause));
      }
      this.#counts.waiting--;
      for (const { path } of order.segments) this.#release(path);
    });
  }

  async #make(
    { event, fromPts, toPts, segments, frames }: ClipOrder,
    annotate: boolean,
    tooBusy: boolean,
  ): Promise<void> {
    if (this.#closed) throw new Error('the clip was given up: the program ended');
    const clip = clipId(event.start, event.event);
    const first = segments[0];
    if (!first) throw new Error('nothing was recorded while the event was there');
    const folder = await this.#library.begin(clip, event.camera, event.start);
    try {
      const result = await this.#maker.make({
        folder,
        clip,
        event: event.event,
        camera: event.camera,
        model: this.#options.model,
        segments: segments.map(({ path }) => path),
        pts0Time: first.pts0Time,
        fromPts,
        toPts,
        anchorPts: event.startPts,
        annotate,
        frames,
      });
      const { files } = await this.#library.commit(folder);
      this.#counts.ready++;
      if (this.#diskFails) {
        this.#diskFails = false;
        this.#log.info('clips are written again');
      }
      const { start, end, duration } = result;
      const note = tooBusy ? [TOO_BUSY, result.note].filter(Boolean).join('; ') : result.note;
      const { camera } = event;
      if (note) this.#log.info({ camera, clip }, note);
      const about = { camera, clip, event: event.event };
      this.messages.next({ ...about, state: 'ready', start, end, duration, files, ...(note && { reason: note }) });
      this.snapshots.next({ camera, event: event.event, jpeg: result.best });
    } catch (cause) {
      await this.#library.abandon(folder);
      throw cause;
    }
  }

  #fail({ event, fromPts, toPts }: ClipOrder, reason: string): void {
    this.#counts.failed++;
    const { camera } = event;
    const clip = clipId(event.start, event.event);
    if (DISK_TROUBLE.test(reason)) this.#diskTrouble(`clips cannot be written: ${reason}`);
    else this.#log[this.#closed ? 'debug' : 'warn']({ camera, clip }, `no clip of this event: ${reason}`);
    const timeOf = (pts: number): number => event.start + (pts - event.startPts) * 1000;
    const times = { start: timeOf(fromPts), end: timeOf(toPts), duration: toPts - fromPts };
    this.messages.next({ camera, clip, event: event.event, state: 'failed', ...times, files: {}, reason });
  }

  /** One line, not one for each clip, until it is well again. */
  #diskTrouble(what: string): void {
    if (!this.#diskFails) this.#log.error(`${what}; the run goes on, and so do clips as soon as the disk takes them`);
    this.#diskFails = true;
  }

  #letGo(path: string): void {
    const held = this.#held.get(path);
    if (held) held.letGo = true;
    else void rm(path, { force: true }).catch(() => undefined);
  }

  #release(path: string): void {
    const held = this.#held.get(path);
    if (!held || --held.clips > 0) return;
    this.#held.delete(path);
    if (held.letGo) this.#letGo(path);
  }
}
