import { type FileHandle, open } from 'node:fs/promises';
import { InputError } from '../../config/errors.js';

/** Longest metadata value that is read; a model card takes a few kB. */
const MAX_METADATA_BYTES = 1 << 20;

/**
 * `metadata_props` of an ONNX file, which ONNX Runtime's Node binding does not give. Walks over the top-level fields
 * of the protobuf (`ModelProto`) and jumps over the graph, so a file of any size costs a few small reads.
 *
 * @throws InputError when there is no such file or it is no ONNX model
 */
export async function readModelMetadata(file: string): Promise<Record<string, string>> {
  let handle: FileHandle;
  try {
    handle = await open(file, 'r');
  } catch (cause) {
    throw new InputError(`model file ${file} cannot be read (${reasonOf(cause)}); name an ONNX file`, { cause });
  }
  try {
    const stat = await handle.stat();
    if (!stat.isFile()) throw new InputError(`model file ${file} is not a regular file; name an ONNX file`);
    return await walk(handle, stat.size);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new InputError(`model file ${file} is no ONNX model or is damaged: ${cause.message}`, { cause });
  } finally {
    await handle.close();
  }
}

// Field numbers of onnx.proto, ModelProto and StringStringEntryProto.
const GRAPH = 7;
const METADATA = 14;
const KEY = 1;
const VALUE = 2;
// Wire types of protobuf.
const VARINT = 0;
const FIXED_64 = 1;
const BYTES = 2;
const FIXED_32 = 5;

async function walk(handle: FileHandle, size: number): Promise<Record<string, string>> {
  const metadata: Record<string, string> = {};
  const head = new Uint8Array(20);
  let graph = false;
  let at = 0;
  while (at < size) {
    const { bytesRead } = await handle.read(head, 0, head.length, at);
    const field = readField(head.subarray(0, bytesRead), 0);
    const next = at + field.end;
    if (next > size) throw new RangeError(`field ${field.number} at byte ${at} ends ${next - size} bytes past the end`);
    if (field.number === GRAPH && field.wire === BYTES) graph = true;
    if (field.number === METADATA && field.wire === BYTES) {
      const length = field.end - field.start;
      if (length > MAX_METADATA_BYTES) throw new RangeError(`a metadata entry is ${length} bytes long`);
      const entry = new Uint8Array(length);
      await handle.read(entry, 0, length, at + field.start);
      const [key, value] = readEntry(entry);
      metadata[key] = value;
    }
    at = next;
  }
  if (!graph) throw new RangeError(size === 0 ? 'it is empty' : 'it holds no graph');
  return metadata;
}

/** One field: its content runs from `start` to `end` (which may lie past the bytes at hand). */
function readField(bytes: Uint8Array, at: number): { number: number; wire: number; start: number; end: number } {
  const tag = readVarint(bytes, at);
  const number = Math.floor(tag.value / 8);
  const wire = tag.value % 8;
  if (number < 1) throw new RangeError('a field has number 0');
  if (wire === VARINT) return { number, wire, start: tag.end, end: readVarint(bytes, tag.end).end };
  if (wire === FIXED_64) return { number, wire, start: tag.end, end: tag.end + 8 };
  if (wire === FIXED_32) return { number, wire, start: tag.end, end: tag.end + 4 };
  if (wire !== BYTES) throw new RangeError(`a field has wire type ${wire}`);
  const length = readVarint(bytes, tag.end);
  return { number, wire, start: length.end, end: length.end + length.value };
}

function readVarint(bytes: Uint8Array, at: number): { value: number; end: number } {
  let value = 0;
  // Ten bytes hold 64 bits; what we read as a number is below 2^53 in any sane file, larger is refused by its end.
  for (let i = 0; i < 10; i++) {
    const byte = bytes[at + i];
    if (byte === undefined) throw new RangeError('it is cut off');
    value += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return { value, end: at + i + 1 };
  }
  throw new RangeError('a number has more than 64 bits');
}

function readEntry(bytes: Uint8Array): [key: string, value: string] {
  const text = new TextDecoder();
  let key = '';
  let value = '';
  for (let at = 0; at < bytes.length; ) {
    const field = readField(bytes, at);
    if (field.end > bytes.length) throw new RangeError('a metadata entry is cut off');
    if (field.number === KEY) key = text.decode(bytes.subarray(field.start, field.end));
    if (field.number === VALUE) value = text.decode(bytes.subarray(field.start, field.end));
    at = field.end;
  }
  return [key, value];
}

function reasonOf(cause: unknown): string {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  if (code === 'ENOENT') return 'there is no such file';
  if (code === 'EACCES') return 'permission denied';
  return String(code ?? cause);
}
