import { InputError } from '../../../config/errors.js';
import type { CocoTruth } from './truth.js';

/** Classes to evaluate, by category id, ascending. */
export interface EvaluatedClasses {
  readonly bbox: readonly number[];
  /** Those of `bbox` whose objects all have a segmentation. */
  readonly segm: readonly number[];
}

/**
 * Which classes a ground truth allows to evaluate: for boxes those that are annotated in every picture (`labeled`), for
 * masks those of them that have no object without a segmentation.
 *
 * @param wanted  class names; left out: all that the ground truth allows
 * @throws InputError when a wanted class is not in the ground truth or not annotated throughout
 */
export function evaluatedClasses(truth: CocoTruth, wanted?: readonly string[]): EvaluatedClasses {
  const known = [...truth.categories.values()];
  for (const name of wanted ?? []) {
    if (!known.includes(name)) {
      throw new InputError(`${truth.file}: has no class "${name}"; its classes are ${known.join(', ')}`);
    }
    if (!truth.labeled.has(name)) {
      throw new InputError(
        `${truth.file}: class "${name}" is not annotated in every picture and cannot be evaluated; "labeled" names ${[...truth.labeled].join(', ')}`,
      );
    }
  }
  const chosen = new Set(wanted ?? truth.labeled);
  const bbox = [...truth.categories].filter(([, name]) => chosen.has(name)).map(([id]) => id);
  const bare = new Set(truth.objects.filter(({ segmentation }) => !segmentation).map(({ category }) => category));
  return { bbox, segm: bbox.filter((id) => !bare.has(id)) };
}
