import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { InputError } from '../../../config/errors.js';
import { inspectModel } from '../../../models/nets/inspect.js';
import { decodeModel, readModel } from '../../../models/onnx/decode.js';
import { encodeModel, writeModel } from '../../../models/onnx/encode.js';
import { GraphBuilder } from '../../../models/onnx/graph-builder.js';
import type { OnnxModel } from '../../../models/onnx/model.js';
import { conv } from '../../../models/onnx/ops/convolution.js';
import { relu } from '../../../models/onnx/ops/elementwise.js';
import { reshape } from '../../../models/onnx/ops/layout.js';
import { seededWeights } from '../../../models/weights/seed.js';

function smallModel(): OnnxModel {
  const g = new GraphBuilder(seededWeights(1));
  const x = g.input('x', 'float32', ['N', 2, 4, 4]);
  const weight = g.weight('w', [3, 2, 3, 3], { kind: 'he' });
  const y = g.stage('body', () => relu(g, conv(g, x, weight, undefined, { pads: [1, 1, 1, 1] })));
  return g.finish('small', { y: reshape(g, y, ['N', 48]) }, { maskcast: '{"täg":1}', empty: '' });
}

const bytesOf = (model: OnnxModel): Uint8Array => new Uint8Array(Buffer.concat(encodeModel(model)));

/** Decodes hostile bytes: what comes is a model or a RangeError, and no tensor reaches outside of the bytes. */
function survive(bytes: Uint8Array): 'model' | 'refused' {
  try {
    const model = decodeModel(bytes);
    for (const { data } of model.graph.initializers) {
      if (data?.buffer !== bytes.buffer) continue;
      expect(data.byteOffset).toBeGreaterThanOrEqual(bytes.byteOffset);
      expect(data.byteOffset + data.length).toBeLessThanOrEqual(bytes.byteOffset + bytes.length);
    }
    return 'model';
  } catch (cause) {
    expect(cause).toBeInstanceOf(RangeError);
    return 'refused';
  }
}

describe('ONNX files', () => {
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'maskcast-onnx-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('come back from their bytes as they were', () => {
    const model = smallModel();
    const back = decodeModel(bytesOf(model));
    expect(JSON.parse(JSON.stringify(back))).toEqual(JSON.parse(JSON.stringify(model)));
  });

  it('have the same bytes whenever they are built, in memory and on disk', async () => {
    const file = join(folder, 'a.onnx');
    const size = await writeModel(file, smallModel());
    const { readFile } = await import('node:fs/promises');
    const onDisk = await readFile(file);
    expect(size).toBe(onDisk.length);
    expect(Buffer.compare(onDisk, bytesOf(smallModel()))).toBe(0);
    expect(await readdir(folder)).toEqual(['a.onnx']);
  });

  it('cannot be written where there is no folder, and that is said', async () => {
    await expect(writeModel(join(folder, 'none', 'a.onnx'), smallModel())).rejects.toThrow(InputError);
  });

  it('are refused or read, never overrun, when cut off at any byte', () => {
    const whole = bytesOf(smallModel());
    let refused = 0;
    for (let length = 0; length < whole.length; length++) {
      // Bytes go on behind the end: a reader that runs over it would find plausible ones there.
      if (survive(new Uint8Array(whole.buffer, 0, length)) === 'refused') refused++;
    }
    // What is cut between two fields after the graph is a shorter model; everything else must be noticed.
    expect(refused).toBeGreaterThan(whole.length * 0.9);
  });

  it('are refused or read, never overrun, when any bytes are changed', () => {
    const whole = bytesOf(smallModel());
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 }),
        (changes) => {
          const bytes = whole.slice();
          for (const [at, value] of changes) bytes[at] = value;
          survive(bytes);
        },
      ),
      { numRuns: 1000, seed: 7 },
    );
  });

  it('are refused or read when they are noise', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void survive(bytes)),
      { numRuns: 2000, seed: 8 },
    );
  });

  it.each([
    ['empty', [], 'it is empty'],
    ['without a graph', [0x08, 8], 'it holds no graph'],
    [
      'a length beyond 2^53',
      [0x3a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
      'a field is 9223372036854775807 bytes long',
    ],
    [
      'a length of all bits',
      [0x3a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
      'a field is 18446744073709551615 bytes long',
    ],
    ['a number that never ends', [0x08, ...Array<number>(12).fill(0xff)], 'more than 64 bits'],
    ['a field of number 0', [0x02, 0], 'field number 0'],
    ['an unknown wire type', [0x0f, 0], 'wire type 7'],
    // graph { initializer { dims: 2^40, 2^40; data_type: float } }
    [
      'a tensor of absurd shape',
      [
        0x3a,
        18,
        0x2a,
        16,
        0x08,
        ...[0x80, 0x80, 0x80, 0x80, 0x80, 0x20],
        0x08,
        ...[0x80, 0x80, 0x80, 0x80, 0x80, 0x20],
        0x10,
        1,
      ],
      'beyond the safe integers',
    ],
    // graph { initializer { dims: 4; data_type: float; raw_data: 1 byte } }
    [
      'a tensor with too few bytes',
      [0x3a, 9, 0x2a, 7, 0x08, 4, 0x10, 1, 0x4a, 1, 0],
      'takes 16 bytes, the file holds 1',
    ],
  ])('name what is wrong: %s', async (_, bytes, message) => {
    const file = join(folder, 'hostile.onnx');
    await writeFile(file, Uint8Array.from(bytes));
    expect(() => readModel(file)).toThrow(InputError);
    expect(() => readModel(file)).toThrow(message);
    expect(() => readModel(file)).toThrow(file);
  });

  it('of other makers, damaged, are told about or refused by inspect, never more', async () => {
    // The operators that are rebuilt to count a graph without shapes, with inputs and attributes of all kinds.
    const inputs = ['x', 'n', 'f', 'y0', 'y1', '', 'none'];
    const operators = [
      'Conv',
      'Clip',
      'Slice',
      'Reshape',
      'Resize',
      'Split',
      'Concat',
      'MaxPool',
      'Transpose',
      'Add',
      'HardSigmoid',
      'GlobalAveragePool',
    ];
    const names = ['kernel_shape', 'strides', 'pads', 'group', 'axis', 'perm', 'split', 'mode'];
    const attribute = fc.oneof(
      fc.record({
        kind: fc.constant('ints' as const),
        value: fc.array(fc.integer({ min: -2, max: 4 }), { maxLength: 5 }),
      }),
      fc.record({ kind: fc.constant('int' as const), value: fc.integer({ min: -5, max: 5 }) }),
      fc.record({ kind: fc.constant('string' as const), value: fc.constant('nearest') }),
    );
    const node = fc.record({
      op: fc.constantFrom(...operators),
      inputs: fc.array(fc.constantFrom(...inputs), { maxLength: 5 }),
      attributes: fc.dictionary(fc.constantFrom(...names), attribute, { maxKeys: 3 }),
    });
    const file = join(folder, 'foreign.onnx');
    await fc.assert(
      fc.asyncProperty(fc.array(node, { minLength: 1, maxLength: 3 }), async (nodes) => {
        await writeModel(file, {
          irVersion: 8,
          producer: 'other',
          opsets: { '': 13 },
          metadata: {},
          graph: {
            name: 'foreign',
            nodes: nodes.map((one, i) => ({ ...one, name: `n${i}`, domain: '', outputs: [`y${i}`] })),
            inputs: [{ name: 'x', type: 'float32', dims: [1, 4, 8, 8] }],
            outputs: [{ name: `y${nodes.length - 1}`, type: 'float32', dims: undefined }],
            values: [],
            initializers: [
              { name: 'n', type: 'int64', dims: [4], data: new Uint8Array(BigInt64Array.of(1n, 2n, -1n, 4n).buffer) },
              { name: 'f', type: 'float32', dims: [4, 4, 1, 1], data: new Uint8Array(64) },
            ],
          },
        });
        expect(() => inspectModel(file)).not.toThrow();
      }),
      { numRuns: 300, seed: 10 },
    );
  });

  it('that are not there or a folder are refused by name', () => {
    expect(() => readModel(join(folder, 'nothing.onnx'))).toThrow(/nothing\.onnx cannot be read/);
    expect(() => readModel(folder)).toThrow(/no regular file/);
  });
});
