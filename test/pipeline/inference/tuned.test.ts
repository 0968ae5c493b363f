import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { buildFormFile } from '../../../models/tuning/form-files.js';
import { tuningKey } from '../../../models/tuning/plan.js';
import { type TuningEntry, withEntry } from '../../../models/tuning/record.js';
import { fileDigest, writeRecord } from '../../../models/tuning/store.js';
import { type Detector, type DetectorOptions, openDetector } from '../../../pipeline/inference/pool.js';
import { writeTiny } from '../../models/tuning/tuned-files.js';

const folder = mkdtempSync(join(tmpdir(), 'maskcast-tuned-'));
afterAll(() => rmSync(folder, { recursive: true }));
const data = join(folder, 'data');
let model = '';
let digest = '';
let entry: TuningEntry;
beforeAll(async () => {
  model = await writeTiny(join(folder, 'tiny.onnx'));
  digest = await fileDigest(model);
  const spectral = await buildFormFile(model, digest, { separated: 'spectral' }, join(folder, 'scratch'));
  const choice = { batch: 1, forms: { separated: 'spectral' }, workers: 1, threads: 3, medianMs: 5, ratio: 2 };
  entry = {
    ...tuningKey('cpu'),
    ranOn: 'cpu',
    measured: '2026-11-24T21:00:00.000Z',
    asked: [1],
    choices: [{ ...choice, digest: spectral.digest }],
    table: [],
  };
});

let lines: { level: number; msg: string }[];
let detector: Detector | undefined;
beforeEach(() => {
  lines = [];
});
afterEach(() => detector?.close());

async function open(kept: TuningEntry, more: Partial<DetectorOptions> = {}): Promise<Detector> {
  await writeRecord(model, data, withEntry(undefined, { file: 'tiny.onnx', digest }, kept));
  const log = pino({ level: 'debug', base: null }, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const auto = { provider: 'cpu', workers: 'auto', threads: 'auto', batch: 'auto', minScore: 0.1 } as const;
  detector = await openDetector({ file: model, dataFolder: data, log, ...auto, ...more });
  return detector;
}
const told = (text: string): number[] => lines.filter(({ msg }) => msg.includes(text)).map(({ level }) => level);
const INFO = 30;
const WARN = 40;

describe('openDetector with a tuned model', () => {
  it('runs as it was chosen and says so in one line; the model keeps its name and digest', async () => {
    const { info } = await open(entry);
    expect(info).toMatchObject({ name: 'tiny.onnx', file: model, digest, workers: 1, threads: 3, maxBatch: 1 });
    expect(told('tuned: separated=spectral, 1x3')).toEqual([INFO]);
  });

  it('leaves what the user set as it is', async () => {
    const { info } = await open(entry, { workers: 2, threads: 1, batch: 3 });
    expect(info).toMatchObject({ workers: 2, threads: 1, maxBatch: 3 });
    expect(told('tuned: separated=spectral')).toEqual([INFO]);
  });

  it('runs the file as it is without a data folder', async () => {
    await writeRecord(model, data, withEntry(undefined, { file: 'tiny.onnx', digest }, entry));
    const log = pino({ level: 'debug', base: null }, { write: (line: string) => void lines.push(JSON.parse(line)) });
    detector = await openDetector({
      file: model,
      log,
      provider: 'cpu',
      workers: 'auto',
      threads: 'auto',
      batch: 'auto',
      minScore: 0.1,
    });
    expect(detector.info.threads).toBe(1);
    expect(told('tuned')).toEqual([]);
  });

  it('goes on as it is, with one warning, where it was measured on another provider', async () => {
    const { info } = await open({ ...entry, ranOn: 'cuda' });
    expect(info).toMatchObject({ threads: 1, digest });
    expect(told('it was measured on cuda and would run on cpu')).toEqual([WARN]);
  });

  it('goes on as it is, with one warning, where the form cannot be had', async () => {
    const { info } = await open({ ...entry, choices: [{ ...entry.choices[0]!, digest: 'f'.repeat(64) }] });
    expect(info.threads).toBe(1);
    expect(told('the model runs as it is')).toEqual([WARN]);
  });
});
