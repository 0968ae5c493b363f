import { readModel } from '../onnx/decode.js';
import type { OnnxModel } from '../onnx/model.js';
import { type FormNames, PRECISION } from './candidate.js';
import { int8Twin } from './form-files.js';
import { formsOf } from './forms.js';

/**
 * Every form that a model can be measured in on this machine, the simpler first. The int8 twin and its mixtures take part only
 * when asked for, because their results differ, and only where its sums are exact.
 *
 * @param int8.isExact  whether this machine computes the twin's sums without cutting them
 * @throws InputError when int8 is asked for and there is no twin beside the model
 */
export function formsToTry(
  file: string,
  model: OnnxModel,
  int8: { readonly isExact: (twin: OnnxModel) => boolean } | undefined,
): { readonly names: readonly FormNames[]; readonly notes: readonly string[] } {
  const own = formsOf(file, model);
  const notes = own.why ? [own.why] : [];
  if (!int8) return { names: own.names, notes };
  const twinFile = int8Twin(file);
  const twin = readModel(twinFile);
  if (!int8.isExact(twin))
    return {
      names: own.names,
      notes: [...notes, `${twinFile} is left out: this processor would cut its sums; quantize it with safe weights`],
    };
  const mixed = formsOf(twinFile, twin);
  return {
    names: [...own.names, ...mixed.names.map((forms) => ({ ...forms, [PRECISION]: 'int8' }))],
    notes: mixed.why ? [...notes, `int8 twin: ${mixed.why}`] : notes,
  };
}

/** True when the int8 twin was among what was measured. */
export const triedInt8 = (rows: readonly { readonly forms: FormNames }[]): boolean =>
  rows.some(({ forms }) => PRECISION in forms);
