import { InputError } from '../../../config/errors.js';
import { cropMask } from '../../../operators/masks/combine.js';
import { maskSpans } from '../../../operators/masks/spans.js';
import type { Detection, MaskRle } from '../../../operators/types.js';
import { Checked, type CocoBox } from './checked.js';
import { parseSegmentation, segmentationMask } from './segmentation.js';
import type { CocoImage, CocoTruth } from './truth.js';

/** One found object. */
export interface CocoResult {
  readonly image: number;
  readonly category: number;
  readonly score: number;
  readonly box: CocoBox;
  /** Absent when the model finds only boxes. Kept as code: half a million of them fit in memory. */
  readonly mask?: MaskRle;
}

/**
 * Results from a parsed COCO results file: a list of `{image_id, category_id, score, bbox?, segmentation?}`. Without
 * `bbox` the box is the tight one of the mask, as the COCO tools take it.
 *
 * @param file  name for messages
 * @throws InputError naming file, place, value and rule; also when only some results have a `segmentation`
 */
export function parseCocoResults(json: unknown, file: string, truth: CocoTruth): CocoResult[] {
  const checked = new Checked(file);
  const list = checked.list(json, 'the content (COCO results)');
  const results = list.map((value, i): CocoResult => {
    const place = `[${i}]`;
    const { image_id, category_id, score, bbox, segmentation } = checked.record(value, place);
    const image = truth.images.get(checked.id(image_id, `${place}.image_id`));
    if (!image) throw checked.fault(`${place}.image_id`, image_id, `${truth.file} has no image of this id`);
    const category = checked.id(category_id, `${place}.category_id`);
    if (!truth.categories.has(category)) {
      throw checked.fault(`${place}.category_id`, category, `${truth.file} has no category of this id`);
    }
    const code = parseSegmentation(segmentation, image, `${place}.segmentation`, checked);
    const mask = code && segmentationMask(code, image);
    // `bbox: []` is how some tools say "only a mask".
    const hasBox = bbox !== undefined && !(Array.isArray(bbox) && bbox.length === 0);
    if (!hasBox && !mask) {
      throw new InputError(`${file}: ${place} has neither bbox nor segmentation; a result needs one of them`);
    }
    return {
      image: image.id,
      category,
      score: checked.number(score, `${place}.score`),
      box: hasBox || !mask ? checked.box(bbox, `${place}.bbox`) : boxOf(mask),
      ...(mask && { mask }),
    };
  });
  const bare = results.findIndex(({ mask }) => !mask);
  if (bare >= 0 && results.some(({ mask }) => mask)) {
    throw new InputError(
      `${file}: [${bare}] has no segmentation, while others have; give all of them one, or evaluate boxes and masks from two files`,
    );
  }
  return results;
}

function boxOf(mask: MaskRle): CocoBox {
  const [x1, y1, x2, y2] = maskSpans(mask).box;
  return [x1, y1, x2 - x1, y2 - y1];
}

/**
 * What a detector found in a picture, as results. Boxes are rounded to 1/1000 pixel and scores to 1/100 000, so that the
 * saved file gives the very figures of the run. Classes that the ground truth does not have are left out.
 *
 * @param categories  category ids by class name
 * @param masks       whether the model gives masks: an instance without one then has an empty one
 */
export function detectionsToResults(
  detections: readonly Detection[],
  image: CocoImage,
  categories: ReadonlyMap<string, number>,
  masks: boolean,
): CocoResult[] {
  return detections.flatMap(({ label, score, box: [x1, y1, x2, y2], mask }): CocoResult[] => {
    const category = categories.get(label);
    if (category === undefined) return [];
    const box: CocoBox = [round(x1, 1e3), round(y1, 1e3), round(x2 - x1, 1e3), round(y2 - y1, 1e3)];
    const found = { image: image.id, category, score: round(score, 1e5), box };
    return [masks ? { ...found, mask: mask ?? NO_PIXELS } : found];
  });
}

const NO_PIXELS: MaskRle = { size: [0, 0], origin: [0, 0], counts: '' };

function round(value: number, parts: number): number {
  return Math.round(value * parts) / parts;
}

/** Results in the form of a COCO results file, masks as compressed run-length code of the whole picture. */
export function resultsToJson(results: readonly CocoResult[], truth: CocoTruth): readonly unknown[] {
  return results.map(({ image, category, score, box, mask }) => {
    const found = { image_id: image, category_id: category, bbox: box, score };
    if (!mask) return found;
    const { size, counts } = cropMask(mask, [0, 0], truth.images.get(image)!);
    return { ...found, segmentation: { size, counts } };
  });
}
