import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Tensors, TensorValue } from '../../models/adapters/adapter.js';
import { writeModel } from '../../models/onnx/encode.js';
import type { OnnxModel } from '../../models/onnx/model.js';
import { type ModelSession, openSession } from '../../models/runtime/session.js';

/** Opens a session on a file, one thread, and hands it to `use`. */
export async function withSession<T>(file: string, use: (session: ModelSession) => Promise<T>): Promise<T> {
  const session = await openSession({ file, provider: 'cpu', threads: 1, note: () => {} });
  try {
    return await use(session);
  } finally {
    await session.release();
  }
}

/** Writes a model to a temporary file and hands a session on it to `use`. */
export async function withModel<T>(model: OnnxModel, use: (session: ModelSession) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'maskcast-model-'));
  try {
    const file = join(folder, 'model.onnx');
    await writeModel(file, model);
    return await withSession(file, use);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Outputs of one run. */
export async function runModel(model: OnnxModel, feeds: Tensors): Promise<Tensors> {
  return await withModel(model, (session) => session.run(feeds));
}

/** Values of an output as plain numbers. */
export function numbersOf(outputs: Tensors, name: string): number[] {
  const value: TensorValue | undefined = outputs[name];
  if (!value) throw new Error(`no output ${name}; there are ${Object.keys(outputs).join(', ')}`);
  return value.type === 'int64' ? Array.from(value.data, Number) : Array.from(value.data);
}

/** Largest difference over largest value of what is expected. */
export function relativeError(got: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (got.length !== expected.length) return Number.POSITIVE_INFINITY;
  let difference = 0;
  let largest = 1e-30;
  for (let i = 0; i < got.length; i++) {
    // Written so that NaN counts as infinitely wrong.
    const one = Math.abs(got[i]! - expected[i]!);
    difference = one <= difference ? difference : Number.isNaN(one) ? Number.POSITIVE_INFINITY : one;
    largest = Math.max(largest, Math.abs(expected[i]!));
  }
  return difference / largest;
}
