import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { InputError } from '../../../config/errors.js';
import { formsIn, withForms } from '../../../models/kernels/forms.js';
import { readModel } from '../../../models/onnx/decode.js';
import { writeModel } from '../../../models/onnx/encode.js';
import { agreement } from '../../../models/tuning/agree.js';
import { nameForms } from '../../../models/tuning/candidate.js';
import { buildFormFile, formFile, int8Twin } from '../../../models/tuning/form-files.js';
import { formsOf } from '../../../models/tuning/forms.js';
import { formsToTry } from '../../../models/tuning/forms-to-try.js';
import type { FoundInstances } from '../../../models/tuning/probe-messages.js';
import { fileDigest } from '../../../models/tuning/store.js';
import { numbersOf, relativeError, withSession } from '../../support/run-model.js';
import { greyMeter } from '../adapters/tiny-model.js';
import { pictures } from '../nets/tiny-networks.js';
import { writeTiny } from './tuned-files.js';

const folder = mkdtempSync(join(tmpdir(), 'maskcast-forms-'));
afterAll(() => rmSync(folder, { recursive: true }));
const namesOf = (file: string): string[] => formsOf(file, readModel(file)).names.map(nameForms);

describe('the forms of a file', () => {
  it('are every combination of what its graph has places for, the simpler first', async () => {
    expect(namesOf(await writeTiny(join(folder, 'redesigned.onnx')))).toEqual([
      'direct',
      'separated=spectral',
      'regions=gathered',
      'regions=aligned',
      'regions=gemm',
      'regions=gathered+separated=spectral',
      'regions=aligned+separated=spectral',
      'regions=gemm+separated=spectral',
    ]);
    // No separated convolution, and the C5 head.
    expect(namesOf(await writeTiny(join(folder, 'baseline.onnx'), 'baseline'))).toEqual([
      'direct',
      'regions=gathered',
      'regions=aligned',
      'regions=gemm',
    ]);
  });

  it("are none but its own for another maker's file, and the reason is told", () => {
    const file = join(folder, 'grey.onnx');
    writeFileSync(file, greyMeter('N'));
    expect(formsOf(file, readModel(file))).toMatchObject({ names: [{}], why: expect.stringContaining('no part') });
  });

  it('are what is left to change, in a file that has other forms already', async () => {
    const file = await writeTiny(join(folder, 'half.onnx'));
    const spectral = await buildFormFile(file, 'd'.repeat(64), { separated: 'spectral' }, folder);
    expect(namesOf(spectral.file)).toEqual(['direct', 'regions=gathered', 'regions=aligned', 'regions=gemm']);
  });

  it('computed from nothing but the file give what it gives', async () => {
    const file = await writeTiny(join(folder, 'same.onnx'));
    const feeds = { images: { type: 'uint8' as const, data: pictures(2, 64, 96), dims: [2, 64, 96, 3] } };
    const run = (path: string) => withSession(path, (session) => session.run(feeds));
    const direct = await run(file);
    expect(numbersOf(direct, 'scores').length).toBeGreaterThan(3);
    for (const forms of formsOf(file, readModel(file)).names.slice(1)) {
      const other = await run((await buildFormFile(file, 'd'.repeat(64), forms, folder)).file);
      expect(numbersOf(other, 'labels'), nameForms(forms)).toEqual(numbersOf(direct, 'labels'));
      for (const name of ['boxes', 'scores', 'masks'])
        expect(
          relativeError(numbersOf(other, name), numbersOf(direct, name)),
          `${nameForms(forms)} ${name}`,
        ).toBeLessThan(1e-4);
    }
  });
});

describe('a file in another form', () => {
  const notes: string[] = [];
  const wanted = async (file: string) => {
    const digest = await fileDigest(file);
    const built = await buildFormFile(file, digest, { separated: 'spectral' }, join(folder, 'built'));
    return {
      digest,
      wanted: built.digest,
      folder: join(folder, 'kept'),
      note: (note: string) => void notes.push(note),
    };
  };

  it('is built once, and again when it is gone or damaged, the same to the byte', async () => {
    notes.length = 0;
    const file = await writeTiny(join(folder, 'again.onnx'));
    const { digest, ...where } = await wanted(file);
    const forms = { separated: 'spectral' };
    const made = await formFile(file, digest, forms, where);
    expect(await fileDigest(made)).toBe(where.wanted);
    expect(notes).toHaveLength(1);
    expect(notes[0]).toContain('was missing and is built anew');
    expect(await formFile(file, digest, forms, where)).toBe(made);
    expect(notes).toHaveLength(1);
    writeFileSync(made, 'half a file');
    expect(await fileDigest(await formFile(file, digest, forms, where))).toBe(where.wanted);
    expect(notes[1]).toContain('was damaged or old');
  });

  it('that is not what was measured is refused', async () => {
    const file = await writeTiny(join(folder, 'other.onnx'));
    const { digest, ...where } = await wanted(file);
    await expect(
      formFile(file, digest, { separated: 'spectral' }, { ...where, wanted: 'e'.repeat(64) }),
    ).rejects.toThrow('is not what was measured');
  });

  it('is the file itself for no form', async () => {
    const file = await writeTiny(join(folder, 'plain.onnx'));
    const digest = await fileDigest(file);
    expect(await formFile(file, digest, {}, { folder, wanted: digest, note: () => {} })).toBe(file);
  });
});

describe('the int8 twin', () => {
  it('takes part only when asked for, alone and mixed with the other forms', async () => {
    const file = await writeTiny(join(folder, 'twin.onnx'));
    const model = readModel(file);
    // A file of the same graph stands for the quantised one: which names are tried is the question here.
    await writeTiny(int8Twin(file), 'redesigned', 19);
    expect(int8Twin(file)).toBe(join(folder, 'twin.int8.onnx'));
    const names = (int8: boolean) => formsToTry(file, model, { int8 }).names.map(nameForms);
    expect(names(false).join()).not.toContain('int8');
    expect(names(true)).toContain('precision=int8');
    expect(names(true)).toContain('precision=int8+separated=spectral');
    expect(names(true).slice(0, names(false).length)).toEqual(names(false));
    const mixed = await buildFormFile(
      file,
      await fileDigest(file),
      { precision: 'int8', separated: 'spectral' },
      folder,
    );
    const twinOnly = await buildFormFile(file, await fileDigest(file), { precision: 'int8' }, folder);
    expect(twinOnly.file).toBe(int8Twin(file));
    expect(mixed.file).toContain('precision=int8+separated=spectral');
  });

  it('may be several, each of another form of the model', async () => {
    const file = await writeTiny(join(folder, 'more.onnx'));
    await writeTiny(int8Twin(file), 'redesigned', 19);
    const spectral = withForms(file, readModel(file), { separated: 'spectral' });
    await writeModel(int8Twin(file, 'int8-spectral'), spectral);
    writeFileSync(join(folder, 'more.int8.notes.onnx'), 'no twin');
    const { names } = formsToTry(file, readModel(file), { int8: true });
    const named = names.map(nameForms);
    expect(named).toContain('precision=int8+separated=spectral');
    // The part that has a form already stays in it.
    expect(named.filter((name) => name.includes('int8-spectral'))).toEqual(
      ['', '+regions=gathered', '+regions=aligned', '+regions=gemm'].map((more) => `precision=int8-spectral${more}`),
    );
    const digest = await fileDigest(file);
    const alone = await buildFormFile(file, digest, { precision: 'int8-spectral' }, folder);
    expect(alone.file).toBe(join(folder, 'more.int8-spectral.onnx'));
    const changed = await buildFormFile(file, digest, { precision: 'int8-spectral', regions: 'aligned' }, folder);
    expect(formsIn(changed.file, readModel(changed.file).metadata)).toEqual({
      separated: 'spectral',
      regions: 'aligned',
    });
  });

  it('that is damaged is named, and nothing is tried', async () => {
    const file = await writeTiny(join(folder, 'half.onnx'));
    await writeTiny(int8Twin(file), 'redesigned', 19);
    const broken = int8Twin(file, 'int8-gemm');
    writeFileSync(broken, readFileSync(file).subarray(0, 5000));
    expect(() => formsToTry(file, readModel(file), { int8: true })).toThrow(
      /half\.int8-gemm\.onnx is no ONNX model or is damaged/,
    );
    expect(formsToTry(file, readModel(file), { int8: false }).names.length).toBeGreaterThan(1);
  });

  it('that is not there is an error of the one who asked', async () => {
    const file = await writeTiny(join(folder, 'alone.onnx'));
    expect(() => formsToTry(file, readModel(file), { int8: true })).toThrow(InputError);
  });
});

describe('agreement', () => {
  const found = (rows: readonly (readonly [x: number, score: number, label: number])[]): FoundInstances => ({
    boxes: Float32Array.from(rows.flatMap(([x]) => [x, 0, x + 10, 10])),
    scores: Float32Array.from(rows.map(([, score]) => score)),
    classes: Uint16Array.from(rows.map(([, , label]) => label)),
  });

  it('is 1 for the same instances in any order, and for none at all', () => {
    const a = found([
      [0, 0.9, 1],
      [50, 0.8, 2],
    ]);
    const b = found([
      [50, 0.8, 2],
      [0, 0.9, 1],
    ]);
    expect(agreement([a], [b])).toBe(1);
    expect(agreement([found([])], [found([])])).toBe(1);
    expect(agreement([], [])).toBe(1);
  });

  it('falls with every instance that has no counterpart, on either side', () => {
    const one = found([[0, 0.9, 1]]);
    const two = found([
      [0, 0.9, 1],
      [50, 0.8, 2],
    ]);
    expect(agreement([one], [two])).toBeCloseTo(2 / 3, 6);
    expect(agreement([two], [one])).toBeCloseTo(2 / 3, 6);
    expect(agreement([one], [found([[0, 0.9, 2]])])).toBe(0);
    expect(agreement([one], [found([[2, 0.9, 1]])])).toBe(0);
    expect(agreement([one], [found([[0, 0.7, 1]])])).toBe(0);
    expect(agreement([one, one], [one])).toBeCloseTo(2 / 3, 6);
  });

  it('pairs each instance once', () => {
    const twice = found([
      [0, 0.9, 1],
      [0, 0.9, 1],
    ]);
    expect(agreement([twice], [found([[0, 0.9, 1]])])).toBeCloseTo(2 / 3, 6);
  });
});
