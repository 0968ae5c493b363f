/**
 * Protocol Buffers wire format: exactly what ONNX files need, no schema, no generated code.
 * Why by hand: docs/decisions/0008-onnx-from-typescript.md
 */

const VARINT = 0;
const FIXED_64 = 1;
const BYTES = 2;
const FIXED_32 = 5;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A message under construction: a list of byte ranges. Large ones are kept by reference, so weights are never copied. */
export class WireMessage {
  readonly parts: Uint8Array[] = [];
  size = 0;

  /** Non-negative safe integer, or any int64 as a bigint; a negative number takes ten bytes as in every int64 field. */
  int(field: number, value: number | bigint): void {
    this.#push(varint(field * 8 + VARINT));
    this.#push(varint(value));
  }

  float(field: number, value: number): void {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setFloat32(0, value, true);
    this.#push(varint(field * 8 + FIXED_32));
    this.#push(bytes);
  }

  string(field: number, value: string): void {
    this.bytes(field, encoder.encode(value));
  }

  bytes(field: number, value: Uint8Array): void {
    this.#push(varint(field * 8 + BYTES));
    this.#push(varint(value.length));
    this.#push(value);
  }

  message(field: number, value: WireMessage): void {
    this.#push(varint(field * 8 + BYTES));
    this.#push(varint(value.size));
    for (const part of value.parts) this.#push(part);
  }

  #push(part: Uint8Array): void {
    this.parts.push(part);
    this.size += part.length;
  }
}

function varint(value: number | bigint): Uint8Array {
  let rest = BigInt.asUintN(64, BigInt(value));
  const bytes: number[] = [];
  while (rest > 127n) {
    bytes.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}

/**
 * Walks over the fields of one message. Every length is checked against the end of the message before it is used, so
 * nothing outside of it is ever read, whatever the bytes say.
 *
 * @throws RangeError saying what is wrong and at which byte
 */
export class WireReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #end: number;
  #at: number;
  #wire = VARINT;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = start;
    this.#end = end;
  }

  /** Number of the next field, undefined at the end. Its value must then be taken with one of the other methods. */
  next(): number | undefined {
    if (this.#at >= this.#end) return undefined;
    const at = this.#at;
    const tag = Number(this.#varint());
    const field = Math.floor(tag / 8);
    this.#wire = tag % 8;
    if (field < 1 || field > 0x1fff_ffff) throw new RangeError(`byte ${at}: field number ${field} is not allowed`);
    return field;
  }

  skip(): void {
    if (this.#wire === VARINT) this.#varint();
    else if (this.#wire === FIXED_64) this.#take(8);
    else if (this.#wire === FIXED_32) this.#take(4);
    else this.#range();
  }

  get isVarint(): boolean {
    return this.#wire === VARINT;
  }

  get isBytes(): boolean {
    return this.#wire === BYTES;
  }

  /** int64 field as a number; RangeError where a number cannot hold it exactly. */
  int(): number {
    return safe(this.int64());
  }

  int64(): bigint {
    this.#expect(VARINT);
    return this.#varint();
  }

  float(): number {
    this.#expect(FIXED_32);
    return this.#view.getFloat32(this.#take(4), true);
  }

  /** A view, not a copy. */
  bytes(): Uint8Array {
    const [start, end] = this.#range();
    // Not subarray: of a Buffer it gives a Buffer, whose slice() shares memory where a Uint8Array's copies.
    return new Uint8Array(this.#bytes.buffer, this.#bytes.byteOffset + start, end - start);
  }

  string(): string {
    return decoder.decode(this.bytes());
  }

  message(): WireReader {
    const [start, end] = this.#range();
    return new WireReader(this.#bytes, start, end);
  }

  /** A repeated int field, packed or not: adds what stands here to `into`. */
  ints(into: bigint[]): void {
    if (this.#wire === VARINT) {
      into.push(this.#varint());
      return;
    }
    const packed = this.message();
    while (packed.#at < packed.#end) into.push(packed.#varint());
  }

  /** A repeated fixed-size float field, packed or not. */
  floats(into: number[], bytes: 4 | 8): void {
    const read = (at: number): number =>
      bytes === 4 ? this.#view.getFloat32(at, true) : this.#view.getFloat64(at, true);
    if (this.#wire === (bytes === 4 ? FIXED_32 : FIXED_64)) {
      into.push(read(this.#take(bytes)));
      return;
    }
    const [start, end] = this.#range();
    if ((end - start) % bytes)
      throw new RangeError(`byte ${start}: ${end - start} bytes are no whole number of floats`);
    for (let at = start; at < end; at += bytes) into.push(read(at));
  }

  #range(): [start: number, end: number] {
    this.#expect(BYTES);
    const length = this.#varint();
    // Compared as bigint: a hostile length near 2^64 must not lose bits first.
    if (length < 0n || length > BigInt(this.#end - this.#at)) {
      throw new RangeError(
        `byte ${this.#at}: a field is ${BigInt.asUintN(64, length)} bytes long, ${this.#end - this.#at} are left`,
      );
    }
    const start = this.#take(Number(length));
    return [start, this.#at];
  }

  #take(length: number): number {
    const start = this.#at;
    if (length > this.#end - start) throw new RangeError(`byte ${start}: cut off`);
    this.#at += length;
    return start;
  }

  #expect(wire: number): void {
    if (this.#wire !== wire) throw new RangeError(`byte ${this.#at}: wire type ${this.#wire}, ${wire} was expected`);
  }

  /** Signed 64-bit value. */
  #varint(): bigint {
    let value = 0n;
    for (let i = 0n; i < 10n; i++) {
      const byte = this.#bytes[this.#take(1)]!;
      value |= BigInt(byte & 127) << (7n * i);
      if (byte < 128) return BigInt.asIntN(64, value);
    }
    throw new RangeError(`byte ${this.#at}: a number has more than 64 bits`);
  }
}

/** bigint → number; RangeError outside the safe integers. */
export function safe(value: bigint): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw new RangeError(`number ${value} is beyond the safe integers`);
  return number;
}
