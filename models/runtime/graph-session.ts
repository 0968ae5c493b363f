import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceSession } from 'onnxruntime-node';
import type { Tensors, TensorValue } from '../adapters/adapter.js';
import { encodeModel } from '../onnx/encode.js';
import type { OnnxModel } from '../onnx/model.js';
import { fromOrt, ortOptions, toOrt } from './session.js';

/** A graph in memory, loaded on the processor. A run blocks the calling thread. */
export interface GraphSession {
  /**
   * @param wanted  names of outputs; left out: all
   */
  run(feeds: Tensors, wanted?: readonly string[]): Promise<Tensors>;
  release(): Promise<void>;
}

/** Opens a graph that was not written to a file. */
export async function openGraph(model: OnnxModel, { threads }: { readonly threads: number }): Promise<GraphSession> {
  const session = await InferenceSession.create(Buffer.concat(encodeModel(model)), ortOptions({ threads }, 'cpu'));
  return {
    run: (feeds, wanted) => runOnce(session, feeds, wanted),
    release: () => session.release(),
  };
}

/** What ran of a graph, by ONNX Runtime's own names: a `Conv` may run as `FusedConv`. */
export interface OperatorTime {
  readonly op: string;
  readonly nodes: number;
  /** Microseconds of all runs. */
  readonly us: number;
}

/**
 * Runs a graph under ONNX Runtime's profiler.
 *
 * @returns operators after the runtime's own rewriting, the longest first
 */
export async function profileGraph(
  model: OnnxModel,
  feeds: Tensors,
  { threads, runs = 1 }: { readonly threads: number; readonly runs?: number },
): Promise<readonly OperatorTime[]> {
  const folder = await mkdtemp(join(tmpdir(), 'maskcast-profile-'));
  try {
    const session = await InferenceSession.create(Buffer.concat(encodeModel(model)), {
      ...ortOptions({ threads }, 'cpu'),
      enableProfiling: true,
      profileFilePrefix: join(folder, 'profile'),
    });
    for (let run = 0; run < runs; run++) await runOnce(session, feeds);
    session.endProfiling();
    await session.release();
    const [file] = await readdir(folder);
    if (!file) throw new Error('ONNX Runtime wrote no profile');
    return operatorTimes(JSON.parse(await readFile(join(folder, file), 'utf8')));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** An event of the profile; others than kernels are passed over. */
interface ProfileEvent {
  readonly cat?: string;
  readonly name?: string;
  readonly dur?: number;
  readonly args?: { readonly op_name?: string };
}

function operatorTimes(events: readonly ProfileEvent[]): OperatorTime[] {
  const times = new Map<string, { nodes: Set<string>; us: number }>();
  for (const { cat, name = '', dur = 0, args } of events) {
    if (cat !== 'Node' || !name.endsWith('_kernel_time') || !args?.op_name) continue;
    const entry = times.get(args.op_name) ?? { nodes: new Set(), us: 0 };
    entry.nodes.add(name);
    entry.us += dur;
    times.set(args.op_name, entry);
  }
  return [...times].map(([op, { nodes, us }]) => ({ op, nodes: nodes.size, us })).toSorted((a, b) => b.us - a.us);
}

async function runOnce(session: InferenceSession, feeds: Tensors, wanted?: readonly string[]): Promise<Tensors> {
  const tensors = Object.fromEntries(Object.entries(feeds).map(([name, value]) => [name, toOrt(value)]));
  const found = wanted ? await session.run(tensors, wanted) : await session.run(tensors);
  const outputs: Record<string, TensorValue> = {};
  for (const [name, value] of Object.entries(found)) outputs[name] = fromOrt(name, value);
  return outputs;
}
