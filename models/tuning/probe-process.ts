/**
 * Program of a probe: a process of its own, so that its peak memory is the candidate's and a crash inside ONNX Runtime costs
 * one candidate. Takes a {@link ProbeRequest} by message, answers with one {@link FromProbe}, ends.
 */
import { Worker } from 'node:worker_threads';
import { peakMemory } from '../runtime/peak-memory.js';
import type { FromProbe, FromProbeThread, ProbeRequest, ToProbeThread } from './probe-messages.js';

const program = new URL('./probe-thread.js', import.meta.url);

process.once('message', (request: ProbeRequest) => void answer(request));
// The parent is gone: nobody waits for the answer.
process.once('disconnect', () => process.exit());

async function answer(request: ProbeRequest): Promise<void> {
  const reply = await measure(request).catch(
    (cause: unknown): FromProbe => ({
      kind: 'refused',
      message: cause instanceof Error ? cause.message : String(cause),
    }),
  );
  // A refusal may leave threads behind: the process ends whatever they do.
  process.send!(reply, () => process.exit());
}

async function measure(request: ProbeRequest): Promise<FromProbe> {
  const threads = Array.from({ length: request.workers }, () => new ProbeThread(request));
  const [first] = await Promise.all(threads.map((thread) => thread.next('ready')));
  const { info, found, notes } = first!;
  const timed = async (runs: number): Promise<Elapsed> => {
    const start = performance.now();
    const before = process.cpuUsage();
    for (const thread of threads) thread.say({ kind: 'run', runs });
    await Promise.all(threads.map((thread) => thread.next('done')));
    const { user, system } = process.cpuUsage(before);
    return { clockMs: performance.now() - start, cpuMs: (user + system) / 1000, runs };
  };
  // The first round of all together tells how many runs fill the time, and counts when one does.
  const once = await timed(1);
  const more = Math.ceil(request.leastMs / once.clockMs);
  const { clockMs, cpuMs, runs } = more > 1 ? await timed(more) : once;
  const frames = runs * request.workers * (info.fixedBatch ?? request.batch);
  const peakBytes = peakMemory();
  for (const thread of threads) thread.say({ kind: 'close' });
  await Promise.all(threads.map((thread) => thread.ended));
  const sample = { msPerFrame: clockMs / frames, runMs: clockMs / runs, cpuMs: cpuMs / frames, peakBytes };
  return { kind: 'answer', answer: { sample, info, found, notes } };
}

interface Elapsed {
  readonly clockMs: number;
  readonly cpuMs: number;
  readonly runs: number;
}

type Kind = FromProbeThread['kind'];

/** A thread whose messages are awaited by kind. */
class ProbeThread {
  readonly #worker: Worker;
  readonly #inbox: FromProbeThread[] = [];
  #wake: (() => void) | undefined;
  #failure: Error | undefined;
  readonly ended: Promise<void>;

  constructor(request: ProbeRequest) {
    this.#worker = new Worker(program, { workerData: request, execArgv: [] });
    this.#worker.on('message', (message: FromProbeThread) => {
      this.#inbox.push(message);
      this.#wake?.();
    });
    this.#worker.on('error', (cause: unknown) => {
      this.#failure = cause instanceof Error ? cause : new Error(String(cause));
    });
    this.ended = new Promise((resolve) => {
      this.#worker.on('exit', (code) => {
        this.#failure ??= new Error(`a thread of the probe ended with code ${code}`);
        this.#wake?.();
        resolve();
      });
    });
  }

  say(message: ToProbeThread): void {
    this.#worker.postMessage(message);
  }

  /** @throws Error when the thread refuses, fails or ends */
  async next<K extends Kind>(kind: K): Promise<Extract<FromProbeThread, { kind: K }>> {
    while (this.#inbox.length === 0 && !this.#failure) await new Promise<void>((resolve) => (this.#wake = resolve));
    const message = this.#inbox.shift();
    if (!message) throw this.#failure!;
    if (message.kind === 'refused') throw new Error(message.message);
    if (message.kind !== kind) throw new Error(`the thread answered ${message.kind}, ${kind} was expected`);
    return message as Extract<FromProbeThread, { kind: K }>; // Its kind was checked in the line above.
  }
}
