/**
 * Program of a process of its own: loads one file, runs it twice, under ONNX Runtime's profiler where asked, prints one
 * {@link Probed} as JSON. Its largest memory is the file's; a benchmark that holds several sessions cannot tell them apart.
 */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceSession } from 'onnxruntime-node';
import { peakMemory } from '../../../models/runtime/peak-memory.js';
import { ortOptions, toOrt } from '../../../models/runtime/session.js';
import { feedsOf, type Shape } from './feeds.js';

export interface ProbeOptions {
  readonly file: string;
  readonly shape: Shape;
  readonly threads: number;
  readonly profile: boolean;
}

export interface Probed {
  /** Of the whole process, Node.js and this program (some 60 MB) included. */
  readonly peakMB: number;
  /** Milliseconds of a run that were spent in each stage's nodes; empty without a profile. */
  readonly stageMs: Readonly<Record<string, number>>;
}

const { file, shape, threads, profile } = JSON.parse(process.argv[2]!) as ProbeOptions; // The benchmark is the only sender.
const folder = await mkdtemp(join(tmpdir(), 'maskcast-probe-'));
try {
  const session = await InferenceSession.create(file, {
    ...ortOptions({ threads }, 'cpu'),
    ...(profile && { enableProfiling: true, profileFilePrefix: join(folder, 'profile') }),
  });
  const feeds = Object.fromEntries(Object.entries(feedsOf(shape)).map(([name, value]) => [name, toOrt(value)]));
  await session.run(feeds);
  await session.run(feeds);
  // Before the profile is read, which takes memory of its own.
  const peakMB = peakMemory() / 1e6;
  if (profile) session.endProfiling();
  await session.release();
  const [name] = await readdir(folder);
  const text = name ? await readFile(join(folder, name), 'utf8') : '[]';
  const answer: Probed = { peakMB, stageMs: stages(JSON.parse(text) as ProfileEvent[]) }; // ONNX Runtime's own format.
  console.log(JSON.stringify(answer));
} finally {
  await rm(folder, { recursive: true, force: true });
}

interface ProfileEvent {
  readonly cat?: string;
  readonly name?: string;
  readonly dur?: number;
}

/** Of the second run: the first makes room for everything. Nodes that the runtime adds or joins bear the name of one of ours inside theirs. */
function stages(events: readonly ProfileEvent[]): Record<string, number> {
  const kernels = events.filter(({ cat, name }) => cat === 'Node' && name?.endsWith('_kernel_time'));
  const second = kernels.slice(kernels.length / 2);
  const ms: Record<string, number> = {};
  for (const { name = '', dur = 0 } of second) {
    const stage = /([a-z-]+)\//.exec(name)?.[1] ?? 'other';
    ms[stage] = (ms[stage] ?? 0) + dur / 1000;
  }
  return ms;
}
