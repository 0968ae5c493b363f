import type { CameraId, CameraState, CameraStatus } from '../../operators/types.js';

const RATE_WINDOW_MS = 5_000;

/** Keeps the state of one camera and says it when it changes. */
export class StatusBoard {
  readonly #camera: CameraId;
  readonly #nowMs: () => number;
  readonly #emit: (status: CameraStatus) => void;
  #state: CameraState | undefined;
  #reason: string | undefined;
  #since = 0;
  #epoch = 0;
  /** Arrival of the frames of the last seconds, `performance.now()`. */
  #arrivals: number[] = [];

  constructor(camera: CameraId, nowMs: () => number, emit: (status: CameraStatus) => void) {
    this.#camera = camera;
    this.#nowMs = nowMs;
    this.#emit = emit;
  }

  /** Emits when state, reason or epoch differ from the last ones. */
  set(state: CameraState, epoch: number, reason?: string): void {
    if (state === this.#state && reason === this.#reason && epoch === this.#epoch) return;
    if (state !== this.#state) this.#since = this.#nowMs();
    this.#state = state;
    this.#reason = reason;
    this.#epoch = epoch;
    this.refresh();
  }

  /** Says the state again, with the rate of now. */
  refresh(): void {
    if (!this.#state) return;
    this.#emit({
      camera: this.#camera,
      state: this.#state,
      since: this.#since,
      ...(this.#reason !== undefined && { reason: this.#reason }),
      fps: this.#fps(performance.now()),
      epoch: this.#epoch,
    });
  }

  /** A frame was delivered. */
  count(receivedMs: number): void {
    this.#arrivals.push(receivedMs);
    if (this.#arrivals.length > 4096) this.#forget(receivedMs);
  }

  #forget(nowMs: number): void {
    this.#arrivals = this.#arrivals.filter((at) => nowMs - at <= RATE_WINDOW_MS);
  }

  /** To one decimal; 0 until two frames have come. */
  #fps(nowMs: number): number {
    this.#forget(nowMs);
    const first = this.#arrivals[0];
    if (first === undefined || this.#arrivals.length < 2) return 0;
    const seconds = Math.max(nowMs - first, 1) / 1000;
    return Math.round(((this.#arrivals.length - 1) / seconds) * 10) / 10;
  }
}
