import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/**
 * URL of a worker thread's compiled program. Tests run the TypeScript sources, but Node 20 starts no `.ts` worker:
 * from a source file the compiled twin under `dist/` is taken (`npm test` builds first).
 *
 * @param importer  `import.meta.url` of the file that starts the worker
 * @param relative  path of the worker from there, ending in `.js`
 * @throws Error when the twin was not built
 */
export function workerUrl(importer: string, relative: string): URL {
  const beside = new URL(relative, importer);
  if (!importer.endsWith('.ts')) return beside;
  const root = new URL('../../', import.meta.url);
  const twin = new URL(beside.href.replace(root.href, new URL('dist/', root).href));
  if (!existsSync(fileURLToPath(twin))) {
    throw new Error(`${fileURLToPath(twin)} is missing; run "npm run build" before the tests`);
  }
  return twin;
}
