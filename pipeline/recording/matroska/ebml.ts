/**
 * As much of EBML (RFC 8794) and Matroska (RFC 9559) as segments and raw pictures need. Elements that hold the pictures
 * are walked flat: their begin is read, their end is where the next one begins. So files of unknown or wrong length,
 * such as those of a recorder that was killed, read as far as they go.
 */

export const ID = {
  ebml: 0x1a45dfa3,
  segment: 0x18538067,
  info: 0x1549a966,
  timestampScale: 0x2ad7b1,
  tracks: 0x1654ae6b,
  trackEntry: 0xae,
  trackNumber: 0xd7,
  trackUid: 0x73c5,
  trackType: 0x83,
  codecId: 0x86,
  codecPrivate: 0x63a2,
  video: 0xe0,
  pixelWidth: 0xb0,
  pixelHeight: 0xba,
  colourSpace: 0x2eb524,
  cluster: 0x1f43b675,
  timestamp: 0xe7,
  simpleBlock: 0xa3,
  blockGroup: 0xa0,
  block: 0xa1,
  blockDuration: 0x9b,
  referenceBlock: 0xfb,
} as const;

/** Elements whose children are walked instead of being skipped. */
export const WALKED: ReadonlySet<number> = new Set([ID.segment, ID.cluster, ID.blockGroup]);

/** Begin of an element: `size` counts the bytes after the head; Infinity when the file does not know it. */
export interface ElementHead {
  readonly id: number;
  readonly size: number;
  readonly headBytes: number;
}

/** Bytes that any element's head fits in: four of the id, eight of the size. */
export const MAX_HEAD_BYTES = 12;

/** Reads the head at `at`; undefined when the bytes end before it does or no element begins there. */
export function readHead(bytes: Uint8Array, at: number): ElementHead | undefined {
  const idBytes = vintLength(bytes[at]);
  const sizeBytes = vintLength(bytes[at + idBytes]);
  if (idBytes === 0 || idBytes > 4 || sizeBytes === 0 || at + idBytes + sizeBytes > bytes.length) return undefined;
  return {
    id: readUint(bytes, at, idBytes),
    size: readVint(bytes, at + idBytes).value,
    headBytes: idBytes + sizeBytes,
  };
}

/** A number of variable length without its marker bit; all ones mean "unknown" and give Infinity. */
export function readVint(bytes: Uint8Array, at: number): { readonly value: number; readonly length: number } {
  const length = vintLength(bytes[at]);
  let value = bytes[at]! & (0xff >> length);
  let allOnes = value === 0xff >> length;
  for (let i = 1; i < length; i++) {
    value = value * 256 + bytes[at + i]!;
    allOnes &&= bytes[at + i] === 0xff;
  }
  return { value: allOnes ? Number.POSITIVE_INFINITY : value, length };
}

/** Big-endian unsigned number; exact up to 2^53. */
export function readUint(bytes: Uint8Array, at: number, length: number): number {
  let value = 0;
  for (let i = 0; i < length; i++) value = value * 256 + bytes[at + i]!;
  return value;
}

/** An element as bytes; its size always takes eight bytes, so that heads are of one length. */
export function element(id: number, ...content: readonly Uint8Array[]): Buffer {
  const size = content.reduce((sum, part) => sum + part.length, 0);
  return Buffer.concat([elementHead(id, size), ...content]);
}

/** Only the head of an element whose content follows. */
export function elementHead(id: number, size: number): Buffer {
  const head = Buffer.alloc(idLength(id) + 8);
  head.writeUIntBE(id, 0, idLength(id));
  head.writeBigUInt64BE(BigInt(size) | (1n << 56n), idLength(id));
  return head;
}

/** An element without an end: it goes on as long as the file. */
export function openElement(id: number): Buffer {
  const head = elementHead(id, 0);
  head.fill(0xff, idLength(id));
  head[idLength(id)] = 0x01;
  return head;
}

/** An element that holds an unsigned number. */
export function uintElement(id: number, value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return element(id, bytes);
}

/** An element that holds text. */
export function textElement(id: number, text: string): Buffer {
  return element(id, Buffer.from(text, 'latin1'));
}

/** The head of every Matroska file that we write. */
export function ebmlHeader(): Buffer {
  const [docType, docTypeVersion, docTypeReadVersion] = [0x4282, 0x4287, 0x4285];
  return element(
    ID.ebml,
    textElement(docType, 'matroska'),
    uintElement(docTypeVersion, 4),
    uintElement(docTypeReadVersion, 2),
  );
}

function vintLength(first: number | undefined): number {
  return first ? Math.clz32(first) - 23 : 0;
}

function idLength(id: number): number {
  return id > 0xffffff ? 4 : id > 0xffff ? 3 : id > 0xff ? 2 : 1;
}
