import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { InputError } from '../../../config/errors.js';
import { buildNetwork } from '../../../models/nets/network.js';
import { readModel } from '../../../models/onnx/decode.js';
import { writeModel } from '../../../models/onnx/encode.js';
import { INT8_KEY } from '../../../models/quantize/note.js';
import { openModel } from '../../../models/runtime/model.js';
import { seededWeights } from '../../../models/weights/seed.js';
import { quantizeCommand } from '../../../pipeline/commands/model-quantize.js';
import { pictures, TINY, TINY_WIDE } from '../../models/nets/tiny-networks.js';

// Several sessions a case; on a machine busy with training that takes minutes.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

let folder = '';
const at = (name: string): string => join(folder, name);

async function run(...args: string[]): Promise<string> {
  let text = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
    text += String(chunk);
    return true;
  });
  vi.spyOn(process.stderr, 'write').mockImplementation(() => true);
  try {
    await quantizeCommand().exitOverride().parseAsync(args, { from: 'user' });
  } finally {
    vi.restoreAllMocks();
  }
  return text;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'maskcast-quantize-'));
  await mkdir(at('pictures'));
  await mkdir(at('empty'));
  const data = pictures(3, 64, 96);
  for (let n = 0; n < 3; n++) {
    const raw = { width: 96, height: 64, channels: 3 } as const;
    await sharp(data.slice(n * 64 * 96 * 3, (n + 1) * 64 * 96 * 3), { raw })
      .png()
      .toFile(at(`pictures/${n}.png`));
  }
  await writeFile(at('pictures/notes.txt'), 'no picture');
  await writeModel(at('tiny.onnx'), buildNetwork(TINY.redesigned!, { weights: seededWeights(7) }));
});
afterAll(() => rm(folder, { recursive: true }));

it('writes a twin that opens like the float file, and reports every layer, agreement and what ran', async () => {
  const args = [
    at('tiny.onnx'),
    '--calibrate',
    at('pictures'),
    '--images',
    '2',
    '--out',
    at('tiny.int8.onnx'),
    '--check',
  ];
  const report = JSON.parse(await run(...args, '--json'));
  expect(report).toMatchObject({
    file: at('tiny.int8.onnx'),
    bytes: (await stat(at('tiny.int8.onnx'))).size,
    range: 'half',
    pictures: 2,
    check: { unexpected: [] },
  });
  expect(report.worstPair).toBeLessThanOrEqual(128);
  expect(report.layers).toHaveLength(28);
  expect(report.agreement.found).toBeGreaterThanOrEqual(0);
  expect(report.check.operators.map(({ op }: { op: string }) => op)).toContain('QLinearConv');
  expect(report.bytes).toBeLessThan((await stat(at('tiny.onnx'))).size);
  const model = await openModel({
    file: at('tiny.int8.onnx'),
    provider: 'cpu',
    threads: 1,
    batch: 1,
    minScore: 0.1,
    note: () => {},
  });
  await model.release();
  expect(model.info).toMatchObject({ adapter: 'maskcast', labels: TINY.redesigned!.classes, masks: true });
});

it('quantises a form of the model, products and all', async () => {
  await writeModel(at('wide.onnx'), buildNetwork(TINY_WIDE.redesigned, { weights: seededWeights(7) }));
  const args = [at('wide.onnx'), '--calibrate', at('pictures'), '--images', '1', '--out', at('wide.int8-gemm.onnx')];
  const text = await run(...args, '--form', 'separated=spectral,regions=gemm', '--check');
  expect(text).toMatch(/head\/gemm\/MatMul_\d+ +int8/);
  expect(text).toMatch(/MatMulIntegerToFloat +9 nodes/);
  const { metadata } = readModel(at('wide.int8-gemm.onnx'));
  expect(metadata['maskcast-forms']).toBe('separated=spectral,regions=gemm');
  await expect(run(...args, '--form', 'separated=fast')).rejects.toThrow(/no form "fast"/);
});

it('prints a line for each convolution, and keeps in float what it is told to', async () => {
  const args = [at('tiny.onnx'), '--calibrate', at('pictures'), '--images', '1', '--out', at('mixed.onnx')];
  const text = await run(...args, '--mixed', '--keep-float', 'head/*', 'mask-head/*', '--weights', 'paired');
  expect(
    text.split('\n').filter((line) => /^(separated|head|mask-head)\/\S+ +float: asked for/.test(line)),
  ).toHaveLength(8);
  expect(text).toMatch(/18 of 28 layers in int8, weights paired \(largest pair \d+\), 1 pictures/);
  expect(JSON.parse(readModel(at('mixed.onnx')).metadata[INT8_KEY]!)).toMatchObject({ weights: 'paired', pictures: 1 });
});

it('refuses a folder without pictures, a picture that is none, and a model that is int8 already', async () => {
  const into = ['--out', at('never.onnx')];
  await expect(run(at('tiny.onnx'), '--calibrate', at('empty'), ...into)).rejects.toThrow(/empty: holds no picture/);
  await expect(run(at('tiny.onnx'), '--calibrate', at('missing'), ...into)).rejects.toThrow(InputError);
  await mkdir(at('broken'));
  await writeFile(at('broken/a.jpg'), 'text');
  await expect(run(at('tiny.onnx'), '--calibrate', at('broken'), ...into)).rejects.toThrow(/is not a picture/);
  await expect(run(at('tiny.int8.onnx'), '--calibrate', at('pictures'), ...into)).rejects.toThrow(/quantised already/);
  await expect(run(at('tiny.onnx'), '--calibrate', at('pictures'), '--images', '0', ...into)).rejects.toThrow(
    /whole number/,
  );
});
