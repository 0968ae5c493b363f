import { crc32 } from 'node:zlib';

/**
 * Records of the outbox's files. Pure. A file is a plain sequence of
 *
 *   magic u32 │ kind u8 │ body length u32 │ CRC-32 of kind, length and body u32 │ body
 *
 * (little endian). Body of a message: id u48, flags u8 (bit 0 retain), topic length u16, topic, payload.
 * Body of a removal: ids, u48 each. A record is whole or it does not count, so a file may end anywhere.
 */

/** A QoS 1 message on its way to the broker. */
export interface OutboxMessage {
  /** Rises with every message of this outbox, also over restarts. */
  readonly id: number;
  readonly topic: string;
  readonly payload: Buffer;
  readonly retain: boolean;
}

export type OutboxRecord =
  | { readonly kind: 'message'; readonly message: OutboxMessage }
  /** Acknowledged, superseded or dropped: these never go out again. */
  | { readonly kind: 'removal'; readonly ids: readonly number[] };

const MAGIC = Buffer.from('MCO1', 'latin1');
const HEADER = 13;
const MESSAGE = 1;
const REMOVAL = 2;
const ID_BYTES = 6;

/** Record as pieces to write one after the other; the payload is handed on, not copied. */
export function encodeRecord(record: OutboxRecord): Buffer[] {
  const body = record.kind === 'message' ? messageBody(record.message) : [removalBody(record.ids)];
  const header = Buffer.alloc(HEADER);
  MAGIC.copy(header);
  header.writeUInt8(record.kind === 'message' ? MESSAGE : REMOVAL, 4);
  header.writeUInt32LE(
    body.reduce((sum, piece) => sum + piece.length, 0),
    5,
  );
  header.writeUInt32LE(
    body.reduce((sum, piece) => crc32(piece, sum), crc32(header.subarray(4, 9))),
    9,
  );
  return [header, ...body];
}

/** Bytes that `encodeRecord` gives for a message. */
export function messageBytes({ topic, payload }: Pick<OutboxMessage, 'topic' | 'payload'>): number {
  return HEADER + ID_BYTES + 3 + Buffer.byteLength(topic) + payload.length;
}

/**
 * Reads all whole records of a file. Damage is stepped over to the next whole record.
 *
 * @returns payloads are views of `bytes`; `damaged` bytes that are no record, `torn` bytes of one that was begun at the end
 */
export function decodeRecords(bytes: Buffer): { records: OutboxRecord[]; damaged: number; torn: number } {
  const records: OutboxRecord[] = [];
  let damaged = 0;
  let end = 0;
  for (let at = bytes.indexOf(MAGIC); at >= 0; ) {
    const whole = decodeAt(bytes, at);
    if (!whole) {
      at = bytes.indexOf(MAGIC, at + 1);
      continue;
    }
    records.push(whole.record);
    damaged += at - end;
    end = whole.end;
    at = bytes.indexOf(MAGIC, end);
  }
  const tail = bytes.subarray(end);
  const begun = tail.subarray(0, MAGIC.length).equals(MAGIC.subarray(0, tail.length));
  return begun ? { records, damaged, torn: tail.length } : { records, damaged: damaged + tail.length, torn: 0 };
}

function decodeAt(bytes: Buffer, at: number): { record: OutboxRecord; end: number } | undefined {
  if (at + HEADER > bytes.length) return undefined;
  const end = at + HEADER + bytes.readUInt32LE(at + 5);
  if (end > bytes.length) return undefined;
  const body = bytes.subarray(at + HEADER, end);
  if (crc32(body, crc32(bytes.subarray(at + 4, at + 9))) !== bytes.readUInt32LE(at + 9)) return undefined;
  const record = bytes.readUInt8(at + 4) === MESSAGE ? readMessage(body) : readRemoval(body);
  return { record, end };
}

function messageBody({ id, topic, payload, retain }: OutboxMessage): Buffer[] {
  const name = Buffer.from(topic);
  const head = Buffer.alloc(ID_BYTES + 3);
  head.writeUIntLE(id, 0, ID_BYTES);
  head.writeUInt8(retain ? 1 : 0, ID_BYTES);
  head.writeUInt16LE(name.length, ID_BYTES + 1);
  return [head, name, payload];
}

function readMessage(body: Buffer): OutboxRecord {
  const topicEnd = ID_BYTES + 3 + body.readUInt16LE(ID_BYTES + 1);
  return {
    kind: 'message',
    message: {
      id: body.readUIntLE(0, ID_BYTES),
      retain: body.readUInt8(ID_BYTES) === 1,
      topic: body.toString('utf8', ID_BYTES + 3, topicEnd),
      payload: body.subarray(topicEnd),
    },
  };
}

function removalBody(ids: readonly number[]): Buffer {
  const body = Buffer.alloc(ids.length * ID_BYTES);
  for (const [index, id] of ids.entries()) body.writeUIntLE(id, index * ID_BYTES, ID_BYTES);
  return body;
}

function readRemoval(body: Buffer): OutboxRecord {
  const ids = Array.from({ length: body.length / ID_BYTES }, (_, index) => body.readUIntLE(index * ID_BYTES, ID_BYTES));
  return { kind: 'removal', ids };
}
