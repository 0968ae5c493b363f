import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { tuningKey } from '../../../models/tuning/plan.js';
import { type TuningEntry, withEntry } from '../../../models/tuning/record.js';
import { fileDigest, writeRecord } from '../../../models/tuning/store.js';
import { modelCommand } from '../../../pipeline/commands/model.js';
import { writeTiny } from './tuned-files.js';

const folder = mkdtempSync(join(tmpdir(), 'maskcast-inspect-'));
afterAll(() => rmSync(folder, { recursive: true }));

let model = '';
let digest = '';
let entry: TuningEntry;
beforeAll(async () => {
  model = await writeTiny(join(folder, 'tiny.onnx'));
  digest = await fileDigest(model);
  const choice = { batch: 1, workers: 1, threads: 2, medianMs: 50, ratio: 2, digest: 'd'.repeat(64) };
  entry = {
    ...tuningKey('auto'),
    ranOn: 'cpu',
    measured: '2026-11-24T21:00:00.000Z',
    asked: [1],
    choices: [{ ...choice, forms: { separated: 'spectral' } }],
    table: [],
  };
});

/** What `maskcast model inspect` prints. */
async function inspect(...flags: readonly string[]): Promise<{ out: string; err: string }> {
  const said = { out: '', err: '' };
  const into = (stream: 'out' | 'err') => (text: unknown) => {
    said[stream] += String(text);
    return true;
  };
  const spies = [
    vi.spyOn(process.stdout, 'write').mockImplementation(into('out')),
    vi.spyOn(process.stderr, 'write').mockImplementation(into('err')),
  ];
  try {
    await modelCommand().parseAsync(['inspect', model, '--data', join(folder, 'data'), ...flags], { from: 'user' });
    return said;
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

describe('model inspect', () => {
  it('shows what the tuner chose, and where', async () => {
    await writeRecord(model, join(folder, 'data'), withEntry(undefined, { file: 'tiny.onnx', digest }, entry));
    const { out, err } = await inspect();
    expect(out).toContain(`${entry.processor.model}`);
    expect(out).toContain(
      'tuned: separated=spectral, 1x2 (workers x threads), batch 1: 2.00 times as fast as untuned, measured 2026-11-24',
    );
    expect(err).toBe('');
    expect(JSON.parse((await inspect('--json')).out).tuned).toMatchObject([{ ranOn: 'cpu', choices: entry.choices }]);
  });

  it.each([
    ['damaged', () => '{"schema":1,"mod', 'it is no JSON'],
    [
      'of another model',
      () => JSON.stringify(withEntry(undefined, { file: 'tiny.onnx', digest: 'e'.repeat(64) }, entry)),
      'the model has changed since it was measured',
    ],
  ])('shows the model all the same where the record is %s, and says so on stderr', async (_, text, why) => {
    writeFileSync(join(folder, 'tiny.tuned.json'), text());
    const { out, err } = await inspect();
    expect(out).toContain('total');
    expect(out).not.toContain('tuned:');
    expect(err).toContain(why);
  });
});
