/** How inference is spread over the cores. */
export interface Layout {
  readonly workers: number;
  readonly threads: number;
}

export interface LayoutWish {
  readonly workers: number | 'auto';
  readonly threads: number | 'auto';
}

/** More sessions than this cost memory and bring little beside ffmpeg's own threads. */
const MOST_WORKERS = 8;

/**
 * Fills in what the user left to us. On CPU: workers of one thread each, one a core, since threads inside a session wait for each
 * other (docs/decisions/0004). With another provider one worker, which the device serves alone.
 *
 * @param cores  that this process may use
 */
export function chooseLayout({ workers, threads }: LayoutWish, cores: number, onCpu: boolean): Layout {
  if (!onCpu) return { workers: workers === 'auto' ? 1 : workers, threads: threads === 'auto' ? 1 : threads };
  if (workers !== 'auto') {
    return { workers, threads: threads === 'auto' ? Math.max(1, Math.floor(cores / workers)) : threads };
  }
  const each = threads === 'auto' ? 1 : threads;
  return { workers: Math.min(MOST_WORKERS, Math.max(1, Math.floor(cores / each))), threads: each };
}
