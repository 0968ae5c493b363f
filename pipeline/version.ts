import { readFileSync } from 'node:fs';

/** Version of the package, from its manifest: two folders up from the compiled file, one from the source. */
export const VERSION: string = (() => {
  for (const relative of ['../package.json', '../../package.json']) {
    try {
      const { name, version } = JSON.parse(readFileSync(new URL(relative, import.meta.url), 'utf8')) as {
        name: string;
        version: string;
      };
      if (name === 'maskcast') return version;
    } catch {
      // The other place, then.
    }
  }
  return 'unknown';
})();
