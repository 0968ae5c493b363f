import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { workerUrl } from '../runtime/worker-url.js';
import type { FromProbe, ProbeAnswer, ProbeRequest } from './probe-messages.js';

/** Of what a dying probe printed, this much is told. */
const MOST_LAST_WORDS = 300;

/**
 * Measures one way to run one file, in a process of its own.
 *
 * @param signal  ends the process at once
 * @throws Error when it cannot run: refused, crashed, or ended by the signal
 */
export async function probe(request: ProbeRequest, signal?: AbortSignal): Promise<ProbeAnswer> {
  const program = fileURLToPath(workerUrl(import.meta.url, './probe-process.js'));
  const child = fork(program, {
    serialization: 'advanced',
    execArgv: [],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    ...(signal && { signal }),
  });
  let lastWords = '';
  child.stderr!.on('data', (chunk: Buffer) => {
    lastWords = (lastWords + chunk.toString()).slice(-MOST_LAST_WORDS);
  });
  const reply = await new Promise<FromProbe>((resolve) => {
    let answer: FromProbe | undefined;
    child.on('message', (message: FromProbe) => {
      answer = message;
    });
    child.on('error', (cause) => resolve({ kind: 'refused', message: cause.message }));
    child.on('close', (code, killedBy) => {
      const end = `the process ended with ${killedBy ?? `code ${code}`}`;
      resolve(answer ?? { kind: 'refused', message: [end, lastWords.trim()].filter(Boolean).join(': ') });
    });
    child.send(request);
  });
  if (reply.kind === 'refused') throw new Error(reply.message);
  return reply.answer;
}
