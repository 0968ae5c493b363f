import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FoundInstances, ProbeAnswer } from '../../../models/tuning/probe-messages.js';
import { recordSchema, type TuningKey, withEntry } from '../../../models/tuning/record.js';
import { fileDigest } from '../../../models/tuning/store.js';
import { explainTable } from '../../../models/tuning/table.js';
import { tune } from '../../../models/tuning/tune.js';
import { laboratory, type Speed, TWO_FORMS, writeTiny } from './tuned-files.js';

let folder = '';
let model = '';
let digest = '';
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'maskcast-tune-test-'));
  model = await writeTiny(join(folder, 'tiny.onnx'));
  digest = await fileDigest(model);
});
afterAll(() => rmSync(folder, { recursive: true }));

const KEY: TuningKey = {
  processor: { model: 'Some CPU', features: [], cores: 2 },
  runtime: 'onnxruntime 1.30.0',
  provider: 'auto',
};
const notes: string[] = [];
const tuneOn = (
  laboratory: Pick<Parameters<typeof tune>[0], 'probe' | 'now'>,
  more: Partial<Parameters<typeof tune>[0]> = {},
) => {
  notes.length = 0;
  return tune({
    model,
    digest,
    forms: TWO_FORMS,
    key: KEY,
    provider: 'auto',
    batches: [1, 4],
    budgetS: 1000,
    mostWorkers: 8,
    today: '2026-11-24T21:00:00.000Z',
    note: (note) => void notes.push(note),
    ...laboratory,
    ...more,
  });
};
const told = ({ entry }: Awaited<ReturnType<typeof tune>>) =>
  entry.choices.map(({ batch, forms, workers, threads }) => [
    batch,
    Object.values(forms).join() || 'direct',
    workers,
    threads,
  ]);

describe('tune', () => {
  it('takes form and layout that are fastest, for each batch by itself', async () => {
    // Spectral pays at batch 1, direct at batch 4, where one worker with two threads is faster.
    const speed: Speed = ({ form, workers, batch }) =>
      batch === 1 ? (form === 'direct' ? 100 : 50) : (form === 'direct' ? 60 : 90) * (workers === 1 ? 0.8 : 1);
    const tuning = await tuneOn(laboratory(speed));
    expect(told(tuning)).toEqual([
      [1, 'spectral', 2, 1],
      [4, 'direct', 1, 2],
    ]);
    expect(tuning.entry.choices.map(({ ratio }) => ratio)).toEqual([2, 1.25]);
  });

  it('changes nothing where nothing is gained', async () => {
    const tuning = await tuneOn(laboratory(() => 100));
    expect(told(tuning)).toEqual([
      [1, 'direct', 2, 1],
      [4, 'direct', 2, 1],
    ]);
    expect(tuning.entry.choices.map((choice) => choice.digest)).toEqual([digest, digest]);
  });

  it('gains of form and layout multiply', async () => {
    const tuning = await tuneOn(
      laboratory(({ form, workers }) => (form === 'direct' ? 200 : 100) / (workers === 1 ? 2 : 1)),
      { batches: [1] },
    );
    expect(told(tuning)).toEqual([[1, 'spectral', 1, 2]]);
    expect(tuning.entry.choices[0]!.ratio).toBe(4);
  });

  it('a form that won the first race by luck must beat direct again in the last, or direct stays', async () => {
    // Fast in its five looks of the first race, slow ever after; the other layout does not help either.
    let looks = 0;
    const lab = laboratory(({ form }) => (form === 'direct' ? 100 : ++looks > 5 ? 150 : 50));
    const tuning = await tuneOn(lab, { batches: [1] });
    expect(told(tuning)).toEqual([[1, 'direct', 2, 1]]);
    expect(tuning.entry.choices[0]!.ratio).toBe(1);
  });

  it('what is chosen was faster than direct in the default layout inside the rounds of the last race', async () => {
    const lab = laboratory(({ form, workers }) => (form === 'direct' ? 100 : 80) / (workers === 1 ? 2 : 1));
    const { entry } = await tuneOn(lab, { batches: [1] });
    const last = entry.table.slice(TWO_FORMS.length);
    expect(last.map(({ forms, workers, chosen }) => [Object.values(forms).join(), workers, chosen])).toEqual([
      ['', 2, false],
      ['spectral', 2, false],
      ['spectral', 1, true],
    ]);
    expect(entry.choices[0]!.ratio).toBe(2.5);
  });

  it('time that ends in the last race leaves the form that beat direct in the first', async () => {
    // A look takes a second; from the last race on three of them. The first race has time for three rounds, the last for one.
    const lab = laboratory(({ form }) => (form === 'direct' ? 100 : 50));
    const now = (): number => lab.now() + 2 * Math.max(0, lab.now() - 7000);
    const tuning = await tuneOn({ ...lab, now }, { budgetS: 16, batches: [1] });
    expect(tuning.entry.table.map(({ n }) => n)).toEqual([3, 3, 1, 1, 1]);
    expect(told(tuning)).toEqual([[1, 'spectral', 2, 1]]);
    expect(tuning.entry.asked).toEqual([]);
  });

  it('asks the layouts of a model without other forms only, and its own batch', async () => {
    const lab = laboratory(({ workers }) => (workers === 1 ? 50 : 100), { fixedBatch: 1 });
    const tuning = await tuneOn(lab, { forms: [{}] });
    expect(told(tuning)).toEqual([[1, 'direct', 1, 2]]);
    // One look to see what it is, then five rounds of two layouts.
    expect(lab.requests).toHaveLength(11);
    expect(tuning.entry.asked).toEqual([1, 4]);
  });

  it('has one worker on a device, whatever the cores', async () => {
    const lab = laboratory(() => 5, { provider: 'cuda' });
    const tuning = await tuneOn(lab, { batches: [1] });
    expect(tuning.entry.ranOn).toBe('cuda');
    expect(new Set(lab.requests.map(({ workers }) => workers))).toEqual(new Set([1]));
    // What it finds there is compared with the processor's once.
    expect(lab.requests.filter(({ provider }) => provider === 'cpu')).toHaveLength(1);
    expect(notes).toEqual(['100 % of the instances found on cuda and on the processor agree']);
  });

  it.each([
    ['what was not measured enough stays direct', 80, 'direct'],
    ['what is clearly faster needs no third look', 10, 'spectral'],
  ])('keeps to its time, and %s', async (_, other, form) => {
    // A look takes a second: nine of them hold the first look and two rounds, cut somewhere.
    const lab = laboratory((candidate) => (candidate.form === 'direct' ? 100 : other));
    const tuning = await tuneOn(lab, { budgetS: 9, batches: [1] });
    expect(lab.now()).toBeLessThanOrEqual(9000);
    expect(told(tuning)).toEqual([[1, form, 2, 1]]);
    expect(tuning.entry.asked).toEqual([]);
    expect(notes.join()).toContain('give more with --budget');
  });

  it('no time at all is an error, not a choice', async () => {
    await expect(
      tuneOn(
        laboratory(() => 1),
        { budgetS: 1.5, batches: [1] },
      ),
    ).rejects.toThrow('do not suffice for one look');
  });

  it('a form whose result differs is out, however fast it is', async () => {
    const lab = laboratory(({ form }) => (form === 'direct' ? 100 : 10));
    const found = (x: number): FoundInstances[] => [
      { boxes: Float32Array.of(x, 0, 9, 9), scores: Float32Array.of(0.5), classes: Uint16Array.of(0) },
    ];
    const probe = async (...[request, mostMs]: Parameters<typeof lab.probe>): Promise<ProbeAnswer> => ({
      ...(await lab.probe(request, mostMs)),
      found: found(request.file === model ? 0 : 3),
    });
    const tuning = await tuneOn({ ...lab, probe }, { batches: [1] });
    expect(told(tuning)[0]![1]).toBe('direct');
    expect(tuning.entry.table.find(({ forms }) => 'separated' in forms)!.why).toBe(
      "its result differs: 0 % of the instances agree with the direct form's",
    );
  });

  it('a model that cannot run says so', async () => {
    const probe = async (): Promise<ProbeAnswer> => {
      throw new Error('the file is damaged');
    };
    await expect(tuneOn({ probe, now: () => 0 })).rejects.toThrow('the file is damaged');
  });

  it('gives a record that can be kept, and a table with every candidate', async () => {
    const { entry } = await tuneOn(laboratory(({ form }) => (form === 'direct' ? 100 : 50)));
    const record = withEntry(undefined, { file: 'tiny.onnx', digest }, entry);
    expect(recordSchema.parse(JSON.parse(JSON.stringify(record)))).toEqual(record);
    const table = explainTable(entry);
    expect(table.split('\n')).toHaveLength(entry.table.length + 3);
    expect(table).toMatch(/1 {2}separated=spectral +2x1 +5 +50\.0 .* 2\.00 .* chosen/);
  });

  it('goes its way and leaves no file behind', async () => {
    const before = readdirSync(tmpdir()).filter((name) => name.startsWith('maskcast-tune-'));
    const shares: number[] = [];
    await tuneOn(
      laboratory(() => 100),
      { onProgress: (share) => void shares.push(share) },
    );
    expect(shares.at(-1)).toBeCloseTo(1, 6);
    expect(shares.every((share, i) => i === 0 || share >= shares[i - 1]! - 1e-9)).toBe(true);
    expect(readdirSync(tmpdir()).filter((name) => name.startsWith('maskcast-tune-'))).toEqual(before);
  });
});
