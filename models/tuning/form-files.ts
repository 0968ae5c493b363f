import { readdirSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { withForms } from '../kernels/forms.js';
import { readModel } from '../onnx/decode.js';
import { writeModel } from '../onnx/encode.js';
import { type FormNames, nameForms, PRECISION } from './candidate.js';
import { asForms } from './forms.js';
import { fileDigest } from './store.js';

/** Name of the file that holds a model in other forms. */
export function formFileName(model: string, digest: string, forms: FormNames): string {
  return `${basename(model, extname(model))}-${digest.slice(0, 16)}-${nameForms(forms)}.onnx`;
}

/**
 * Where an int8 twin of a model lies: `street.onnx` → `street.int8.onnx` beside it. A model may have several, made from other forms
 * of it, such as `street.int8-gemm.onnx`.
 *
 * @param precision  `int8`, or `int8-` and a name
 */
export function int8Twin(model: string, precision = 'int8'): string {
  return join(dirname(model), `${basename(model, extname(model))}.${precision}.onnx`);
}

/** The int8 twins that lie beside a model, as {@link int8Twin} names them. */
export function int8Twins(model: string): string[] {
  const stem = basename(model, extname(model));
  const names = readdirSync(dirname(model)).filter((name) => name.startsWith(`${stem}.`) && name.endsWith('.onnx'));
  return names
    .map((name) => name.slice(stem.length + 1, -'.onnx'.length))
    .filter((precision) => /^int8(-[^.]+)?$/.test(precision))
    .sort();
}

/** A model in some forms: the file and its SHA-256. */
export interface FormFile {
  readonly file: string;
  readonly digest: string;
}

/**
 * Writes a model in other forms into a folder; where nothing is to be changed, the model or its int8 twin is the file.
 *
 * @param digest  of the model
 * @throws InputError when the folder takes no file, there is no int8 twin, or the model cannot take the form
 */
export async function buildFormFile(
  model: string,
  digest: string,
  forms: FormNames,
  folder: string,
): Promise<FormFile> {
  const { [PRECISION]: precision, ...rest } = forms;
  const base = precision ? int8Twin(model, precision) : model;
  if (Object.keys(rest).length === 0) return { file: base, digest: precision ? await fileDigest(base) : digest };
  const file = join(folder, formFileName(model, digest, forms));
  const changed = withForms(base, readModel(base), asForms(rest));
  await mkdir(folder, { recursive: true });
  await writeModel(file, changed);
  return { file, digest: await fileDigest(file) };
}

/**
 * The file of a model in other forms as it was measured: the one in the folder when it is whole, else built anew.
 *
 * @param wanted  SHA-256 that it must have
 * @param note    hears why it is built anew
 * @throws Error when what is built is not what was measured; see {@link buildFormFile}
 */
export async function formFile(
  model: string,
  digest: string,
  forms: FormNames,
  { folder, wanted, note }: { folder: string; wanted: string; note: (sentence: string) => void },
): Promise<string> {
  const made = join(folder, formFileName(model, digest, forms));
  const there = await fileDigest(made).catch(() => undefined); // None there: it is built.
  if (there === wanted) return made;
  const built = await buildFormFile(model, digest, forms, folder);
  if (built.file === made) note(`${made} was ${there === undefined ? 'missing' : 'damaged or old'} and is built anew`);
  if (built.digest !== wanted)
    throw new Error(
      `${built.file} in the form ${nameForms(forms)} is not what was measured; run \`maskcast model tune\` again`,
    );
  return built.file;
}
