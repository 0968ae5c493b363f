/**
 * Runs and their compressed string, as the COCO tools have them. Runs alternate background, foreground, background, …
 * beginning with background (the first may be 0), column by column. In the string (`rleToString` of `maskApi.c`) a run
 * from the fourth on is the difference to the run two before; numbers go in groups of 5 bits, lowest first, each group
 * plus 32 when more follow, plus 48 as a character.
 */

/**
 * The compressed string to its runs.
 *
 * @throws RangeError when a character is outside the code, the string ends inside a number or a run is negative
 */
export function rleToRuns(counts: string): Uint32Array {
  // A run takes one character or more.
  const runs = new Uint32Array(counts.length);
  let n = 0;
  for (let at = 0; at < counts.length; ) {
    let value = 0;
    let shift = 0;
    let more = true;
    while (more) {
      const c = counts.charCodeAt(at) - 48;
      if (!(c >= 0 && c < 64) || shift > 30) {
        throw new RangeError(
          at < counts.length
            ? `run-length code has ${JSON.stringify(counts[at])} at ${at}; numbers of at most 35 bits in characters "0" to "o" are expected`
            : 'run-length code ends inside a number',
        );
      }
      at++;
      value |= (c & 31) << shift;
      shift += 5;
      more = (c & 32) !== 0;
      if (!more && c & 16 && shift < 32) value |= -1 << shift;
    }
    if (n > 2) value += runs[n - 2]!;
    if (value < 0) throw new RangeError(`run ${n} of a run-length code is ${value}; runs are 0 or more`);
    runs[n++] = value;
  }
  return runs.subarray(0, n);
}

/** Runs to the compressed string, character by character as the COCO tools write it. Runs are below 2³¹. */
export function runsToRle(runs: ArrayLike<number>): string {
  // Five bits a character: at most seven characters for a 32-bit difference.
  const codes = new Uint8Array(runs.length * 7);
  let n = 0;
  for (let i = 0; i < runs.length; i++) {
    let x = i > 2 ? runs[i]! - runs[i - 2]! : runs[i]!;
    for (let more = true; more; ) {
      let c = x & 31;
      x >>= 5;
      more = c & 16 ? x !== -1 : x !== 0;
      if (more) c |= 32;
      codes[n++] = c + 48;
    }
  }
  return asciiToString(codes.subarray(0, n));
}

/** Foreground pixels: the sum of the odd runs. */
export function runsArea(runs: Uint32Array): number {
  let area = 0;
  for (let i = 1; i < runs.length; i += 2) area += runs[i]!;
  return area;
}

/** @throws RangeError unless the runs fill `height · width` pixels exactly */
export function assertFills(runs: Uint32Array, height: number, width: number): void {
  let sum = 0;
  for (let i = 0; i < runs.length; i++) sum += runs[i]!;
  if (sum !== height * width) {
    throw new RangeError(`runs of a mask add up to ${sum}; its size ${height} x ${width} needs ${height * width}`);
  }
}

/** Collects stretches of equal pixels into runs. */
export class RunWriter {
  #runs = new Uint32Array(64);
  /** Index of the open run; odd is foreground. */
  #at = 0;

  /** Appends `length` pixels of `value`. */
  push(value: 0 | 1, length: number): void {
    if (length === 0) return;
    if ((this.#at & 1) !== value) {
      if (++this.#at === this.#runs.length) {
        const larger = new Uint32Array(this.#runs.length * 2);
        larger.set(this.#runs);
        this.#runs = larger;
      }
    }
    this.#runs[this.#at]! += length;
  }

  /** The runs so far, as a view: the writer must not be used afterwards. Empty when nothing was appended. */
  finish(): Uint32Array {
    const empty = this.#at === 0 && this.#runs[0] === 0;
    return this.#runs.subarray(0, empty ? 0 : this.#at + 1);
  }
}

/** `String.fromCharCode` in pieces: one call with a large mask's characters would overflow the stack. */
function asciiToString(codes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < codes.length; i += 8192) text += String.fromCharCode(...codes.subarray(i, i + 8192));
  return text;
}
