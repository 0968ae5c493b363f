import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

/** Imports go one way: pipeline → models → operators → config. Packages of the edges stay in their folders. */
const root = fileURLToPath(new URL('..', import.meta.url));
const LAYERS = ['config', 'operators', 'models', 'pipeline'];
/** Package → the only folder that may import it. */
const ONLY_IN: Record<string, string> = {
  'fluent-ffmpeg': 'pipeline/ffmpeg',
  'onnxruntime-node': 'models/runtime',
  mqtt: 'pipeline/mqtt',
  aedes: 'pipeline/mqtt',
};

const files = LAYERS.flatMap((layer) =>
  readdirSync(join(root, layer), { recursive: true, encoding: 'utf8' }).map((name) => join(layer, name)),
).filter((file) => file.endsWith('.ts'));

function importsOf(file: string): string[] {
  const text = readFileSync(join(root, file), 'utf8');
  return [
    ...text.matchAll(
      /^\s*(?:import|export)\b[^'"]*?from\s+['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]\s*\)|^import\s+['"]([^'"]+)['"]/gm,
    ),
  ].map((match) => (match[1] ?? match[2] ?? match[3])!);
}

const edges = files.flatMap((file) => importsOf(file).map((target) => ({ file, target })));

describe('imports', () => {
  it('are found at all', () => {
    expect(edges.length).toBeGreaterThan(100);
  });

  it('never point upwards: pipeline → models → operators → config', () => {
    const upward = edges
      .filter(({ target }) => target.startsWith('.'))
      .map(({ file, target }) => ({ file, to: relative(root, normalize(join(root, dirname(file), target))) }))
      .filter(
        ({ file, to }) =>
          LAYERS.indexOf(to.split('/')[0]!) > LAYERS.indexOf(file.split('/')[0]!) ||
          !LAYERS.includes(to.split('/')[0]!),
      );
    expect(upward).toEqual([]);
  });

  it('keep each edge package in its own folder', () => {
    const strays = edges.filter(
      ({ file, target }) => ONLY_IN[target] !== undefined && !file.startsWith(`${ONLY_IN[target]}/`),
    );
    expect(strays).toEqual([]);
  });

  it('keep operators free of Node built-ins, native packages and clocks', () => {
    const impure = edges.filter(
      ({ file, target }) => file.startsWith('operators/') && !target.startsWith('.') && target !== 'rxjs',
    );
    expect(impure).toEqual([]);
    const clocks = files.filter(
      (file) =>
        file.startsWith('operators/') &&
        /Date\.now\(|performance\.now\(|Math\.random\(/.test(stripComments(readFileSync(join(root, file), 'utf8'))),
    );
    expect(clocks).toEqual([]);
  });
});

const stripComments = (text: string): string => text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/\/\/.*$/gm, '');
