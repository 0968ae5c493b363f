/**
 * Reads what `ffmpeg -f nut` writes for one raw video stream: each picture with its exact timestamp, in one pipe.
 * Only that much of NUT: no index, no side data, no elision of more than the first bytes, no resynchronisation (a pipe
 * loses nothing). Source: the NUT open container format, draft 20161211, and libavformat 59.
 */

/** Happenings in the stream, in order: `begin`, then `data` until `bytes` are there, then `end`. */
export type NutEvent =
  | { readonly kind: 'begin'; readonly bytes: number; readonly ptsS: number }
  | { readonly kind: 'data'; readonly bytes: Uint8Array }
  | { readonly kind: 'end' };

interface FrameCode {
  readonly flags: number;
  readonly ptsDelta: number;
  readonly sizeMul: number;
  readonly sizeLsb: number;
  readonly reserved: number;
  readonly elision: number;
}

const FLAG = {
  codedPts: 8,
  streamId: 16,
  sizeMsb: 32,
  checksum: 64,
  reserved: 128,
  sideData: 256,
  elisionIndex: 1024,
  matchTime: 2048,
  coded: 4096,
  invalid: 8192,
} as const;

const FILE_ID = 'nut/multimedia container\0';
const STARTCODE_BYTES = 8;
const START_BYTE = 0x4e; // 'N', the first byte of every startcode and never a frame code
const MAIN = 'NM';
const STREAM = 'NS';
const SYNCPOINT = 'NK';
/** A packet header beyond this is not what ffmpeg writes: the main header takes about 150 bytes. */
const MAX_HEADER_BYTES = 65_536;

/** Thrown inside a parse when the bytes at hand end too early; the parse starts again with more of them. */
const MORE = Symbol('more bytes needed');

class Cursor {
  readonly #bytes: Uint8Array;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  byte(): number {
    const byte = this.#bytes[this.at];
    if (byte === undefined) throw MORE;
    this.at++;
    return byte;
  }

  /** Variable-length unsigned number, 7 bits a byte; exact up to 2^53. */
  v(): number {
    let value = 0;
    for (;;) {
      const byte = this.byte();
      value = value * 128 + (byte & 127);
      if (byte < 128) return value;
    }
  }

  /** Signed form of it: 0, 1, -1, 2, -2 … */
  s(): number {
    const value = this.v() + 1;
    return value % 2 ? -Math.floor(value / 2) : value / 2;
  }

  take(count: number): Uint8Array {
    if (this.at + count > this.#bytes.length) throw MORE;
    this.at += count;
    return this.#bytes.subarray(this.at - count, this.at);
  }
}

/** State of one NUT stream; feed it the pipe's chunks in order. */
export class NutReader {
  /** Bytes of an unfinished header; never picture data. */
  #carry: Uint8Array = new Uint8Array(0);
  #left = 0;
  #started = false;
  #timeBases: { num: number; den: number }[] = [];
  #timeBase = { num: 1, den: 1 };
  #msbShift = 0;
  #lastPts = 0;
  #codes: FrameCode[] = [];
  #elisionBytes: number[] = [0];

  /**
   * Everything that `chunk` completes. Pictures come as views of `chunk`: use them before the next event.
   * The chunk counts as read only when the iterator has run to its end.
   *
   * @throws Error when the bytes are not NUT of one raw video stream
   */
  *read(chunk: Uint8Array): Generator<NutEvent, void, void> {
    let rest = chunk;
    while (rest.length > 0) {
      if (this.#left > 0) {
        const bytes = rest.subarray(0, this.#left);
        rest = rest.subarray(bytes.length);
        this.#left -= bytes.length;
        yield { kind: 'data', bytes };
        if (this.#left === 0) yield { kind: 'end' };
        continue;
      }
      const carried = this.#carry.length;
      // Headers are short: this joins at most a few hundred bytes, not the whole chunk.
      const window = carried === 0 ? rest : Buffer.concat([this.#carry, rest.subarray(0, MAX_HEADER_BYTES)]);
      const cursor = new Cursor(window);
      let begin: NutEvent | undefined;
      try {
        begin = this.#header(cursor);
      } catch (reason) {
        if (reason !== MORE) throw reason;
        if (window.length > MAX_HEADER_BYTES) throw notNut('a header without an end');
        this.#carry = window.slice();
        return;
      }
      this.#carry = new Uint8Array(0);
      rest = rest.subarray(cursor.at - carried);
      if (begin?.kind === 'begin') {
        this.#left = begin.bytes;
        yield begin;
        if (begin.bytes === 0) yield { kind: 'end' };
      }
    }
  }

  /** Takes one whole header; changes the state only when all of it was there. */
  #header(cursor: Cursor): NutEvent | undefined {
    if (!this.#started) {
      if (Buffer.from(cursor.take(FILE_ID.length)).toString('latin1') !== FILE_ID) throw notNut('no NUT signature');
      this.#started = true;
      return undefined;
    }
    const first = cursor.byte();
    return first === START_BYTE ? this.#packet(cursor) : this.#frame(cursor, first);
  }

  #packet(cursor: Cursor): undefined {
    const second = cursor.byte();
    cursor.take(STARTCODE_BYTES - 2);
    const forward = cursor.v();
    if (forward > MAX_HEADER_BYTES) throw notNut(`a packet header of ${forward} bytes`);
    if (forward > 4096) cursor.take(4); // checksum of the packet header
    const body = new Cursor(cursor.take(forward));
    const name = String.fromCharCode(START_BYTE, second);
    try {
      if (name === MAIN) this.#mainHeader(body);
      else if (name === STREAM) this.#streamHeader(body);
      else if (name === SYNCPOINT) this.#syncpoint(body);
    } catch (reason) {
      if (reason === MORE) throw notNut('a packet shorter than its content');
      throw reason;
    }
    return undefined;
  }

  #mainHeader(body: Cursor): void {
    const version = body.v();
    if (version > 3) body.v();
    if (body.v() !== 1) throw notNut('more than one stream');
    body.v(); // max_distance
    this.#timeBases = Array.from({ length: body.v() }, () => ({ num: body.v(), den: body.v() }));
    const codes: FrameCode[] = [];
    let ptsDelta = 0;
    let sizeMul = 1;
    let elision = 0;
    while (codes.length < 256) {
      const flags = body.v();
      const fields = body.v();
      if (fields > 0) ptsDelta = body.s();
      if (fields > 1) sizeMul = body.v();
      if (fields > 2) body.v(); // stream
      const size = fields > 3 ? body.v() : 0;
      const reserved = fields > 4 ? body.v() : 0;
      const count = fields > 5 ? body.v() : sizeMul - size;
      if (fields > 6) body.s(); // match
      if (fields > 7) elision = body.v();
      for (let extra = 8; extra < fields; extra++) body.v();
      for (let j = 0; j < count && codes.length < 256; j++) {
        if (codes.length === START_BYTE) {
          codes.push({ flags: FLAG.invalid, ptsDelta: 0, sizeMul: 0, sizeLsb: 0, reserved: 0, elision: 0 });
          j--;
          continue;
        }
        codes.push({ flags, ptsDelta, sizeMul, sizeLsb: size + j, reserved, elision });
      }
    }
    this.#codes = codes;
    this.#elisionBytes = [0];
    const headers = body.v();
    for (let i = 0; i < headers; i++) {
      const length = body.v();
      body.take(length);
      this.#elisionBytes.push(length);
    }
  }

  #streamHeader(body: Cursor): void {
    body.v(); // stream
    body.v(); // class
    body.take(body.v()); // fourcc
    const base = this.#timeBases[body.v()];
    if (!base) throw notNut('a stream without a time base');
    this.#timeBase = base;
    this.#msbShift = body.v();
  }

  #syncpoint(body: Cursor): void {
    const coded = body.v();
    const base = this.#timeBases[coded % this.#timeBases.length]!;
    const ticks = Math.floor(coded / this.#timeBases.length);
    const { num, den } = this.#timeBase;
    this.#lastPts = Number((BigInt(ticks) * BigInt(base.num) * BigInt(den)) / (BigInt(base.den) * BigInt(num)));
  }

  #frame(cursor: Cursor, code: number): NutEvent {
    const table = this.#codes[code];
    if (!table) throw notNut('a frame before the main header');
    let { flags, elision, reserved } = table;
    if (flags & FLAG.invalid) throw notNut(`frame code ${code}`);
    if (flags & FLAG.coded) flags ^= cursor.v();
    if (flags & FLAG.sideData) throw notNut('side data in a frame');
    if (flags & FLAG.streamId) cursor.v();
    const pts = flags & FLAG.codedPts ? this.#codedPts(cursor.v()) : this.#lastPts + table.ptsDelta;
    let bytes = table.sizeLsb;
    if (flags & FLAG.sizeMsb) bytes += table.sizeMul * cursor.v();
    if (flags & FLAG.matchTime) cursor.s();
    if (flags & FLAG.elisionIndex) elision = cursor.v();
    if (flags & FLAG.reserved) reserved = cursor.v();
    for (let i = 0; i < reserved; i++) cursor.v();
    // The specification forbids elision beyond 4096 bytes, whatever the table says. Smaller raw pictures are whole
    // too: ffmpeg elides only the known first bytes of compressed formats, and raw video has none.
    if (bytes <= 4096 && (this.#elisionBytes[elision] ?? 0) > 0) throw notNut('elided bytes in a raw picture');
    if (flags & FLAG.checksum) cursor.take(4);
    this.#lastPts = pts;
    return { kind: 'begin', bytes, ptsS: (pts * this.#timeBase.num) / this.#timeBase.den };
  }

  /** Either the whole timestamp, or its lowest bits, meant nearest to the last one. */
  #codedPts(coded: number): number {
    const range = 2 ** this.#msbShift;
    if (coded >= range) return coded - range;
    const from = this.#lastPts - Math.floor((range - 1) / 2);
    const offset = (((coded - from) % range) + range) % range;
    return from + offset;
  }
}

function notNut(what: string): Error {
  return new Error(`ffmpeg's frame pipe carries ${what}; NUT of one raw video stream was expected`);
}
