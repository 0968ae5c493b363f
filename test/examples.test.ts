import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeNumberedVideo } from './support/numbered-video.js';
import { writeSquareDetector } from './support/square-detector.js';

const run = promisify(execFile);
const root = fileURLToPath(new URL('..', import.meta.url));
// Inside the package, so that `maskcast` resolves to itself through its own exports.
const folder = mkdtempSync(join(root, 'dist', 'examples-'));
const material = mkdtempSync(join(tmpdir(), 'maskcast-examples-'));
const size = { width: 320, height: 240 };

beforeAll(async () => {
  mkdirSync(folder, { recursive: true });
  await writeSquareDetector(join(material, 'square.onnx'), size);
  await writeNumberedVideo(join(material, 'video.mp4'), {
    ...size,
    times: { rate: '25', count: 30 },
    encoder: ['-c:v', 'libx264', '-bf', '0'],
  });
});
afterAll(() => {
  for (const path of [folder, material]) rmSync(path, { recursive: true, force: true });
});

describe('examples', () => {
  it('have at most forty lines each', () => {
    const long = readdirSync(join(root, 'examples')).filter(
      (name) =>
        name.endsWith('.ts') &&
        readFileSync(join(root, 'examples', name), 'utf8')
          .trim()
          .split('\n').length > 40,
    );
    expect(long).toEqual([]);
  });

  it('count-people.ts builds its own graph from the package and counts', async () => {
    const source = readFileSync(join(root, 'examples/count-people.ts'), 'utf8');
    // Node 20 strips no types; the example has two annotations.
    const script = join(folder, 'count-people.mjs');
    writeFileSync(
      script,
      source.replace('(): number =>', '() =>').replace('config.cameras.video!', 'config.cameras.video'),
    );
    const { stdout } = await run(process.execPath, [
      script,
      join(material, 'video.mp4'),
      join(material, 'square.onnx'),
    ]);
    expect(stdout).toMatch(/^0\.1 s: video-1 comes$/m);
    expect(stdout.trim().split('\n').at(-1)).toBe('1 people');
  });
});

describe('README', () => {
  const text = readFileSync(join(root, 'README.md'), 'utf8');

  it('names only files that are there', () => {
    const links = [...text.matchAll(/\]\((?!https?:)([^)#]+)\)/g)].map((match) => match[1]!);
    const missing = links.filter((link) => {
      try {
        readFileSync(join(root, link));
        return false;
      } catch (cause) {
        return (cause as NodeJS.ErrnoException).code !== 'EISDIR';
      }
    });
    expect(missing).toEqual([]);
  });

  it('shows a configuration that is valid', async () => {
    const yaml = /```yaml\n([\s\S]*?)```/.exec(text)![1]!;
    writeFileSync(join(material, 'site.yaml'), yaml);
    const { stdout } = await run(
      process.execPath,
      [join(root, 'dist/pipeline/main.js'), 'config', 'check', join(material, 'site.yaml')],
      {
        env: { ...process.env, GATE_PASSWORD: 'x' },
      },
    );
    expect(stdout).toMatch(/is valid: 1 camera \(gate\)/);
  });

  it('names commands that exist', async () => {
    const { stdout } = await run(process.execPath, [join(root, 'dist/pipeline/main.js'), '--help']);
    for (const name of ['run', 'demo', 'detect', 'track', 'eval', 'clip', 'config', 'schema', 'doctor', 'model']) {
      expect(stdout, name).toMatch(new RegExp(`^  ${name}\\b`, 'm'));
    }
  });

  it('gives the quick start that works: npm start with a source and a model', async () => {
    const { stderr } = await run(
      'npm',
      [
        'start',
        '--silent',
        '--',
        '--source',
        join(material, 'video.mp4'),
        '--model',
        join(material, 'square.onnx'),
        '--data',
        join(material, 'data'),
      ],
      { cwd: root },
    );
    expect(stderr).toMatch(/cam1: 30 frames in, 30 analysed, 0 dropped, 1 tracks, 1 events, 1 clips/);
  });
});
