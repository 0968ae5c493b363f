import { DIRECT, FORMS, type Forms, formsFor, formsIn, type Part } from '../kernels/forms.js';
import type { OnnxModel } from '../onnx/model.js';
import type { FormNames } from './candidate.js';

/** Forms that a model file can be brought into. */
export interface FormSet {
  /** Every combination of what is changed, the simpler first; the first is `{}`, the file as it is. */
  readonly names: readonly FormNames[];
  /** Why the file has no others, where it is so. */
  readonly why?: string;
}

/**
 * Which forms a file can be brought into: those that its graph shows places for. A part that is in another form than the direct
 * one already stays in it.
 *
 * @throws InputError when the file's note on its forms is damaged
 */
export function formsOf(file: string, model: OnnxModel): FormSet {
  const now = formsIn(file, model.metadata);
  const possible = formsFor(model);
  let names: FormNames[] = [{}];
  for (const part of Object.keys(FORMS) as Part[]) {
    if (now[part] !== DIRECT[part]) continue;
    const others = possible[part].filter((form) => form !== DIRECT[part]);
    names = [...names, ...others.flatMap((form) => names.map((before) => ({ ...before, [part]: form })))];
  }
  const simpler = names.toSorted((a, b) => Object.keys(a).length - Object.keys(b).length);
  return names.length > 1
    ? { names: simpler }
    : { names, why: 'its graph has no part with another form: only threads, workers and batch are measured' };
}

/** Names as the builder takes them. */
export const asForms = (names: FormNames): Partial<Forms> => names as Partial<Forms>; // Checked by withForms against the graph.
