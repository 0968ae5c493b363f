import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { InputError } from '../../../config/errors.js';
import { openSafetensors, writeSafetensors } from '../../../models/weights/safetensors.js';

const header = (text: string, data = 0): Uint8Array => {
  const body = Buffer.from(text);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(body.length));
  return Buffer.concat([length, body, Buffer.alloc(data)]);
};
const tensor = (name: string, from: number, to: number, shape = `[${(to - from) / 4}]`, dtype = 'F32'): string =>
  `"${name}":{"dtype":"${dtype}","shape":${shape},"data_offsets":[${from},${to}]}`;

describe('safetensors files', () => {
  let folder = '';
  let file = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'maskcast-weights-'));
    file = join(folder, 'x.safetensors');
  });
  afterAll(() => rm(folder, { recursive: true }));

  /** Opens and reads everything: what comes is the tensors or an InputError. */
  function survive(): 'read' | 'refused' {
    try {
      const opened = openSafetensors(file);
      try {
        for (const [name, dims] of opened.shapes)
          expect(opened.read(name).length).toBe(dims.reduce((a, b) => a * b, 1));
      } finally {
        opened.close();
      }
      return 'read';
    } catch (cause) {
      expect(cause).toBeInstanceOf(InputError);
      return 'refused';
    }
  }

  const small = new Map([
    ['a.weight', { dims: [2, 3], data: Float32Array.of(1, -2, 3.5, 0, 1e-30, 6) }],
    ['b', { dims: [], data: Float32Array.of(7) }],
    ['none', { dims: [0, 4], data: new Float32Array(0) }],
  ]);

  it('come back as they were written, with their metadata', async () => {
    const size = await writeSafetensors(file, small, { maskcast: '{"x":"ü"}' });
    expect(size).toBe((await readFile(file)).length);
    const opened = openSafetensors(file);
    expect(opened.metadata).toEqual({ maskcast: '{"x":"ü"}' });
    for (const [name, { dims, data }] of small) {
      expect(opened.shapes.get(name)).toEqual(dims);
      expect(opened.read(name)).toEqual(data);
    }
    opened.close();
  });

  it('may hold half and double precision, and whole numbers that no weight may be', async () => {
    // 1.5, -2 in binary16; 1.5, -2 in bfloat16; 0.1 in binary64.
    const data = Buffer.concat([Buffer.from([0x00, 0x3e, 0x00, 0xc0, 0xc0, 0x3f, 0x00, 0xc0]), Buffer.alloc(16)]);
    data.writeDoubleLE(0.1, 8);
    const text = `{${tensor('h', 0, 4, '[2]', 'F16')},${tensor('b', 4, 8, '[2]', 'BF16')},${tensor('d', 8, 16, '[1]', 'F64')},${tensor('i', 16, 24, '[1]', 'I64')}}`;
    await writeFile(file, Buffer.concat([header(text), data]));
    const opened = openSafetensors(file);
    expect([...opened.read('h')]).toEqual([1.5, -2]);
    expect([...opened.read('b')]).toEqual([1.5, -2]);
    expect([...opened.read('d')]).toEqual([Math.fround(0.1)]);
    expect(() => opened.read('i')).toThrow('tensor i is I64; weights must be F32, F16, BF16 or F64');
    opened.close();
  });

  it.each<[string, Uint8Array, string]>([
    ['empty', new Uint8Array(0), "the header's length alone takes 8"],
    [
      'a header longer than the file',
      header('{}').with(0, 200),
      'its header is said to be 200 bytes long, the file has 2 left',
    ],
    [
      'a header of 2^64 bytes',
      new Uint8Array(64).fill(255),
      'its header is said to be 18446744073709551615 bytes long',
    ],
    ['no JSON', header('{"a":'), 'its header is no JSON object'],
    ['a list', header('[]'), 'its header is no JSON object'],
    ['broken UTF-8', header('{"\xff').with(10, 0xff), 'its header is no JSON object'],
    ['two of one name', header(`{${tensor('a', 0, 4)},${tensor('a', 4, 8)}}`, 8), 'tensor a is named twice'],
    [
      'overlap',
      header(`{${tensor('a', 0, 8)},${tensor('b', 4, 12)}}`, 12),
      'tensor b overlaps the one before it (byte 4',
    ],
    ['the same place', header(`{${tensor('a', 0, 8)},${tensor('b', 0, 8)}}`, 8), 'overlaps the one before it'],
    [
      'a hole',
      header(`{${tensor('a', 0, 4)},${tensor('b', 8, 12)}}`, 12),
      'bytes 4 to 8 of the data belong to no tensor',
    ],
    ['bytes left over', header(`{${tensor('a', 0, 4)}}`, 8), '4 bytes after the last tensor belong to none'],
    [
      'an offset past the end',
      header(`{${tensor('a', 0, 400)}}`, 4),
      'tensor a lies at 0 to 400, the data are 4 bytes long',
    ],
    ['offsets backwards', header(`{${tensor('a', 4, 0, '[0]')}}`, 4), 'tensor a lies at 4 to 0'],
    ['a negative offset', header(`{${tensor('a', -4, 4)}}`, 8), 'tensor a has data_offsets [-4,4]'],
    [
      'a fractional offset',
      header('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0.5,4.5]}}', 8),
      'tensor a has data_offsets',
    ],
    [
      'a shape that does not fill',
      header(`{${tensor('a', 0, 4, '[7]')}}`, 4),
      'tensor a of shape [7] F32 takes 28 bytes, its offsets say 4',
    ],
    [
      'an absurd shape',
      header(`{${tensor('a', 0, 4, '[9007199254740991,9007199254740991]')}}`, 4),
      'its offsets say 4',
    ],
    ['a negative size', header(`{${tensor('a', 0, 4, '[-1]')}}`, 4), 'tensor a has shape [-1]'],
    ['an unknown type', header(`{${tensor('a', 0, 4, '[1]', 'constructor')}}`, 4), 'tensor a has dtype "constructor"'],
    ['a tensor that is none', header('{"a":3}'), 'tensor a is described by no object'],
    ['metadata that is none', header('{"__metadata__":[]}'), '__metadata__ is no object'],
  ])('name what is wrong: %s', async (_, bytes, message) => {
    await writeFile(file, bytes);
    expect(() => openSafetensors(file)).toThrow(InputError);
    expect(() => openSafetensors(file)).toThrow(message);
    expect(() => openSafetensors(file)).toThrow(file);
  });

  it('are refused when cut off at any byte', async () => {
    await writeSafetensors(file, small, { maskcast: '{}' });
    const whole = await readFile(file);
    for (let length = 0; length < whole.length; length++) {
      await writeFile(file, whole.subarray(0, length));
      expect(survive(), `${length} bytes`).toBe('refused');
    }
  });

  it('are read or refused, never more, when any bytes are changed', async () => {
    await writeSafetensors(file, small, { maskcast: '{}' });
    const whole = await readFile(file);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 }),
        async (changes) => {
          const bytes = Uint8Array.from(whole);
          for (const [at, value] of changes) bytes[at] = value;
          await writeFile(file, bytes);
          survive();
        },
      ),
      { numRuns: 500, seed: 9 },
    );
  });

  it('that are not there or a folder are refused by name', () => {
    expect(() => openSafetensors(join(folder, 'nothing'))).toThrow(/nothing cannot be read/);
    expect(() => openSafetensors(folder)).toThrow(InputError);
  });
});
