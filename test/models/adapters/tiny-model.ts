import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeModel } from '../../../models/onnx/encode.js';
import type { Dim, ElementType, OnnxNode, OnnxTensor } from '../../../models/onnx/model.js';

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
