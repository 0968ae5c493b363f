import { readModel } from '../onnx/decode.js';
import type { OnnxModel } from '../onnx/model.js';
import { type FormNames, PRECISION } from './candidate.js';
import { int8Twin, int8Twins } from './form-files.js';
import { formsOf } from './forms.js';

/**
 * Every form that a model can be measured in, the simpler first. The int8 twins and their mixtures take part only when asked for,
 * because their results differ. Where this machine would cut a twin's sums the runtime refuses it, and it drops out of the race.
 *
 * @throws InputError when int8 is asked for and there is no twin beside the model
 */
export function formsToTry(
  file: string,
  model: OnnxModel,
  { int8 }: { readonly int8: boolean },
): { readonly names: readonly FormNames[]; readonly notes: readonly string[] } {
  const own = formsOf(file, model);
  const notes = own.why ? [own.why] : [];
  if (!int8) return { names: own.names, notes };
  const twins = int8Twins(file);
  // Where there is none, reading the usual one says so.
  const mixed = (twins.length ? twins : ['int8']).flatMap((precision) => {
    const twin = int8Twin(file, precision);
    return formsOf(twin, readModel(twin)).names.map((forms) => ({ ...forms, [PRECISION]: precision }));
  });
  return { names: [...own.names, ...mixed], notes };
}

/** True when the int8 twin was among what was measured. */
export const triedInt8 = (rows: readonly { readonly forms: FormNames }[]): boolean =>
  rows.some(({ forms }) => PRECISION in forms);
