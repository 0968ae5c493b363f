import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { InputError } from '../../config/errors.js';
import { elementCount } from '../onnx/dims.js';
import { writeParts } from '../onnx/encode.js';
import { floatsOf } from './float-formats.js';
import type { StoredTensor, TensorStore } from './source.js';

/** The reference reader's own limit; a network's header takes some tens of kB. */
const MOST_HEADER_BYTES = 100_000_000;

/** Bytes an element of the types that can be read as weights; others may be present but are not read. */
const WIDTHS: Readonly<Record<string, number>> = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
  U16: 2,
  U32: 4,
  U64: 8,
};

interface Entry {
  readonly dtype: string;
  readonly dims: readonly number[];
  /** Bytes from the start of the file. */
  readonly start: number;
  readonly end: number;
}

/** An open safetensors file: header checked, tensors read one at a time. */
export interface SafetensorsFile extends TensorStore {
  readonly metadata: Readonly<Record<string, string>>;
  close(): void;
}

/**
 * Opens a safetensors file and checks its whole header against the file's size: every tensor lies inside, fills its shape,
 * overlaps no other, and none is named twice; the data have no holes. Nothing is read past the end.
 *
 * @throws InputError naming the file, what is wrong with it, and the rule
 */
export function openSafetensors(file: string): SafetensorsFile {
  const refuse = (what: string, cause?: unknown): InputError =>
    new InputError(`${file} is no safetensors file or is damaged: ${what}`, { cause });
  let handle: number;
  try {
    handle = openSync(file, 'r');
  } catch (cause) {
    throw new InputError(`${file} cannot be read (${(cause as Error).message}); name a safetensors file`, { cause });
  }
  try {
    const stat = fstatSync(handle);
    if (!stat.isFile()) throw refuse('it is no regular file');
    const { entries, metadata } = readHeader(handle, stat.size, refuse);
    return {
      name: file,
      metadata,
      shapes: new Map([...entries].map(([name, { dims }]) => [name, dims])),
      read(name) {
        const { dtype, start, end } = entries.get(name)!;
        const values = floatsOf(dtype, readRange(handle, start, end, refuse));
        if (!values) throw refuse(`tensor ${name} is ${dtype}; weights must be F32, F16, BF16 or F64`);
        return values;
      },
      close: () => closeSync(handle),
    };
  } catch (cause) {
    closeSync(handle);
    throw cause;
  }
}

function readRange(
  handle: number,
  start: number,
  end: number,
  refuse: (what: string) => InputError,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(end - start);
  for (let at = 0; at < bytes.length; ) {
    const count = readSync(handle, bytes, at, bytes.length - at, start + at);
    if (count === 0) throw refuse('it became shorter while it was read');
    at += count;
  }
  return bytes;
}

function readHeader(
  handle: number,
  size: number,
  refuse: (what: string, cause?: unknown) => InputError,
): { entries: Map<string, Entry>; metadata: Record<string, string> } {
  if (size < 8) throw refuse(`it is ${size} bytes long; the header's length alone takes 8`);
  const length = new DataView(readRange(handle, 0, 8, refuse).buffer).getBigUint64(0, true);
  if (length > BigInt(size - 8))
    throw refuse(`its header is said to be ${length} bytes long, the file has ${size - 8} left`);
  if (length > BigInt(MOST_HEADER_BYTES))
    throw refuse(`its header is ${length} bytes long; more than ${MOST_HEADER_BYTES} are not read`);
  const start = 8 + Number(length);
  const text = new TextDecoder('utf-8', { fatal: true });
  let pairs: [name: string, value: unknown][];
  try {
    pairs = parseObject(text.decode(readRange(handle, 8, start, refuse)));
  } catch (cause) {
    throw refuse(`its header is no JSON object (${(cause as Error).message})`, cause);
  }
  const entries = new Map<string, Entry>();
  const metadata: Record<string, string> = {};
  for (const [name, value] of pairs) {
    if (name === '__metadata__') {
      if (!isRecord(value)) throw refuse('__metadata__ is no object');
      for (const [key, entry] of Object.entries(value)) if (typeof entry === 'string') metadata[key] = entry;
      continue;
    }
    if (entries.has(name)) throw refuse(`tensor ${name} is named twice`);
    entries.set(name, entryOf(name, value, start, size, refuse));
  }
  let end = start;
  for (const [name, entry] of [...entries].toSorted(([, a], [, b]) => a.start - b.start || a.end - b.end)) {
    if (entry.start < end)
      throw refuse(`tensor ${name} overlaps the one before it (byte ${entry.start - start} of the data)`);
    if (entry.start > end)
      throw refuse(`bytes ${end - start} to ${entry.start - start} of the data belong to no tensor`);
    end = entry.end;
  }
  if (end !== size) throw refuse(`${size - end} bytes after the last tensor belong to none`);
  return { entries, metadata };
}

function entryOf(
  name: string,
  value: unknown,
  start: number,
  size: number,
  refuse: (what: string) => InputError,
): Entry {
  if (!isRecord(value)) throw refuse(`tensor ${name} is described by no object`);
  const { dtype, shape, data_offsets: offsets } = value;
  const width = typeof dtype === 'string' && Object.hasOwn(WIDTHS, dtype) ? WIDTHS[dtype] : undefined;
  if (typeof dtype !== 'string' || !width)
    throw refuse(`tensor ${name} has dtype ${JSON.stringify(dtype)}, which is not known`);
  if (!isSizes(shape))
    throw refuse(`tensor ${name} has shape ${JSON.stringify(shape)}; it must be a list of whole numbers`);
  if (!isSizes(offsets) || offsets.length !== 2)
    throw refuse(`tensor ${name} has data_offsets ${JSON.stringify(offsets)}`);
  const [from, to] = offsets as [number, number]; // Length checked above.
  if (from > to || to > size - start)
    throw refuse(`tensor ${name} lies at ${from} to ${to}, the data are ${size - start} bytes long`);
  const expected = Number(elementCount(shape)) * width;
  if (to - from !== expected)
    throw refuse(`tensor ${name} of shape [${shape}] ${dtype} takes ${expected} bytes, its offsets say ${to - from}`);
  return { dtype, dims: shape, start: start + from, end: start + to };
}

/** Pairs of a JSON object in order, duplicates kept where JSON.parse would silently take the last. */
function parseObject(text: string): [string, unknown][] {
  const parsed: unknown = JSON.parse(text);
  if (!isRecord(parsed)) throw new SyntaxError('not an object');
  const names = topLevelNames(text);
  return names.map((name) => [name, parsed[name]]);
}

/** Names of the outermost object of valid JSON text. */
function topLevelNames(text: string): string[] {
  const names: string[] = [];
  let depth = 0;
  for (const { 0: token, index } of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\]]/g)) {
    if (token === '{' || token === '[') depth++;
    else if (token === '}' || token === ']') depth--;
    else if (depth === 1 && /^\s*:/.test(text.slice(index + token.length, index + token.length + 64))) {
      names.push(String(JSON.parse(token)));
    }
  }
  return names;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isSizes(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

/**
 * Writes float32 tensors as a safetensors file, in the order given; the same content gives the same bytes.
 *
 * @returns bytes written
 * @throws InputError when the file cannot be written
 */
export async function writeSafetensors(
  file: string,
  tensors: ReadonlyMap<string, StoredTensor>,
  metadata: Readonly<Record<string, string>>,
): Promise<number> {
  const header: Record<string, unknown> = { __metadata__: metadata };
  let at = 0;
  for (const [name, { dims, data }] of tensors) {
    header[name] = { dtype: 'F32', shape: dims, data_offsets: [at, at + data.byteLength] };
    at += data.byteLength;
  }
  const text = Buffer.from(JSON.stringify(header));
  // Padded with spaces so that the data start at a multiple of 8, as the format asks.
  const padded = Buffer.concat([text, Buffer.alloc((8 - (text.length % 8)) % 8, ' ')]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  const parts = [...tensors.values()].map(({ data }) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return await writeParts(file, [length, padded, ...parts]);
}
