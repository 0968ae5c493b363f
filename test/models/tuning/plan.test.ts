import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { buildFormFile, formFileName } from '../../../models/tuning/form-files.js';
import { type PlanOptions, tunedPlan, tuningKey } from '../../../models/tuning/plan.js';
import { type TuningEntry, withEntry } from '../../../models/tuning/record.js';
import { fileDigest, writeRecord } from '../../../models/tuning/store.js';
import { writeTiny } from './tuned-files.js';

const root = mkdtempSync(join(tmpdir(), 'maskcast-plan-'));
afterAll(() => rmSync(root, { recursive: true }));

let folder = '';
let data = '';
let model = '';
let digest = '';
let options: PlanOptions;
let entry: TuningEntry;
const notes: string[] = [];

beforeEach(async ({ task }) => {
  notes.length = 0;
  folder = join(root, task.id);
  data = join(folder, 'data');
  mkdirSync(folder);
  model = await writeTiny(join(folder, 'tiny.onnx'));
  digest = await fileDigest(model);
  const spectral = await buildFormFile(model, digest, { separated: 'spectral' }, join(folder, 'scratch'));
  const shared = { workers: 1, threads: 2, ratio: 2 };
  entry = {
    ...tuningKey('auto'),
    ranOn: 'cpu',
    measured: '2026-11-24T21:00:00.000Z',
    asked: [1, 4],
    choices: [
      { ...shared, batch: 1, forms: { separated: 'spectral' }, medianMs: 50, digest: spectral.digest },
      { ...shared, batch: 4, forms: {}, workers: 2, threads: 1, medianMs: 60, digest },
    ],
    table: [],
  };
  options = { model, digest, dataFolder: data, provider: 'auto', batch: 'auto', note: (note) => void notes.push(note) };
});
const keep = (...entries: TuningEntry[]): Promise<string> =>
  writeRecord(
    model,
    data,
    entries.reduce(
      (record, one) => withEntry(record, { file: 'tiny.onnx', digest }, one),
      withEntry(undefined, { file: 'tiny.onnx', digest }, entries[0]!),
    ),
  );

describe('the tuned plan', () => {
  it('is none, without a word, for a model that was never tuned', async () => {
    expect(await tunedPlan(options)).toBeUndefined();
    expect(notes).toEqual([]);
  });

  it('is the choice of this machine, its form built when it is not there yet', async () => {
    await keep(entry);
    const plan = await tunedPlan(options);
    expect(plan).toMatchObject({ workers: 1, threads: 2, batch: 1, ranOn: 'cpu' });
    expect(plan!.file).toBe(join(data, 'tuned', formFileName(model, digest, { separated: 'spectral' })));
    expect(plan!.sentence).toBe(
      'tuned: separated=spectral, 1x2 (workers x threads), batch 1: 2.00 times as fast as untuned, measured 2026-11-24',
    );
    expect(notes).toHaveLength(1);
    await tunedPlan(options);
    expect(notes).toHaveLength(1);
  });

  it('follows the batch that the user asks for', async () => {
    await keep(entry);
    expect(await tunedPlan({ ...options, batch: 6 })).toMatchObject({ file: model, workers: 2, threads: 1, batch: 6 });
    expect(await tunedPlan({ ...options, batch: 2 })).toMatchObject({ workers: 1, threads: 2, batch: 2 });
  });

  it.each([
    ['another processor', { processor: { model: 'Another', features: [], cores: 64 } }],
    ['another runtime', { runtime: 'onnxruntime 0.1' }],
    ['another provider', { provider: 'webgpu' }],
  ])('is none for %s, with one line', async (_, other) => {
    await keep({ ...entry, ...other });
    expect(await tunedPlan(options)).toBeUndefined();
    expect(notes).toHaveLength(1);
    expect(notes[0]).toContain('it is not tuned for this machine');
  });

  it('is that of this machine among those of others', async () => {
    await keep({ ...entry, runtime: 'onnxruntime 0.1' }, entry);
    expect(await tunedPlan(options)).toMatchObject({ workers: 1, batch: 1 });
  });

  it('is none for a damaged record, with one line', async () => {
    const file = await keep(entry);
    writeFileSync(file, readFileSync(file, 'utf8').slice(0, 100));
    expect(await tunedPlan(options)).toBeUndefined();
    expect(notes).toHaveLength(1);
    expect(notes[0]).toContain('is passed over: it is no JSON');
  });

  it('is none for a model that has changed', async () => {
    await keep(entry);
    await writeTiny(model, 'redesigned', 19);
    expect(await tunedPlan({ ...options, digest: await fileDigest(model) })).toBeUndefined();
    expect(notes).toHaveLength(1);
    expect(notes[0]).toContain('the model has changed since it was measured');
  });

  it('is none where its form cannot be had, with the reason', async () => {
    await keep({ ...entry, choices: [{ ...entry.choices[0]!, digest: 'f'.repeat(64) }] });
    expect(await tunedPlan(options)).toBeUndefined();
    expect(notes.at(-1)).toContain('runs as it is');
    notes.length = 0;
    await keep({ ...entry, choices: [{ ...entry.choices[0]!, forms: { separated: 'magic' } }] });
    expect(await tunedPlan(options)).toBeUndefined();
    expect(notes.at(-1)).toContain('separated=magic');
  });

  it('is none where the data folder takes no files, with the reason', async () => {
    await keep(entry);
    writeFileSync(data, 'a file where a folder should be');
    expect(await tunedPlan(options)).toBeUndefined();
    expect(notes.at(-1)).toMatch(/runs as it is: .*(EEXIST|ENOTDIR)/);
  });
});
