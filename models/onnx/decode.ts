import { readFileSync, statSync } from 'node:fs';
import { InputError } from '../../config/errors.js';
import {
  type Dim,
  ELEMENT_TYPES,
  type ElementType,
  type OnnxAttribute,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
  type OnnxValue,
} from './model.js';
import { safe, WireReader } from './wire.js';

const TYPE_OF_CODE = new Map(Object.entries(ELEMENT_TYPES).map(([type, { code }]) => [code, type as ElementType])); // Keys of the record.

/**
 * Reads an ONNX file. Tensor data are views into one buffer of the file's size.
 *
 * @throws InputError when there is no such file, or it is no ONNX model or a damaged one
 */
export function readModel(file: string): OnnxModel {
  let bytes: Uint8Array;
  try {
    if (!statSync(file).isFile()) throw new Error('it is no regular file');
    bytes = readFileSync(file);
  } catch (cause) {
    throw new InputError(
      `${file} cannot be read (${cause instanceof Error ? cause.message : cause}); name an ONNX file`,
      { cause },
    );
  }
  try {
    return decodeModel(bytes);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new InputError(`${file} is no ONNX model or is damaged: ${cause.message}`, { cause });
  }
}

/**
 * Parses the bytes of an ONNX file.
 *
 * @throws RangeError saying what is wrong and where; never reads outside of `bytes`
 */
export function decodeModel(bytes: Uint8Array): OnnxModel {
  const reader = new WireReader(bytes);
  let irVersion = 0;
  let producer = '';
  let graph: OnnxModel['graph'] | undefined;
  const opsets: Record<string, number> = {};
  const metadata: Record<string, string> = {};
  for (let field = reader.next(); field !== undefined; field = reader.next()) {
    if (field === 1) irVersion = reader.int();
    else if (field === 2) producer = reader.string();
    else if (field === 7) graph = graphOf(reader.message());
    else if (field === 8) {
      const { text, int } = shallow(reader.message());
      opsets[text.get(1) ?? ''] = int.get(2) ?? 0;
    } else if (field === 14) {
      const { text } = shallow(reader.message());
      metadata[text.get(1) ?? ''] = text.get(2) ?? '';
    } else reader.skip();
  }
  if (!graph) throw new RangeError(bytes.length === 0 ? 'it is empty' : 'it holds no graph');
  return { irVersion, producer, opsets, graph, metadata };
}

/** Messages of two plain fields: strings and ints by field number. */
function shallow(reader: WireReader): { text: Map<number, string>; int: Map<number, number> } {
  const text = new Map<number, string>();
  const int = new Map<number, number>();
  for (let field = reader.next(); field !== undefined; field = reader.next()) {
    if (reader.isBytes) text.set(field, reader.string());
    else if (reader.isVarint) int.set(field, reader.int());
    else reader.skip();
  }
  return { text, int };
}

function graphOf(reader: WireReader): OnnxModel['graph'] {
  let name = '';
  const nodes: OnnxNode[] = [];
  const initializers: OnnxTensor[] = [];
  const inputs: OnnxValue[] = [];
  const outputs: OnnxValue[] = [];
  const values: OnnxValue[] = [];
  for (let field = reader.next(); field !== undefined; field = reader.next()) {
    if (field === 1) nodes.push(nodeOf(reader.message()));
    else if (field === 2) name = reader.string();
    else if (field === 5) initializers.push(tensorOf(reader.message()));
    else if (field === 11) inputs.push(valueInfoOf(reader.message()));
    else if (field === 12) outputs.push(valueInfoOf(reader.message()));
    else if (field === 13) values.push(valueInfoOf(reader.message()));
    else reader.skip();
  }
  return { name, nodes, initializers, inputs, outputs, values };
}

function nodeOf(reader: WireReader): OnnxNode {
  let name = '';
  let op = '';
  let domain = '';
  const inputs: string[] = [];
  const outputs: string[] = [];
  const attributes: Record<string, OnnxAttribute> = {};
  for (let field = reader.next(); field !== undefined; field = reader.next()) {
    if (field === 1) inputs.push(reader.string());
    else if (field === 2) outputs.push(reader.string());
    else if (field === 3) name = reader.string();
    else if (field === 4) op = reader.string();
    else if (field === 5) {
      const [key, attribute] = attributeOf(reader.message());
      attributes[key] = attribute;
    } else if (field === 7) domain = reader.string();
    else reader.skip();
  }
  return { name, op, domain: domain === 'ai.onnx' ? '' : domain, inputs, outputs, attributes };
}

function attributeOf(reader: WireReader): [name: string, attribute: OnnxAttribute] {
  let name = '';
  let code = 0;
  let float = 0;
  let int = 0;
  let text = '';
  let tensor: OnnxTensor | undefined;
  const floats: number[] = [];
  const ints: bigint[] = [];
  for (let field = reader.next(); field !== undefined; field = reader.next()) {
    if (field === 1) name = reader.string();
    else if (field === 2) float = reader.float();
    else if (field === 3) int = clamped(reader.int64());
    else if (field === 4) text = reader.string();
    else if (field === 5) tensor = tensorOf(reader.message());
    else if (field === 7) reader.floats(floats, 4);
    else if (field === 8) reader.ints(ints);
    else if (field === 20) code = reader.int();
    else reader.skip();
  }
  switch (code) {
    case 1:
      return [name, { kind: 'float', value: float }];
    case 2:
      return [name, { kind: 'int', value: int }];
    case 3:
      return [name, { kind: 'string', value: text }];
    case 4:
      if (!tensor) throw new RangeError(`attribute ${name} is a tensor without one`);
      return [name, { kind: 'tensor', value: tensor }];
    case 6:
      return [name, { kind: 'floats', value: floats }];
    case 7:
      return [name, { kind: 'ints', value: ints.map(clamped) }];
    default:
      return [name, { kind: 'other', code }];
  }
}

/** INT64_MAX and the like stand for "to the end" in Slice; beyond the safe integers only the direction matters. */
function clamped(value: bigint): number {
  const most = BigInt(Number.MAX_SAFE_INTEGER);
  return Number(value > most ? most : value < -most ? -most : value);
}

function tensorOf(reader: WireReader): OnnxTensor {
  let name = '';
  let code = 0;
  let raw: Uint8Array | undefined;
  let external = false;
  const dims: bigint[] = [];
  const ints: bigint[] = [];
  const floats: number[] = [];
  const doubles: number[] = [];
  for (let field = reader.next(); field !== undefined; field = reader.next()) {
    if (field === 1) reader.ints(dims);
    else if (field === 2) code = reader.int();
    else if (field === 4) reader.floats(floats, 4);
    else if (field === 5 || field === 7) reader.ints(ints);
    else if (field === 8) name = reader.string();
    else if (field === 9) raw = reader.bytes();
    else if (field === 10) reader.floats(doubles, 8);
    else if (field === 14) external = reader.int() === 1;
    else reader.skip();
  }
  const type = TYPE_OF_CODE.get(code);
  if (!type) throw new RangeError(`tensor ${name} has element type ${code}, which is not handled`);
  const sizes = dims.map(safe);
  const count = sizes.reduce((product, size) => {
    if (size < 0) throw new RangeError(`tensor ${name} has shape [${sizes}]; sizes cannot be negative`);
    return safe(BigInt(product) * BigInt(size));
  }, 1);
  if (external) return { name, type, dims: sizes, data: undefined };
  const data = raw ?? typedBytes(type, ints, floats, doubles);
  const expected = count * ELEMENT_TYPES[type].bytes;
  if (data.length !== expected) {
    throw new RangeError(
      `tensor ${name} of shape [${sizes}] ${type} takes ${expected} bytes, the file holds ${data.length}`,
    );
  }
  return { name, type, dims: sizes, data };
}

/** Data that were not given raw but as repeated numbers. */
function typedBytes(type: ElementType, ints: bigint[], floats: number[], doubles: number[]): Uint8Array {
  const bytesOf = (array: { readonly buffer: ArrayBuffer }): Uint8Array => new Uint8Array(array.buffer);
  if (type === 'float32') return bytesOf(Float32Array.from(floats));
  if (type === 'float64') return bytesOf(Float64Array.from(doubles));
  if (type === 'int64') return bytesOf(BigInt64Array.from(ints));
  if (type === 'int32') return bytesOf(Int32Array.from(ints, Number));
  if (type === 'float16') return bytesOf(Uint16Array.from(ints, Number));
  return Uint8Array.from(ints, Number);
}

function valueInfoOf(reader: WireReader): OnnxValue {
  let name = '';
  let type: ElementType | undefined;
  let dims: Dim[] | undefined;
  for (let field = reader.next(); field !== undefined; field = reader.next()) {
    if (field === 1) name = reader.string();
    else if (field === 2) {
      const tensor = first(reader.message(), 1);
      for (let inner = tensor?.next(); tensor && inner !== undefined; inner = tensor.next()) {
        if (inner === 1) type = TYPE_OF_CODE.get(tensor.int());
        else if (inner === 2) dims = dimsOf(tensor.message());
        else tensor.skip();
      }
    } else reader.skip();
  }
  return { name, type, dims };
}

function dimsOf(reader: WireReader): Dim[] {
  const dims: Dim[] = [];
  for (let field = reader.next(); field !== undefined; field = reader.next()) {
    if (field !== 1) {
      reader.skip();
      continue;
    }
    const { text, int } = shallow(reader.message());
    dims.push(int.get(1) ?? text.get(2) ?? '?');
  }
  return dims;
}

/** The message in a field, undefined when there is none. */
function first(reader: WireReader, wanted: number): WireReader | undefined {
  let found: WireReader | undefined;
  for (let field = reader.next(); field !== undefined; field = reader.next()) {
    if (field === wanted) found = reader.message();
    else reader.skip();
  }
  return found;
}
