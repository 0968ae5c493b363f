import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { InputError } from '../../config/errors.js';
import {
  ELEMENT_TYPES,
  type OnnxAttribute,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
  type OnnxValue,
} from './model.js';
import { WireMessage } from './wire.js';

/** Protobuf refuses messages of 2 GiB and more. */
const MOST_BYTES = 2 ** 31 - 1;

/**
 * The bytes of an ONNX file as a list of ranges; tensor data is referred to, not copied. Fields are written in the order of
 * their numbers and lists in the order given: the same model gives the same bytes.
 *
 * @throws RangeError above 2 GiB
 */
export function encodeModel(model: OnnxModel): readonly Uint8Array[] {
  const out = new WireMessage();
  out.int(1, model.irVersion);
  out.string(2, model.producer);
  out.message(7, graphMessage(model.graph));
  for (const [domain, version] of Object.entries(model.opsets)) {
    const opset = new WireMessage();
    if (domain) opset.string(1, domain);
    opset.int(2, version);
    out.message(8, opset);
  }
  for (const [key, value] of Object.entries(model.metadata)) {
    const entry = new WireMessage();
    entry.string(1, key);
    entry.string(2, value);
    out.message(14, entry);
  }
  if (out.size > MOST_BYTES)
    throw new RangeError(`the model takes ${out.size} bytes; an ONNX file holds less than 2 GiB`);
  return out.parts;
}

/**
 * Writes an ONNX file: under a temporary name first, so that a broken write leaves no half file behind.
 *
 * @returns bytes written
 * @throws InputError when the file cannot be written there
 */
export async function writeModel(file: string, model: OnnxModel): Promise<number> {
  return await writeParts(file, encodeModel(model));
}

/** Small ranges are gathered into blocks of this size, larger ones go out as they are. */
const BLOCK = 1 << 16;

/** @internal Shared with the safetensors writer. */
export async function writeParts(file: string, parts: readonly Uint8Array[]): Promise<number> {
  const partial = `${file}.partial`;
  let size = 0;
  try {
    const stream = createWriteStream(partial);
    await once(stream, 'open');
    for (const block of blocks(parts)) {
      size += block.length;
      if (!stream.write(block)) await once(stream, 'drain');
    }
    stream.end();
    await once(stream, 'finish');
    await rename(partial, file);
  } catch (cause) {
    await rm(partial, { force: true });
    throw new InputError(`${file} cannot be written: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
  return size;
}

function* blocks(parts: readonly Uint8Array[]): Generator<Uint8Array> {
  let waiting: Uint8Array[] = [];
  let length = 0;
  for (const part of parts) {
    if (part.length >= BLOCK) {
      if (length) yield Buffer.concat(waiting);
      waiting = [];
      length = 0;
      yield part;
      continue;
    }
    waiting.push(part);
    length += part.length;
    if (length < BLOCK) continue;
    yield Buffer.concat(waiting);
    waiting = [];
    length = 0;
  }
  if (length) yield Buffer.concat(waiting);
}

function graphMessage(graph: OnnxModel['graph']): WireMessage {
  const out = new WireMessage();
  for (const node of graph.nodes) out.message(1, nodeMessage(node));
  out.string(2, graph.name);
  for (const tensor of graph.initializers) out.message(5, tensorMessage(tensor));
  for (const value of graph.inputs) out.message(11, valueMessage(value));
  for (const value of graph.outputs) out.message(12, valueMessage(value));
  for (const value of graph.values) out.message(13, valueMessage(value));
  return out;
}

function nodeMessage(node: OnnxNode): WireMessage {
  const out = new WireMessage();
  for (const name of node.inputs) out.string(1, name);
  for (const name of node.outputs) out.string(2, name);
  out.string(3, node.name);
  out.string(4, node.op);
  for (const [name, attribute] of Object.entries(node.attributes)) out.message(5, attributeMessage(name, attribute));
  if (node.domain) out.string(7, node.domain);
  return out;
}

function attributeMessage(name: string, attribute: OnnxAttribute): WireMessage {
  const out = new WireMessage();
  out.string(1, name);
  switch (attribute.kind) {
    case 'float':
      out.float(2, attribute.value);
      out.int(20, 1);
      break;
    case 'int':
      out.int(3, attribute.value);
      out.int(20, 2);
      break;
    case 'string':
      out.string(4, attribute.value);
      out.int(20, 3);
      break;
    case 'tensor':
      out.message(5, tensorMessage(attribute.value));
      out.int(20, 4);
      break;
    case 'floats':
      for (const value of attribute.value) out.float(7, value);
      out.int(20, 6);
      break;
    case 'ints':
      for (const value of attribute.value) out.int(8, value);
      out.int(20, 7);
      break;
    case 'other':
      throw new RangeError(`attribute ${name} is of type ${attribute.code}, which this writer does not know`);
  }
  return out;
}

function tensorMessage(tensor: OnnxTensor): WireMessage {
  if (!tensor.data) throw new RangeError(`tensor ${tensor.name} has its data in another file; it cannot be written`);
  const out = new WireMessage();
  for (const dim of tensor.dims) out.int(1, dim);
  out.int(2, ELEMENT_TYPES[tensor.type].code);
  out.string(8, tensor.name);
  out.bytes(9, tensor.data);
  return out;
}

function valueMessage(value: OnnxValue): WireMessage {
  const out = new WireMessage();
  out.string(1, value.name);
  if (!value.type) return out;
  const tensor = new WireMessage();
  tensor.int(1, ELEMENT_TYPES[value.type].code);
  if (value.dims) {
    const shape = new WireMessage();
    for (const dim of value.dims) {
      const entry = new WireMessage();
      if (typeof dim === 'number') entry.int(1, dim);
      else entry.string(2, dim);
      shape.message(1, entry);
    }
    tensor.message(2, shape);
  }
  const type = new WireMessage();
  type.message(1, tensor);
  out.message(2, type);
  return out;
}
