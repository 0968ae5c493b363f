import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { InputError } from '../../../config/errors.js';
import { workerUrl } from '../../../models/runtime/worker-url.js';

/** Where `bench kernels` can run whole networks. */
export const PROVIDERS = ['webgpu', 'cuda', 'tensorrt', 'cpu'] as const;

export type Provider = (typeof PROVIDERS)[number];

export const isProvider = (name: string): name is Provider => (PROVIDERS as readonly string[]).includes(name);

/** A driver that answers at all does so within this; shaders of one small product are made meanwhile. */
const PATIENCE_MS = 120_000;

/**
 * Tries a small product on a provider, in a process of its own: a missing driver may take the process down.
 *
 * @throws InputError with the reason when it does not work here
 */
export async function mustBeThere(provider: Provider): Promise<void> {
  if (provider === 'cpu') return;
  const program = fileURLToPath(workerUrl(import.meta.url, './try-provider.js'));
  let reason: string;
  try {
    await promisify(execFile)(process.execPath, [program, provider], { timeout: PATIENCE_MS, killSignal: 'SIGKILL' });
    return;
  } catch (cause) {
    const { stdout = '', killed, code, signal } = cause as Partial<ExecFailure>; // execFile's own error.
    reason =
      stdout.trim() || (killed ? `no answer in ${PATIENCE_MS / 1000} s` : `its process ended with ${signal ?? code}`);
  }
  throw new InputError(`--provider ${provider} does not work on this machine: ${reason}`);
}

interface ExecFailure {
  readonly stdout: string;
  readonly killed: boolean;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}
