import cliProgress from 'cli-progress';
import type { CameraProgress } from './run.js';

const EVERY_MS = 500;

/**
 * Shows on a terminal (stderr) what every camera does: a progress bar for a file whose length is known, a status line
 * otherwise.
 *
 * @returns ends the display
 */
export function showProgress(progress: () => ReadonlyMap<string, CameraProgress>): () => void {
  const bars = new cliProgress.MultiBar(
    { stream: process.stderr, hideCursor: true, clearOnComplete: true, format: '{name} {bar} {about}', barsize: 20 },
    cliProgress.Presets.shades_classic,
  );
  const shown = new Map<string, cliProgress.SingleBar>();
  const update = (): void => {
    for (const [name, camera] of progress()) {
      const total = camera.expected ?? 0;
      const bar =
        shown.get(name) ??
        bars.create(Math.max(1, total), 0, { name, about: '' }, total > 0 ? {} : { format: '{name} {about}' });
      shown.set(name, bar);
      bar.update(Math.min(camera.frames, Math.max(1, total)), { name, about: about(camera) });
    }
  };
  const timer = setInterval(update, EVERY_MS);
  return () => {
    clearInterval(timer);
    bars.stop();
  };
}

const about = ({ state, fps, analysed, dropped, now, events, clips }: CameraProgress): string =>
  `${state} ${fps.toFixed(1)} fps, ${analysed} analysed, ${dropped} dropped, ${now} now, ${events} events, ${clips} clips`;
