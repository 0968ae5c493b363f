import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, expect, it, vi } from 'vitest';
import { type OlderProcessor, olderRuntime } from '../../support/older-processor.js';

// The tests of int8 once more, each time in a process of its own.
vi.setConfig({ testTimeout: 300_000 });

const folder = mkdtempSync(join(tmpdir(), 'maskcast-older-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Whose sums, operators and products must be right whatever the processor is. */
const TESTS = ['saturation', 'operators', 'products'].map((name) => `test/models/quantize/${name}.test.ts`);

it.runIf(process.platform === 'linux' && process.arch === 'x64').each(['avx2', 'avx-vnni'] as const)(
  'int8 is right on a processor with %s',
  async (kind: OlderProcessor) => {
    const library = await olderRuntime(kind, folder);
    const { stdout } = await promisify(execFile)('npx', ['vitest', 'run', '--reporter=json', ...TESTS], {
      env: { ...process.env, LD_LIBRARY_PATH: library!, MASKCAST_TEST_OLDER_PROCESSOR: kind },
      maxBuffer: 2 ** 26,
    });
    const { numPassedTests, numFailedTests, numPendingTests } = JSON.parse(stdout.slice(stdout.indexOf('{')));
    expect({ numFailedTests, numPendingTests }).toEqual({
      numFailedTests: 0,
      numPendingTests: 0,
    });
    expect(numPassedTests).toBeGreaterThan(30);
  },
);
