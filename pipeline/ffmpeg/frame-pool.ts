/** One place for a picture, used again and again. */
export interface FrameSlot {
  /** On a SharedArrayBuffer of its own, so that a worker can look at it without a copy. */
  readonly pixels: Uint8Array;
  /** Gives the place back; a second call does nothing. */
  release(): void;
}

/** A fixed number of picture buffers of one camera; it never grows, also not over reconnects. */
export class FramePool {
  readonly #free: Uint8Array[];
  #waiting: (() => void) | undefined;

  constructor(slots: number, bytes: number) {
    this.#free = Array.from({ length: slots }, () => new Uint8Array(new SharedArrayBuffer(bytes)));
  }

  /** A free place, or undefined when all are in use. */
  take(): FrameSlot | undefined {
    const pixels = this.#free.pop();
    if (!pixels) return undefined;
    let held = true;
    return {
      pixels,
      release: () => {
        // A handle given back twice must not put the place into the pool twice: two frames would share pixels.
        if (!held) return;
        held = false;
        this.#free.push(pixels);
        const waiting = this.#waiting;
        this.#waiting = undefined;
        waiting?.();
      },
    };
  }

  /** Calls `then` once, when the next place becomes free. One waiter at a time. */
  whenFree(then: () => void): void {
    this.#waiting = then;
  }
}
