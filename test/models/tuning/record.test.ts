import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { processorFrom } from '../../../models/tuning/processor.js';
import { bestChoice, choiceFor, entryFor, type TuningEntry, withEntry } from '../../../models/tuning/record.js';
import { readRecords, writeRecord } from '../../../models/tuning/store.js';

const choice = (batch: number, medianMs: number) => ({
  batch,
  forms: {},
  workers: 2,
  threads: 1,
  medianMs,
  ratio: 1,
  digest: 'd',
});
const entry: TuningEntry = {
  processor: { model: 'Some CPU', features: ['avx2', 'fma'], cores: 2 },
  runtime: 'onnxruntime 1.30.0',
  provider: 'auto',
  ranOn: 'cpu',
  measured: '2026-11-24T21:00:00.000Z',
  asked: [1, 4],
  choices: [choice(1, 100), choice(4, 80)],
  table: [],
};
const MODEL = { file: 'some.onnx', digest: 'a'.repeat(64) };

describe('an entry holds', () => {
  const record = withEntry(undefined, MODEL, entry);
  it('under the same processor, runtime and provider, and under no other', () => {
    expect(entryFor(record, structuredClone(entry))).toEqual(entry);
    const { processor } = entry;
    for (const other of [
      { ...entry, provider: 'cpu' },
      { ...entry, runtime: 'onnxruntime 1.31.0' },
      { ...entry, processor: { ...processor, model: 'Another CPU' } },
      { ...entry, processor: { ...processor, cores: 4 } },
      { ...entry, processor: { ...processor, features: ['avx2', 'fma', 'amx_int8'] } },
    ])
      expect(entryFor(record, other)).toBeUndefined();
  });

  it('until a newer one of its key takes its place; those of other machines stay', () => {
    const other = { ...entry, processor: { ...entry.processor, cores: 8 } };
    const newer = { ...entry, measured: '2026-12-01T00:00:00.000Z' };
    const both = withEntry(withEntry(record, MODEL, other), MODEL, newer);
    expect(both.entries).toEqual([other, newer]);
  });

  it('for its model only', () => {
    expect(withEntry(record, { ...MODEL, digest: 'b' }, entry).entries).toHaveLength(1);
  });
});

describe('the choice for a batch', () => {
  it('is the one measured at the largest batch that is not above it', () => {
    expect([1, 2, 3, 4, 9].map((batch) => choiceFor(entry, batch).batch)).toEqual([1, 1, 1, 4, 4]);
    expect(choiceFor({ ...entry, choices: [choice(4, 1)] }, 2).batch).toBe(4);
  });

  it('left to us is the fastest a frame, the smaller batch when that loses nothing to speak of', () => {
    expect(bestChoice(entry, 0.05).batch).toBe(4);
    expect(bestChoice({ ...entry, choices: [choice(1, 83), choice(4, 80)] }, 0.05).batch).toBe(1);
  });
});

describe('a processor', () => {
  it('is told from its flags, by those that matter', () => {
    const info = 'processor : 0\nflags\t\t: fpu sse2 fma avx avx2 rdrand\nprocessor : 1\nflags : fpu\n';
    expect(processorFrom(info, ' AMD EPYC ', 2)).toEqual({ model: 'AMD EPYC', features: ['avx2', 'fma'], cores: 2 });
    expect(processorFrom('Features\t: fp asimd asimddp\n', '', 4)).toEqual({
      model: 'unknown',
      features: ['asimd', 'asimddp'],
      cores: 4,
    });
    expect(processorFrom('', 'Apple M2', 8).features).toEqual([]);
  });
});

describe('the record on disk', () => {
  let folder = '';
  let model = '';
  const notes: string[] = [];
  const read = () => readRecords(model, MODEL.digest, join(folder, 'data'), (note) => void notes.push(note));
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'maskcast-record-'));
    model = join(folder, 'some.onnx');
    notes.length = 0;
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('comes back as it was written, beside the model, as readable lines', async () => {
    const record = withEntry(undefined, MODEL, entry);
    expect(await writeRecord(model, join(folder, 'data'), record)).toBe(join(folder, 'some.tuned.json'));
    expect((await read()).map((found) => found.record)).toEqual([record]);
    expect(readFileSync(join(folder, 'some.tuned.json'), 'utf8').split('\n').length).toBeGreaterThan(20);
    expect(readdirSync(folder)).toEqual(['some.tuned.json']);
  });

  it('goes to the data folder where the model lies among what cannot be written', async () => {
    // Its place is taken by a folder: no permission bits, which root would pass.
    mkdirSync(join(folder, 'some.tuned.json', 'in the way'), { recursive: true });
    const file = await writeRecord(model, join(folder, 'data'), withEntry(undefined, MODEL, entry));
    expect(file).toBe(join(folder, 'data', 'tuned', `some-${'a'.repeat(16)}.tuned.json`));
    expect((await read()).map((found) => found.file)).toEqual([file]);
    expect(readdirSync(folder).filter((name) => name.includes('tuned.json.'))).toEqual([]);
  });

  it('throws when neither place takes it', async () => {
    mkdirSync(join(folder, 'some.tuned.json', 'in the way'), { recursive: true });
    writeFileSync(join(folder, 'data'), 'a file where a folder should be');
    await expect(writeRecord(model, join(folder, 'data'), withEntry(undefined, MODEL, entry))).rejects.toThrow(
      /EEXIST|ENOTDIR/,
    );
  });

  it.each([
    ['nothing', '', 'it is no JSON'],
    ['half a file', JSON.stringify(withEntry(undefined, MODEL, entry)).slice(0, 200), 'it is no JSON'],
    ['other JSON', '{"schema":1}', 'model'],
    ['a later version', JSON.stringify({ ...withEntry(undefined, MODEL, entry), schema: 2 }), 'schema'],
    ['no choices', JSON.stringify(withEntry(undefined, MODEL, { ...entry, choices: [] })), 'entries.0.choices'],
    ['another model', JSON.stringify(withEntry(undefined, { ...MODEL, digest: 'b' }, entry)), 'has changed since'],
  ])('with %s in it is passed over with one line', async (_, text, reason) => {
    writeFileSync(join(folder, 'some.tuned.json'), text);
    expect(await read()).toEqual([]);
    expect(notes).toHaveLength(1);
    expect(notes[0]).toContain(reason);
    expect(notes[0]).toContain('run `maskcast model tune` again');
  });
});
