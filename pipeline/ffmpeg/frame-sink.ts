import { Writable } from 'node:stream';
import type { Size } from '../../operators/types.js';
import type { FramePool, FrameSlot } from './frame-pool.js';
import { type NutEvent, NutReader } from './nut.js';

/** One picture of the pipe, before it has an epoch and a UTC time. Whoever takes it releases `slot`. */
export interface CapturedFrame {
  /** Seconds on ffmpeg's input clock; may step back where the source does. */
  readonly ptsS: number;
  readonly size: Size;
  readonly slot: FrameSlot;
  /** `performance.now()` when the last byte was here. */
  readonly receivedMs: number;
  /** From its first byte to its last. */
  readonly captureMs: number;
}

export interface FrameSinkOptions {
  readonly pool: FramePool;
  /** No free place: `drop` the incoming picture, or `wait` and so stop the pipe. */
  readonly whenFull: 'drop' | 'wait';
  readonly deliver: (frame: CapturedFrame) => void;
  /** A picture found no place. */
  readonly dropped: () => void;
}

interface FrameLine {
  readonly ptsS: number;
  readonly size: Size;
}

/**
 * The two ways differ in the pipe (1/1000 s becomes a multiple of 1/64000 there) by less than this, and two pictures
 * of one stream by more.
 */
const SAME_TIME_S = 1e-4;
/** ffmpeg writes the line before the picture, so it is only a matter of which pipe Node reads first. */
const LINE_PATIENCE_MS = 250;

/**
 * Takes ffmpeg's NUT pipe and copies each picture's chunks straight into a pooled place. Size and time of each picture
 * come from the `showinfo` lines (`tell`): NUT knows only the scaled size, and its muxer bends times that step back.
 */
export class FrameSink extends Writable {
  readonly #options: FrameSinkOptions;
  readonly #reader = new NutReader();
  readonly #lines: FrameLine[] = [];
  #events: Generator<NutEvent, void, void> | undefined;
  #event: NutEvent | undefined;
  #chunkDone: ((error?: Error) => void) | undefined;
  #slot: FrameSlot | undefined;
  #filled = 0;
  #pipePtsS = 0;
  #firstByteMs = 0;
  #lastPtsS = Number.NEGATIVE_INFINITY;
  #lastSize: Size | undefined;
  #patience: NodeJS.Timeout | undefined;
  #impatient = false;
  #discarding = false;
  #pumping = false;

  constructor(options: FrameSinkOptions) {
    // No 'close' event: fluent-ffmpeg would take it for a failure and kill an ffmpeg that is still closing its segment.
    super({ highWaterMark: 1 << 20, decodeStrings: true, autoDestroy: false, emitClose: false });
    this.#options = options;
  }

  /** A picture is on its way: its time and size. */
  tell(ptsS: number, size: Size): void {
    this.#lines.push({ ptsS, size });
    this.#pump();
  }

  /** From now on everything is read and thrown away, so that a stopping ffmpeg never waits for us. */
  discard(): void {
    this.#discarding = true;
    this.#slot?.release();
    this.#slot = undefined;
    clearTimeout(this.#patience);
    this.#pump();
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error) => void): void {
    this.#events = this.#reader.read(chunk);
    this.#chunkDone = done;
    this.#pump();
  }

  /** Works on the chunk at hand until it is used up, or until something must be waited for. */
  #pump(): void {
    const done = this.#chunkDone;
    // Whoever gets a frame may stop the source or free a place at once: the loop below goes on by itself then.
    if (!done || !this.#events || this.#pumping) return;
    this.#pumping = true;
    try {
      for (;;) {
        if (!this.#event) {
          const next = this.#events.next();
          if (next.done) break;
          this.#event = next.value;
        }
        if (!this.#take(this.#event)) return;
        this.#event = undefined;
      }
    } catch (error) {
      this.#chunkDone = undefined;
      done(error instanceof Error ? error : new Error(String(error)));
      return;
    } finally {
      this.#pumping = false;
    }
    this.#events = undefined;
    this.#chunkDone = undefined;
    done();
  }

  /** False: not now; somebody calls `#pump` again. */
  #take(event: NutEvent): boolean {
    if (this.#discarding) return true;
    if (event.kind === 'data') {
      this.#slot?.pixels.set(event.bytes, this.#filled);
      this.#filled += event.bytes.length;
      return true;
    }
    return event.kind === 'begin' ? this.#begin(event) : this.#end();
  }

  #begin(event: NutEvent & { kind: 'begin' }): boolean {
    this.#slot = this.#options.pool.take();
    if (!this.#slot && this.#options.whenFull === 'wait') {
      this.#options.pool.whenFree(() => this.#pump());
      return false;
    }
    if (this.#slot && event.bytes !== this.#slot.pixels.length) {
      throw new Error(`ffmpeg sent a picture of ${event.bytes} bytes; ${this.#slot.pixels.length} were asked for`);
    }
    if (!this.#slot) this.#options.dropped();
    this.#filled = 0;
    this.#pipePtsS = event.ptsS;
    this.#firstByteMs = performance.now();
    return true;
  }

  #end(): boolean {
    if (this.#lines.length === 0 && !this.#impatient) {
      this.#patience ??= setTimeout(() => {
        this.#impatient = true;
        this.#pump();
      }, LINE_PATIENCE_MS);
      return false;
    }
    clearTimeout(this.#patience);
    this.#patience = undefined;
    this.#impatient = false;
    const line = this.#lineOf(this.#pipePtsS);
    this.#lastSize = line?.size ?? this.#lastSize;
    const ptsS = line?.ptsS ?? this.#pipePtsS;
    this.#lastPtsS = ptsS;
    const slot = this.#slot;
    this.#slot = undefined;
    if (!slot) return true;
    if (!this.#lastSize) {
      // The very first line was lost: without a size no box can be placed.
      slot.release();
      this.#options.dropped();
      return true;
    }
    const receivedMs = performance.now();
    this.#options.deliver({
      ptsS,
      size: this.#lastSize,
      slot,
      receivedMs,
      captureMs: receivedMs - this.#firstByteMs,
    });
    return true;
  }

  /**
   * The line of the picture that the pipe dates `pipePtsS`. Normally the oldest one. Where a source steps back, NUT
   * holds "a tick after the last one" instead, and the oldest line says the truth. A line that was garbled by the
   * message of a decoder thread is missed, and the next ones still find their pictures.
   */
  #lineOf(pipePtsS: number): FrameLine | undefined {
    const same = this.#lines.findIndex(({ ptsS }) => Number.isNaN(ptsS) || Math.abs(ptsS - pipePtsS) < SAME_TIME_S);
    if (same >= 0) return this.#lines.splice(0, same + 1)[same];
    const oldest = this.#lines[0];
    if (oldest && oldest.ptsS <= this.#lastPtsS) return this.#lines.shift();
    // After a step back the pipe runs on from its own last tick while the lines rise below it.
    if (oldest && oldest.ptsS < pipePtsS) return this.#lines.shift();
    return undefined;
  }
}
