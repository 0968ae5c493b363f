// `npm test [-- file …]`: sets up, runs the tests and closes with one line, `N passed, N failed, N skipped`.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root, runNode, setUp } from './setup.mjs';

setUp(['ffmpeg', 'mosquitto']);
const slow = process.argv.includes('--slow');
const chosen = process.argv.slice(2).filter((arg) => arg !== '--slow');
const folder = mkdtempSync(join(tmpdir(), 'maskcast-test-'));
const report = join(folder, 'report.json');
const vitest = join(root, 'node_modules/vitest/vitest.mjs');
process.chdir(root);
const status = await runNode(
  [vitest, 'run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`, ...chosen],
  {
    ...(slow ? { MASKCAST_SLOW: '1' } : {}),
    // Debian keeps mosquitto where a plain user's PATH does not look.
    PATH: `${process.env.PATH}:/usr/sbin:/usr/local/sbin`,
  },
);
try {
  const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, testResults } = JSON.parse(
    readFileSync(report, 'utf8'),
  );
  // A file that could not even be loaded has no tests, yet it failed.
  const broken = testResults.filter(
    (file) => file.status === 'failed' && file.assertionResults.every((test) => test.status !== 'failed'),
  ).length;
  console.log(`${numPassedTests} passed, ${numFailedTests + broken} failed, ${numPendingTests + numTodoTests} skipped`);
} catch {
  console.log('0 passed, 1 failed, 0 skipped');
}
rmSync(folder, { recursive: true, force: true });
process.exitCode = status;
