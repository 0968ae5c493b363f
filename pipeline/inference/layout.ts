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
export const MOST_WORKERS = 8;

/**
 * Fills in what the user left to us. On CPU as many workers as cores with one thread each: threads inside a session wait for
 * each other after every layer (docs/decisions/0004). Past {@link MOST_WORKERS} the cores left over go inside the
 * sessions. With another provider one worker, for the device serves one run at a time.
 *
 * @param cores  that this process may use
 */
export function chooseLayout(wish: LayoutWish, cores: number, onCpu: boolean): Layout {
  const share = onCpu ? cores : 1;
  const workers =
    wish.workers !== 'auto'
      ? wish.workers
      : Math.min(MOST_WORKERS, Math.max(1, Math.floor(share / (wish.threads === 'auto' ? 1 : wish.threads))));
  const threads = wish.threads !== 'auto' ? wish.threads : Math.max(1, Math.floor(share / workers));
  return { workers, threads };
}
