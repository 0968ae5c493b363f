import { randomBytes } from 'node:crypto';
import type { H264Track } from './h264-track.js';
import { Playout } from './playout.js';
import { senderReport } from './rtcp.js';
import { headerBytes, modulo32, packetise, type RtpState } from './rtp.js';
import { payloadType } from './sdp.js';
import type { Transport } from './transports.js';

/** Faults that are on at the moment; shared by all players and read at each picture. */
export interface Faults {
  stalled: boolean;
  frozen: boolean;
}

export interface PlayerOptions {
  readonly track: H264Track;
  readonly transport: Transport;
  readonly faults: Readonly<Faults>;
  /** Index of the first access unit. */
  readonly first: number;
  readonly speed: number;
  /** What a client that reads too slowly loses: pictures, up to the next key (`drop`), or time (`wait`). */
  readonly slowClient: 'drop' | 'wait';
  /** Bytes that may wait for one client. */
  readonly maxQueuedBytes: number;
}

const reportEveryTicks = 5 * 90_000;
/** A wait longer than what `setTimeout` can hold would fire at once; a gap in a file can be long. */
const maxWaitMs = 60_000;

/** Sends one client its pictures in time: the clock, the timer and the packets around a `Playout`. */
export class Player {
  readonly #options: PlayerOptions;
  readonly #playout: Playout;
  readonly #rtp: RtpState = {
    ssrc: randomBytes(4).readUInt32BE(),
    payloadType,
    sequence: randomBytes(2).readUInt16BE(),
  };
  readonly #firstReport: { timestamp: number; sequence: number };
  #timer: NodeJS.Timeout | undefined;
  #waiting = false;
  #stopped = false;
  #starved = false;
  #wasFrozen = false;
  #packets = 0;
  #octets = 0;
  #nextReport = Number.NEGATIVE_INFINITY;
  #dropped = 0;

  constructor(options: PlayerOptions) {
    this.#options = options;
    const { track, first, speed, transport } = options;
    // Below 2³¹, so that a stream does not wrap within its first six hours: clients that mishandle the wrap are not
    // what this server is there to find.
    const baseTimestamp = randomBytes(4).readUInt32BE() >>> 1;
    const start = { first, speed, baseTimestamp, nowMs: performance.now(), utcMs: Date.now() };
    this.#playout = new Playout(track, start);
    this.#firstReport = { timestamp: modulo32(this.#playout.timestamp), sequence: this.#rtp.sequence };
    transport.onDrain = () => this.#drained();
  }

  /** What `RTP-Info` says of the first packet (RFC 2326 §12.33). */
  get rtpInfo(): { readonly timestamp: number; readonly sequence: number } {
    return this.#firstReport;
  }

  /** Pictures that a slow client did not get. */
  get dropped(): number {
    return this.#dropped;
  }

  start(): void {
    if (!this.#options.faults.stalled) this.#pump();
  }

  /** Acts on a change of the shared faults. */
  faultsChanged(stallEnded: boolean): void {
    if (this.#stopped) return;
    const { stalled, frozen } = this.#options.faults;
    clearTimeout(this.#timer);
    if (stalled) return;
    if (stallEnded || (this.#wasFrozen && !frozen)) {
      this.#wasFrozen = false;
      this.#playout.resume(performance.now());
    }
    this.#pump();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#options.transport.close();
  }

  /** Sends all that is due and sets the timer for what comes next. */
  #pump(): void {
    clearTimeout(this.#timer);
    this.#waiting = false;
    for (;;) {
      const waitMs = this.#playout.dueMs() - performance.now();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.#pump(), Math.min(waitMs, maxWaitMs));
        return;
      }
      if (this.#options.slowClient === 'wait' && this.#isFull()) {
        this.#waiting = true;
        return;
      }
      this.#sendCurrent();
    }
  }

  #drained(): void {
    if (!this.#waiting || this.#stopped || this.#options.faults.stalled) return;
    this.#playout.postpone(performance.now());
    this.#pump();
  }

  #isFull(): boolean {
    return this.#options.transport.queuedBytes() >= this.#options.maxQueuedBytes;
  }

  #sendCurrent(): void {
    const { frozen } = this.#options.faults;
    // What follows a lost picture refers to it, so a client that fell behind goes on at a key picture.
    this.#starved = this.#isFull() || (this.#starved && !this.#playout.current.key && !frozen);
    if (this.#starved) {
      this.#dropped++;
      this.#playout.skip();
      return;
    }
    this.#wasFrozen ||= frozen;
    const { nals, timestamp } = frozen ? this.#playout.takeFrozen() : this.#playout.take();
    if (timestamp >= this.#nextReport) this.#report(timestamp);
    const packets = packetise(nals, timestamp, this.#rtp);
    this.#packets += packets.length;
    for (const packet of packets) this.#octets += packet.length - headerBytes;
    this.#options.transport.sendRtp(packets);
  }

  #report(timestamp: number): void {
    this.#nextReport = timestamp + reportEveryTicks;
    const [packets, octets] = [this.#packets, this.#octets];
    const utcMs = this.#playout.utcMs(timestamp);
    this.#options.transport.sendRtcp(senderReport({ ssrc: this.#rtp.ssrc, utcMs, timestamp, packets, octets }));
  }
}
