import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { InputError } from '../../../config/errors.js';
import { type ModelProvider, openModel } from '../../../models/runtime/model.js';
import { readModelMetadata } from '../../../models/runtime/model-file.js';
import { providersToTry } from '../../../models/runtime/providers.js';
import { greyMeter, tinyModel } from '../adapters/tiny-model.js';

const folder = mkdtempSync(join(tmpdir(), 'maskcast-model-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = (name: string, bytes: Uint8Array): string => {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
};
const open = (path: string, provider: ModelProvider = 'cpu', notes: string[] = [], batch = 1) =>
  openModel({ file: path, provider, threads: 1, batch, minScore: 0.1, note: (sentence) => void notes.push(sentence) });
const failureOf = async (promise: Promise<unknown>): Promise<string> => {
  const failure = await promise.then(
    () => 'it was accepted',
    (cause: unknown) => cause,
  );
  expect(failure).toBeInstanceOf(InputError);
  return String(failure);
};

describe('readModelMetadata', () => {
  const long = 'x'.repeat(70_000);
  const bytes = tinyModel({
    inputs: [{ name: 'images', type: 'float32', dims: [1] }],
    outputs: [{ name: 'y', type: 'float32', dims: [1], data: Float32Array.of(1) }],
    metadata: { maskcast: '{"ü":1}', long },
  });

  it('finds the metadata behind the graph', async () => {
    expect(await readModelMetadata(file('whole.onnx', bytes))).toEqual({ maskcast: '{"ü":1}', long });
  });

  it('refuses a file cut off anywhere inside a field, and never hangs', async () => {
    const short = tinyModel({
      inputs: [],
      outputs: [{ name: 'y', type: 'float32', dims: [1], data: Float32Array.of(1) }],
      metadata: { key: 'value' },
    });
    const whole = JSON.stringify(await readModelMetadata(file('short.onnx', short)));
    let accepted = 0;
    for (let length = 0; length < short.length; length++) {
      const found = await readModelMetadata(file('cut.onnx', short.subarray(0, length))).catch(
        (cause: unknown) => cause,
      );
      if (found instanceof InputError) continue;
      // A cut between two fields after the graph leaves a shorter valid file, without the metadata at its end.
      expect(JSON.stringify(found)).not.toBe(whole);
      accepted++;
    }
    expect(accepted).toBeLessThan(4);
  });

  it('refuses other files in one sentence', async () => {
    expect(await failureOf(readModelMetadata(file('empty.onnx', new Uint8Array(0))))).toContain('it is empty');
    expect(await failureOf(readModelMetadata(file('text.onnx', Buffer.from('# not a model\n'))))).toContain(
      'no ONNX model',
    );
    // A length of 2^63 in a field of the top level.
    const huge = Uint8Array.of(0x3a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f);
    expect(await failureOf(readModelMetadata(file('huge.onnx', huge)))).toContain('past the end');
    expect(await failureOf(readModelMetadata(folder))).toContain('is not a regular file');
  });
});

describe('openModel', () => {
  it('refuses a graph that ONNX Runtime cannot load, with its reason', async () => {
    // The last node's operator in another name of the same length.
    const broken = Buffer.from(greyMeter(1).toString('latin1').replaceAll('ReduceMean', 'ReduceNone'), 'latin1');
    const message = await failureOf(open(file('broken.onnx', broken)));
    expect(message).toMatch(/broken\.onnx cannot be loaded: .*ReduceNone/);
    expect(message.split('\n')).toHaveLength(1);
  });

  it('a named provider that is not here is refused, never replaced', async () => {
    const message = await failureOf(open(file('any.onnx', greyMeter(1)), 'coreml'));
    expect(message).toContain('model.provider is coreml, which does not work here');
    expect(message).toContain('use provider auto or cpu');
  });

  it('auto ends at the processor and says what it passed over', async () => {
    const notes: string[] = [];
    const model = await open(file('any.onnx', greyMeter(1)), 'auto', notes);
    await model.release();
    if (model.info.provider === 'cpu')
      expect(notes.every((note) => /^provider \w+ is passed over: /.test(note))).toBe(true);
    else expect(model.info.provider).toMatch(/cuda|coreml|directml/);
  });

  it('a batch that is dynamic in name only is found out at the trial run', async () => {
    // The Reshape to one picture: -1 becomes 1.
    const bytes = greyMeter('N');
    const minusOne = Buffer.from(BigInt64Array.of(-1n, 1n, 1n).buffer);
    const at = bytes.indexOf(minusOne);
    expect(at).toBeGreaterThan(0);
    Buffer.from(BigInt64Array.of(1n, 1n, 1n).buffer).copy(bytes, at);
    const notes: string[] = [];
    const model = await open(file('false-batch.onnx', bytes), 'cpu', notes, 4);
    await model.release();
    expect(model.info.fixedBatch).toBe(1);
    expect(notes.join()).toContain('frames are run one by one');
  });
});

describe('providersToTry', () => {
  const everywhere = ['cpu', 'webgpu', 'cuda', 'tensorrt', 'coreml', 'dml'];

  it('auto takes what is there and ends with cpu; webgpu and tensorrt only by name', () => {
    const tried = providersToTry('auto', everywhere, () => true).map((choice) =>
      'ortName' in choice ? choice.ortName : '',
    );
    expect(tried).toEqual(['cuda', 'coreml', 'dml', 'cpu']);
    expect(providersToTry('webgpu', everywhere, () => true)).toEqual([{ provider: 'webgpu', ortName: 'webgpu' }]);
  });

  it('says why one is left out', () => {
    expect(providersToTry('auto', ['cpu', 'cuda'], (name) => name === 'cpu')).toEqual([
      { provider: 'cuda', skipped: 'its ONNX Runtime library is not installed' },
      { provider: 'cpu', ortName: 'cpu' },
    ]);
    expect(providersToTry('directml', ['cpu'], () => true)).toEqual([
      { provider: 'directml', skipped: 'the ONNX Runtime package for this system does not have it' },
    ]);
  });
});
