/** The time that was given, shared out between races by the number of their candidates. */
export class Budget {
  readonly now: () => number;
  readonly #end: number;
  readonly #onProgress: (share: number) => void;
  #planned = 0;
  #done = 0;

  /**
   * @param now         milliseconds of any steady clock
   * @param onProgress  hears the share of the way, 0…1
   */
  constructor(now: () => number, budgetS: number, onProgress: (share: number) => void = () => {}) {
    this.now = now;
    this.#end = now() + budgetS * 1000;
    this.#onProgress = onProgress;
  }

  plan(candidates: number): void {
    this.#planned = candidates;
  }

  leftMs(): number {
    return Math.max(0, this.#end - this.now());
  }

  /** When a race of so many candidates must end. */
  until(candidates: number): number {
    return this.now() + (this.leftMs() * candidates) / Math.max(candidates, this.#planned - this.#done);
  }

  /** Candidates whose race is over, or a part of one. */
  did(candidates: number): void {
    this.#done += candidates;
    this.#onProgress(Math.min(1, this.#done / this.#planned));
  }
}
