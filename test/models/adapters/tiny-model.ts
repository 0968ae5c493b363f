import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeModel } from '../../../models/onnx/encode.js';
import type { Dim, ElementType, OnnxAttribute, OnnxNode, OnnxTensor } from '../../../models/onnx/model.js';

/** An output that has the same values at every run. */
export interface Planted {
  readonly name: string;
  readonly type: 'float32' | 'int32' | 'int64';
  /** As the file declares it. */
  readonly dims: readonly Dim[];
  /** As it really is, when the declaration has symbols. */
  readonly real?: readonly number[];
  readonly data: Float32Array | Int32Array | BigInt64Array;
  /** ONNX Runtime shall not see the size of the last axis before it runs. */
  readonly opaque?: boolean;
}

export interface TinyModel {
  readonly inputs: readonly { readonly name: string; readonly type: ElementType; readonly dims: readonly Dim[] }[];
  readonly outputs: readonly Planted[];
  readonly metadata?: Readonly<Record<string, string>>;
}

/** A folder of its own for small model files, removed by `remove`. */
export function modelFolder(): { write(name: string, model: TinyModel): string; path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'maskcast-models-'));
  return {
    path,
    write(name, model) {
      const file = join(path, `${name}.onnx`);
      writeFileSync(file, tinyModel(model));
      return file;
    },
    remove: () => rmSync(path, { recursive: true }),
  };
}

/**
 * Bytes of a YOLO v8 file over 32x32 with one class that sees one box whose score is the mean grey of the picture: what
 * comes out tells which picture went in.
 *
 * @param batch   1, or a symbol for a dynamic batch
 * @param drudge  products of 768x768 matrices on the way, some 3 to 20 ms each, for a run that takes a while
 */
export function greyMeter(batch: number | string, drudge = 0): Buffer {
  const cells = 21;
  const pattern = new Float32Array(5 * cells);
  // Cell 0: centre (16, 16), size (8, 16), score 1; times the mean grey only in the score.
  const weight = new Float32Array(5 * cells);
  pattern.set([16], 0);
  pattern.set([16], cells);
  pattern.set([8], 2 * cells);
  pattern.set([16], 3 * cells);
  weight[4 * cells] = 1;
  const side = 768;
  const bytes = (data: Float32Array | BigInt64Array): Uint8Array => new Uint8Array(data.buffer);
  const float = (name: string, dims: readonly number[], data: Float32Array): OnnxTensor => ({
    name,
    type: 'float32',
    dims,
    data: bytes(data),
  });
  const ints = (value: readonly number[]): OnnxAttribute => ({ kind: 'ints', value });
  const node = (op: string, inputs: string[], output: string, attributes: OnnxNode['attributes'] = {}): OnnxNode => ({
    name: output,
    op,
    domain: '',
    inputs,
    outputs: [output],
    attributes,
  });
  const keep = { kind: 'int', value: 1 } as const;
  const nodes = [
    node('ReduceMean', ['images'], 'mean4', { axes: ints([1, 2, 3]), keepdims: keep }),
    node('Reshape', ['mean4', 'shape'], 'mean'),
    node('Mul', ['mean', 'weight'], 'scores'),
    node('Add', ['scores', 'pattern'], drudge > 0 ? 'light' : 'output0'),
  ];
  if (drudge > 0) {
    nodes.push(
      node('ReduceMean', ['images'], 'all', { axes: ints([0, 1, 2, 3]), keepdims: { kind: 'int', value: 0 } }),
    );
    nodes.push(node('Add', ['matrix', 'all'], 'product0'));
    for (let i = 0; i < drudge; i++) nodes.push(node('MatMul', [`product${i}`, 'matrix'], `product${i + 1}`));
    nodes.push(node('ReduceMax', [`product${drudge}`], 'most', { keepdims: { kind: 'int', value: 0 } }));
    nodes.push(node('Mul', ['most', 'nought'], 'nothing'));
    nodes.push(node('Add', ['light', 'nothing'], 'output0'));
  }
  return Buffer.concat(
    encodeModel({
      irVersion: 8,
      producer: 'maskcast tests',
      opsets: { '': 17 },
      metadata: { names: "{0: 'grey'}" },
      graph: {
        name: 'grey meter',
        nodes,
        initializers: [
          { name: 'shape', type: 'int64', dims: [3], data: bytes(BigInt64Array.of(-1n, 1n, 1n)) },
          float('weight', [1, 5, cells], weight),
          float('pattern', [1, 5, cells], pattern),
          ...(drudge > 0
            ? [
                float('matrix', [side, side], new Float32Array(side * side).fill(0.001)),
                float('nought', [], Float32Array.of(0)),
              ]
            : []),
        ],
        inputs: [{ name: 'images', type: 'float32', dims: [batch, 3, 32, 32] }],
        outputs: [{ name: 'output0', type: 'float32', dims: [batch, 5, cells] }],
        values: [],
      },
    }),
  );
}

/** Bytes of an ONNX file that ignores its inputs and gives what was planted. */
export function tinyModel({ inputs, outputs, metadata = {} }: TinyModel): Buffer {
  const initializers = outputs.map((output): OnnxTensor => {
    const { data } = output;
    const dims = output.real ?? output.dims.map(Number);
    return {
      name: `${output.name}.planted`,
      type: output.type,
      dims,
      data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
    };
  });
  const nodes = outputs.map(({ name, real, dims, opaque }): OnnxNode => {
    const rest = { name: `give ${name}`, domain: '', outputs: [name] };
    if (!opaque) return { ...rest, op: 'Identity', inputs: [`${name}.planted`], attributes: {} };
    // Compress keeps what a condition allows: its size is known only when it has run.
    const last = (real ?? dims).length - 1;
    const all = new Uint8Array(Number((real ?? dims)[last])).fill(1);
    initializers.push({ name: `${name}.all`, type: 'bool', dims: [all.length], data: all });
    return {
      ...rest,
      op: 'Compress',
      inputs: [`${name}.planted`, `${name}.all`],
      attributes: { axis: { kind: 'int', value: last } },
    };
  });
  return Buffer.concat(
    encodeModel({
      irVersion: 8,
      producer: 'maskcast tests',
      opsets: { '': 17 },
      metadata,
      graph: {
        name: 'planted',
        nodes,
        initializers,
        inputs: inputs.map(({ name, type, dims }) => ({ name, type, dims })),
        outputs: outputs.map(({ name, type, dims }) => ({ name, type, dims })),
        values: [],
      },
    }),
  );
}
