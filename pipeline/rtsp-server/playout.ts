import type { AccessUnit, H264Track } from './h264-track.js';

/** How one client's playing begins. */
export interface PlayoutStart {
  /** Index of its first access unit, a key. */
  readonly first: number;
  /** Monotonic clock (ms) and UTC (ms since 1970) of the first sending: one and the same instant. */
  readonly nowMs: number;
  readonly utcMs: number;
  /** Media seconds per second; `Infinity`: always due. */
  readonly speed: number;
  /** RTP timestamp of the line's zero, random per RFC 3550 §5.1. */
  readonly baseTimestamp: number;
}

/**
 * What one client gets, and when: walks the track round and round on a time line of its own that never falls back.
 * A position on the line is 90 kHz ticks since the first sending. No clock inside: time comes in as arguments.
 */
export class Playout {
  readonly #track: H264Track;
  readonly #start: PlayoutStart;
  #startMs: number;
  #index: number;
  #round = 0;
  /** Added to a unit's own times to get line positions. */
  #shift: number;
  /** Latest picture time handed out, a line position. */
  #latest = Number.NEGATIVE_INFINITY;
  #lastKey: AccessUnit;

  constructor(track: H264Track, start: PlayoutStart) {
    this.#track = track;
    this.#start = start;
    this.#startMs = start.nowMs;
    this.#index = start.first;
    this.#lastKey = track.units[start.first]!;
    this.#shift = -this.#lastKey.sendAt;
  }

  /** The unit whose turn it is. */
  get current(): AccessUnit {
    return this.#track.units[this.#index]!;
  }

  /** RTP timestamp (not yet modulo 2³²) of the current unit's picture. */
  get timestamp(): number {
    return this.#start.baseTimestamp + Math.round(this.#line(this.current.pts));
  }

  /** Monotonic time (ms) at which the current unit is to be sent. */
  dueMs(): number {
    return this.#startMs + this.#line(this.current.sendAt) / 90 / this.#start.speed;
  }

  /** The current unit with its timestamp; the next one becomes current. */
  take(): { nals: AccessUnit['nals']; timestamp: number } {
    const { current: unit, timestamp } = this;
    this.#latest = Math.max(this.#latest, this.#line(unit.pts));
    if (unit.key) this.#lastKey = unit;
    this.skip();
    return { nals: unit.nals, timestamp };
  }

  /** The last key picture again, in place of the current unit. After such ones `resume` must come before `take`. */
  takeFrozen(): { nals: AccessUnit['nals']; timestamp: number } {
    // The largest lead keeps it behind every picture sent so far, whatever B-frames were on their way.
    this.#latest = this.#line(this.current.sendAt) + this.#track.lead;
    this.skip();
    return { nals: this.#lastKey.nals, timestamp: this.#start.baseTimestamp + Math.round(this.#latest) };
  }

  /** Lets the current unit pass unsent. */
  skip(): void {
    this.#index++;
    if (this.#index < this.#track.units.length) return;
    this.#index = 0;
    this.#round++;
  }

  /**
   * Goes on at once with the next key picture, after a silence or a frozen picture. Its timestamp has moved on as the
   * clock did, for a camera's clock does not stop with its stream.
   */
  resume(nowMs: number): void {
    const before = this.#line(this.current.sendAt);
    while (!this.current.key) this.skip();
    const { sendAt, pts } = this.current;
    const now = (nowMs - this.#startMs) * 90 * this.#start.speed;
    const afterLatest = this.#latest + this.#track.frameTicks - (pts - sendAt);
    this.#round = 0;
    this.#shift = Math.max(Number.isFinite(now) ? now : before, afterLatest, 0) - sendAt;
  }

  /** Moves the line so that the current unit is due now: the client was not ready for it any sooner. */
  postpone(nowMs: number): void {
    if (Number.isFinite(this.#start.speed)) this.#startMs += Math.max(0, nowMs - this.dueMs());
  }

  /**
   * UTC (ms) of a picture: a linear clock, so that no picture is sent before it was "taken", B-frames included.
   * At a speed other than 1 it runs as fast as the media, else report and timestamps would contradict each other.
   */
  utcMs(timestamp: number): number {
    return this.#start.utcMs + (timestamp - this.#start.baseTimestamp - this.#track.lead) / 90;
  }

  #line(ticks: number): number {
    return this.#shift + this.#round * this.#track.period + ticks;
  }
}

/** Index of the first key at or after `position` (90 kHz ticks) in the loop; 0, the loop's beginning, when none follows. */
export function nextKey(track: H264Track, position: number): number {
  return Math.max(
    0,
    track.units.findIndex((unit) => unit.key && unit.sendAt >= position),
  );
}
