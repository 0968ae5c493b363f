import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { InferenceSession, listSupportedBackends, Tensor } from 'onnxruntime-node';
import { InputError } from '../../config/errors.js';
import type { TensorSpec, Tensors, TensorValue } from '../adapters/adapter.js';
import type { ModelProvider } from './model.js';
import { type Placement, readPlacement } from './placement.js';
import { providersToTry } from './providers.js';
import { guardSums } from './sums-guard.js';
import { webgpuSource } from './webgpu.js';

/** An open ONNX Runtime session. A run blocks the calling thread; only one may run at a time. */
export interface ModelSession {
  readonly provider: Exclude<ModelProvider, 'auto'>;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  run(feeds: Tensors): Promise<Tensors>;
  /**
   * Where the nodes ran in the runs up to now; asked for once, after the first run. Undefined on the CPU provider, where there is no
   * question.
   */
  placement(): Promise<Placement | undefined>;
  /** Frees the session's memory; not while a run is under way. */
  release(): Promise<void>;
}

export interface SessionOptions {
  readonly file: string;
  readonly provider: ModelProvider;
  /** Threads inside the session. */
  readonly threads: number;
  /** Hears what was tried and why it moved on. */
  readonly note: (sentence: string) => void;
}

/**
 * Opens a session at the first provider that works.
 *
 * @throws InputError when the named provider is not there, the file cannot be loaded, or its int8 sums would be cut here
 */
export async function openSession(options: SessionOptions): Promise<ModelSession> {
  const { file, provider: asked, note } = options;
  const listed = listSupportedBackends().map(({ name }) => name);
  let cause: unknown;
  for (const choice of providersToTry(asked, listed, libraryInstalled)) {
    let refusal: string;
    if ('skipped' in choice) {
      refusal = choice.skipped;
    } else {
      try {
        return await create(options, choice.provider, choice.ortName);
      } catch (error) {
        if (error instanceof InputError) throw error; // The file is at fault, whatever the provider.
        cause = error;
        refusal = firstLine(error);
      }
    }
    if (choice.provider === 'cpu') throw new InputError(`model file ${file} cannot be loaded: ${refusal}`, { cause });
    if (asked !== 'auto') {
      throw new InputError(
        `model.provider is ${asked}, which does not work here for ${file}: ${refusal}; use provider auto or cpu`,
        { cause },
      );
    }
    note(`provider ${choice.provider} is passed over: ${refusal}`);
  }
  throw new Error('no provider was tried'); // The list ends with cpu, or holds the one that was asked for.
}

async function create(
  options: SessionOptions,
  provider: Exclude<ModelProvider, 'auto'>,
  ortName: string,
): Promise<ModelSession> {
  await guardSums(options.file, ortName, options.note);
  if (provider === 'cpu')
    return wrap(await InferenceSession.create(options.file, ortOptions(options, ortName)), provider, undefined);
  // Only a profile tells which nodes a provider left to the CPU: it is kept until `placement` is asked, then ended.
  const folder = await mkdtemp(join(tmpdir(), 'maskcast-profile-'));
  try {
    const settings = {
      ...ortOptions(options, ortName),
      enableProfiling: true,
      profileFilePrefix: join(folder, 'profile'),
    };
    const changed = provider === 'webgpu' ? webgpuSource(options.file) : undefined;
    const session = changed
      ? await InferenceSession.create(changed, settings)
      : await InferenceSession.create(options.file, settings);
    return wrap(session, provider, folder);
  } catch (cause) {
    await rm(folder, { recursive: true, force: true });
    throw cause;
  }
}

export function ortOptions(
  { threads }: Pick<SessionOptions, 'threads'>,
  ortName: string,
): InferenceSession.SessionOptions {
  return {
    executionProviders: [ortName],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    // Patterns are kept for each input shape: with dynamic batches they would only pile up.
    enableMemPattern: false,
    // Errors reach us as exceptions; ONNX Runtime's own lines on stderr would only repeat them.
    logSeverityLevel: 4,
    // Idle threads that spin for the next run take the cores from ffmpeg and from the other workers.
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  };
}

/** CUDA and TensorRT come as libraries of their own beside the binding; the others are compiled in. */
function libraryInstalled(ortName: string): boolean {
  if (ortName !== 'cuda' && ortName !== 'tensorrt') return true;
  const manifest = createRequire(import.meta.url).resolve('onnxruntime-node/package.json');
  const folder = join(dirname(manifest), 'bin', 'napi-v6', process.platform, process.arch);
  return [`libonnxruntime_providers_${ortName}.so`, `onnxruntime_providers_${ortName}.dll`].some((library) =>
    existsSync(join(folder, library)),
  );
}

/** @param profile  folder of the profile that is being written, where there is one */
function wrap(
  session: InferenceSession,
  provider: Exclude<ModelProvider, 'auto'>,
  profile: string | undefined,
): ModelSession {
  let profiling = profile;
  const endProfile = async (): Promise<string | undefined> => {
    const folder = profiling;
    if (folder === undefined) return undefined;
    profiling = undefined;
    try {
      session.endProfiling();
      const [name] = await readdir(folder);
      return name && (await readFile(join(folder, name), 'utf8'));
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  };
  return {
    provider,
    inputs: session.inputMetadata.map(specOf),
    outputs: session.outputMetadata.map(specOf),
    async run(feeds) {
      const tensors: Record<string, Tensor> = {};
      for (const [name, value] of Object.entries(feeds)) tensors[name] = toOrt(value);
      const outputs: Record<string, TensorValue> = {};
      for (const [name, value] of Object.entries(await session.run(tensors))) outputs[name] = fromOrt(name, value);
      return outputs;
    },
    async placement() {
      const text = await endProfile();
      try {
        return text === undefined ? undefined : readPlacement(text);
      } catch {
        return undefined; // A profile that cannot be read costs a line in the log, not the model.
      }
    },
    async release() {
      await endProfile();
      await session.release();
    },
  };
}

function specOf(metadata: InferenceSession.ValueMetadata): TensorSpec {
  return metadata.isTensor
    ? { name: metadata.name, type: metadata.type, shape: metadata.shape }
    : { name: metadata.name, type: 'sequence', shape: [] };
}

export function toOrt(value: TensorValue): Tensor {
  switch (value.type) {
    case 'float32':
      return new Tensor('float32', value.data, value.dims);
    case 'uint8':
      return new Tensor('uint8', value.data, value.dims);
    case 'int32':
      return new Tensor('int32', value.data, value.dims);
    case 'int64':
      return new Tensor('int64', value.data, value.dims);
  }
}

export function fromOrt(name: string, { type, data, dims }: Tensor): TensorValue {
  if (type === 'float32' && data instanceof Float32Array) return { type, data, dims };
  if (type === 'uint8' && data instanceof Uint8Array) return { type, data, dims };
  if (type === 'int32' && data instanceof Int32Array) return { type, data, dims };
  if (type === 'int64' && data instanceof BigInt64Array) return { type, data, dims };
  throw new Error(`output ${name} is of type ${type}, which no adapter reads`);
}

/** First line of an error, without the source file and the assertion that ONNX Runtime puts before the sentence. */
function firstLine(error: unknown): string {
  const line = (error instanceof Error ? error.message : String(error)).split('\n')[0]!;
  return line.replace(/^\/onnxruntime_src\/.* was false\. /, '');
}
