/** A second signal within this time is the same wish: a terminal and npm may both send it. */
const SAME_WISH_MS = 500;

/**
 * SIGINT, SIGTERM and SIGHUP (the terminal was closed) as an AbortSignal: the first asks for an end in good order, a second ends the process at once.
 *
 * @param onFirst  called at the first one, to tell the user that work is being finished
 */
export function stopSignals(onFirst?: () => void): { readonly signal: AbortSignal; readonly dispose: () => void } {
  const controller = new AbortController();
  let firstMs: number | undefined;
  const onSignal = (): void => {
    const nowMs = performance.now();
    if (firstMs === undefined) {
      firstMs = nowMs;
      onFirst?.();
      controller.abort();
    } else if (nowMs - firstMs > SAME_WISH_MS) {
      // SIGKILL to ourselves: process.exit() inside an inference run aborts with a core dump.
      process.kill(process.pid, 'SIGKILL');
    }
  };
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, onSignal);
  return {
    signal: controller.signal,
    dispose: () => {
      for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.off(name, onSignal);
    },
  };
}
