import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const command = new URL('../../../dist/pipeline/commands/model.js', import.meta.url);

/** Builds in a process of its own and tells its peak memory (kB) and its time (ms). */
const program = `
  import { modelCommand } from ${JSON.stringify(fileURLToPath(command))};
  await modelCommand().parseAsync(process.argv.slice(1), { from: 'user' });
  console.error(JSON.stringify({ peakKb: process.resourceUsage().maxRSS, ms: performance.now() }));
`;

describe('building a 36 M-parameter graph', () => {
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'maskcast-build-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it.each([
    ['from a seed', ['--seed', '1', '--save-weights', 'NET']],
    ['from a file', ['--weights', 'NET']],
  ])('takes seconds and less than 1 GiB, %s', async (_, flags) => {
    const files = flags.map((flag) => (flag === 'NET' ? join(folder, 'net.safetensors') : flag));
    const args = ['build', '--preset', 'mask-rcnn-r50-c4', ...files, '--out', join(folder, 'net.onnx')];
    const { stderr, status } = spawnSync(process.execPath, ['--input-type=module', '-e', program, '--', ...args], {
      encoding: 'utf8',
    });
    expect(status, stderr).toBe(0);
    const { peakKb, ms } = JSON.parse(stderr) as { peakKb: number; ms: number };
    console.log(`${(peakKb / 1024).toFixed(0)} MiB, ${(ms / 1000).toFixed(1)} s`);
    expect((await stat(join(folder, 'net.onnx'))).size).toBeGreaterThan(35.9e6 * 4);
    expect(peakKb).toBeLessThan(2 ** 20);
    expect(ms).toBeLessThan(30_000);
  });
});
