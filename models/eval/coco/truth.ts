import { InputError } from '../../../config/errors.js';
import type { Size } from '../../../operators/types.js';
import { Checked, type CocoBox } from './checked.js';
import { type CocoSegmentation, parseSegmentation } from './segmentation.js';

export interface CocoImage extends Size {
  readonly id: number;
  readonly file: string | undefined;
}

/** One annotated object. */
export interface CocoObject {
  readonly image: number;
  readonly category: number;
  readonly box: CocoBox;
  /** Pixels, as annotated: of the mask where there is one, else of the box. Decides small, medium, large. */
  readonly area: number;
  /** A region of many objects: found or not found, it does not count. */
  readonly crowd: boolean;
  readonly segmentation?: CocoSegmentation;
}

/** Ground truth. */
export interface CocoTruth {
  /** Name for messages. */
  readonly file: string;
  /** By id, ascending. */
  readonly images: ReadonlyMap<number, CocoImage>;
  /** Class names by category id, ascending. */
  readonly categories: ReadonlyMap<number, string>;
  /** In the order of the file. */
  readonly objects: readonly CocoObject[];
  /** Classes whose objects are all annotated: the file's `labeled` list, else all. Only these can be evaluated. */
  readonly labeled: ReadonlySet<string>;
}

/**
 * Ground truth from a parsed COCO file. Beside the COCO format it knows the list `labeled` of class names that are
 * annotated in every picture.
 *
 * @param file  name for messages
 * @throws InputError naming file, place, value and rule
 */
export function parseCocoTruth(json: unknown, file: string): CocoTruth {
  const checked = new Checked(file);
  const top = checked.record(json, 'the content');
  const part = (key: 'images' | 'annotations' | 'categories'): readonly unknown[] => {
    if (Array.isArray(top[key])) return top[key];
    throw new InputError(
      `${file}: has no list "${key}"; a COCO ground truth has the lists images, annotations and categories`,
    );
  };
  const images = byId(
    part('images').map((value, i): CocoImage => {
      const { id, width, height, file_name } = checked.record(value, `images[${i}]`);
      const side = (pixels: unknown, name: string): number =>
        checked.number(pixels, `images[${i}].${name}`, 'it must be pixels, a whole number above 0', isSide);
      return {
        id: checked.id(id, `images[${i}].id`),
        width: side(width, 'width'),
        height: side(height, 'height'),
        file: file_name === undefined ? undefined : checked.text(file_name, `images[${i}].file_name`),
      };
    }),
    'images',
    checked,
  );
  const categories = byId(
    part('categories').map((value, i) => {
      const { id, name } = checked.record(value, `categories[${i}]`);
      return { id: checked.id(id, `categories[${i}].id`), name: checked.text(name, `categories[${i}].name`) };
    }),
    'categories',
    checked,
  );
  const names = new Map([...categories].map(([id, { name }]) => [id, name]));
  const known = new Set(names.values());
  if (known.size < names.size) throw new InputError(`${file}: categories has a name twice; names must be unique`);

  const objects = part('annotations').map((value, i): CocoObject => {
    const place = `annotations[${i}]`;
    const { image_id, category_id, bbox, area, iscrowd, segmentation } = checked.record(value, place);
    const image = images.get(checked.id(image_id, `${place}.image_id`));
    if (!image) throw checked.fault(`${place}.image_id`, image_id, 'no entry of images has this id');
    const category = checked.id(category_id, `${place}.category_id`);
    if (!names.has(category)) {
      throw checked.fault(`${place}.category_id`, category_id, 'no entry of categories has this id');
    }
    const mask = parseSegmentation(segmentation, image, `${place}.segmentation`, checked);
    return {
      image: image.id,
      category,
      box: checked.box(bbox, `${place}.bbox`),
      area: checked.number(area, `${place}.area`, 'it must be pixels, 0 or more', (pixels) => pixels >= 0),
      crowd: iscrowd === 1 || iscrowd === true,
      ...(mask && { segmentation: mask }),
    };
  });
  return { file, images, categories: names, objects, labeled: labeledClasses(top.labeled, known, checked) };
}

const isSide = (pixels: number): boolean => Number.isInteger(pixels) && pixels > 0;

function labeledClasses(value: unknown, known: ReadonlySet<string>, checked: Checked): ReadonlySet<string> {
  if (value === undefined) return known;
  const names = checked.list(value, 'labeled').map((name, i) => checked.text(name, `labeled[${i}]`));
  const strange = names.find((name) => !known.has(name));
  if (strange !== undefined) throw checked.fault('labeled', strange, 'no entry of categories has this name');
  return new Set(names);
}

/** Entries by id, ascending. */
function byId<T extends { readonly id: number }>(
  entries: readonly T[],
  list: string,
  checked: Checked,
): ReadonlyMap<number, T> {
  const map = new Map(entries.toSorted((a, b) => a.id - b.id).map((entry) => [entry.id, entry]));
  if (map.size === entries.length) return map;
  const seen = new Set<number>();
  for (const [i, { id }] of entries.entries()) {
    if (seen.has(id)) throw checked.fault(`${list}[${i}].id`, id, 'an entry before it has the same id');
    seen.add(id);
  }
  return map;
}
