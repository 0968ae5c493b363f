import { STEP_BACK_S, STEP_BACK_SHIFT_S } from '../ffmpeg/arguments.js';

/** One unbroken stretch of a source's clock. */
export interface Era {
  readonly epoch: number;
  /** First pts in it. */
  readonly startPts: number;
  /** UTC ms of pts 0. */
  readonly pts0Time: number;
}

/** A frame's place in time. */
export interface Placed {
  readonly epoch: number;
  readonly pts: number;
  readonly time: number;
}

export interface TimelineOptions {
  readonly live: boolean;
  /** Epoch of the first frame. */
  readonly epoch: number;
  /** Not live: UTC ms of pts 0. */
  readonly fileTimeMs: number;
  /** Seconds between frames, where they are known beforehand. */
  readonly intervalS?: number | undefined;
  /** A drift or a step was met: one sentence. */
  readonly note: (level: 'debug' | 'warn', sentence: string) => void;
}

/** Drift of the camera's clock against ours that is corrected (architecture, rules of time). */
const MAX_DRIFT_MS = 500;
/** Drift is judged by the promptest frame of such a stretch: the others only waited longer on their way. */
const DRIFT_WINDOW_MS = 5_000;
/** Step over a break where nothing else is known. */
const DEFAULT_INTERVAL_S = 0.04;

/**
 * Gives each frame of one ffmpeg run its epoch, pts and UTC. Where the source steps back, the next epoch begins, and
 * its pts are shifted by the same constant as ffmpeg shifts the segments' times (`arguments.ts`), so that both agree
 * and both rise.
 */
export class Timeline {
  readonly #options: TimelineOptions;
  readonly #eras: Era[] = [];
  #shiftS = 0;
  #lastPts = Number.NEGATIVE_INFINITY;
  #lastTime = 0;
  #intervalS: number | undefined;
  #begunMs = 0;
  #windowStartMs = 0;
  #leastDelayMs = Number.POSITIVE_INFINITY;

  constructor(options: TimelineOptions) {
    this.#options = options;
  }

  /** Epoch of the newest era; the first one's before any frame. */
  get epoch(): number {
    return this.#eras.at(-1)?.epoch ?? this.#options.epoch;
  }

  /** Smoothed seconds between frames; before the second one what is known or usual. */
  get intervalS(): number {
    return this.#intervalS ?? this.#options.intervalS ?? DEFAULT_INTERVAL_S;
  }

  /** Last pts of the newest era, minus infinity before the first. */
  get lastPts(): number {
    return this.#lastPts;
  }

  /** UTC ms at which a following run of the same file would go on. */
  get nextTime(): number {
    return this.#lastTime + this.intervalS * 1000;
  }

  /**
   * @param ptsS   of ffmpeg's input clock; NaN where the source gave none
   * @param nowMs  UTC ms of arrival
   * @returns undefined for a frame that is not after the last one: a disorder too small for a new clock
   */
  place(ptsS: number, nowMs: number): Placed | undefined {
    let pts = (Number.isNaN(ptsS) ? this.#lastPts - this.#shiftS + this.intervalS : ptsS) + this.#shiftS;
    if (!Number.isFinite(pts)) pts = 0; // no time, and no frame before it
    if (pts < this.#lastPts - STEP_BACK_S) {
      pts += STEP_BACK_SHIFT_S;
      this.#shiftS += STEP_BACK_SHIFT_S;
      this.#begin(pts, nowMs);
      const step = (this.#lastPts + STEP_BACK_SHIFT_S - pts).toFixed(1);
      this.#options.note('warn', `the source's clock stepped back by ${step} s; a new epoch begins`);
    } else if (pts <= this.#lastPts) {
      return undefined;
    } else if (this.#eras.length === 0) {
      this.#begin(pts, nowMs);
    } else {
      // Gaps say little about the rate: not much more than twice the old value counts.
      const gap = pts - this.#lastPts;
      const before = this.#intervalS ?? gap;
      this.#intervalS = before + (Math.min(gap, 2 * before + 1) - before) / 8;
    }
    if (this.#options.live) this.#watchDrift(pts, nowMs);
    const era = this.#eras.at(-1)!;
    this.#lastPts = pts;
    this.#lastTime = era.pts0Time + pts * 1000;
    return { epoch: era.epoch, pts, time: this.#lastTime };
  }

  /** The era that a segment beginning at `startPts` belongs to; undefined before the first frame. */
  eraOf(startPts: number): Era | undefined {
    // Eras lie a shift apart, and a segment may begin a little before its first decoded frame.
    return this.#eras.findLast((era) => startPts >= era.startPts - STEP_BACK_SHIFT_S / 2);
  }

  #begin(pts: number, nowMs: number): void {
    const { live, fileTimeMs } = this.#options;
    const first = this.#eras.length === 0;
    const pts0Time = live ? nowMs - pts * 1000 : first ? fileTimeMs : this.nextTime - pts * 1000;
    this.#eras.push({ epoch: first ? this.#options.epoch : this.epoch + 1, startPts: pts, pts0Time });
    // Old eras are needed only until their last segment is closed.
    if (this.#eras.length > 8) this.#eras.shift();
    this.#begunMs = nowMs;
    this.#openWindow(nowMs);
  }

  #openWindow(nowMs: number): void {
    this.#windowStartMs = nowMs;
    this.#leastDelayMs = Number.POSITIVE_INFINITY;
  }

  /**
   * A frame can come late for many reasons, so lateness counts only when it holds for a whole window. None can come too
   * early: then the anchor was late, as after a start, when ffmpeg hands on at once what it looked at before.
   */
  #watchDrift(pts: number, nowMs: number): void {
    const era = this.#eras.at(-1)!;
    const delay = nowMs - (era.pts0Time + pts * 1000);
    this.#leastDelayMs = Math.min(this.#leastDelayMs, delay);
    if (delay < -MAX_DRIFT_MS) {
      this.#anchor(era, delay, nowMs - this.#begunMs < DRIFT_WINDOW_MS ? 'debug' : 'warn');
      this.#openWindow(nowMs);
    } else if (nowMs - this.#windowStartMs >= DRIFT_WINDOW_MS) {
      if (this.#leastDelayMs > MAX_DRIFT_MS) this.#anchor(era, this.#leastDelayMs, 'warn');
      this.#openWindow(nowMs);
    }
  }

  #anchor(era: Era, driftMs: number, level: 'debug' | 'warn'): void {
    this.#eras[this.#eras.length - 1] = { ...era, pts0Time: era.pts0Time + driftMs };
    this.#options.note(
      level,
      `the camera's clock is ${Math.round(driftMs)} ms away from ours; times are anchored anew`,
    );
  }
}
