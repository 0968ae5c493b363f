import { type MaskSpans, maskSpans, spansIou } from '../../../operators/masks/spans.js';
import { accumulate, type ClassCurve, RECALL_POINTS } from './accumulate.js';
import type { CocoBox } from './checked.js';
import { type ImageCase, type ImageMatch, IOU_THRESHOLDS, matchImage } from './match.js';
import type { CocoResult } from './results.js';
import { segmentationSpans } from './segmentation.js';
import type { CocoObject, CocoTruth } from './truth.js';

/** Figures of one class; null when the ground truth has none of its objects. */
export interface ClassFigures {
  /** Category id. */
  readonly id: number;
  readonly AP: number | null;
  readonly AP50: number | null;
}

/** The twelve figures of the COCO tools, 0…1; null (there: −1) when there is nothing to be found. */
export interface CocoFigures {
  readonly AP: number | null;
  readonly AP50: number | null;
  readonly AP75: number | null;
  readonly APs: number | null;
  readonly APm: number | null;
  readonly APl: number | null;
  readonly AR1: number | null;
  readonly AR10: number | null;
  readonly AR100: number | null;
  readonly ARs: number | null;
  readonly ARm: number | null;
  readonly ARl: number | null;
  /** By class name. */
  readonly perClass: Readonly<Record<string, ClassFigures>>;
}

const AREAS = {
  all: [0, 1e10],
  small: [0, 32 ** 2],
  medium: [32 ** 2, 96 ** 2],
  large: [96 ** 2, 1e10],
} as const satisfies Record<string, readonly [number, number]>;
type AreaName = keyof typeof AREAS;
const MAX_DETS = 100;

/**
 * COCO evaluation as `COCOeval` of the COCO tools does it. Where it differs: the area of a found mask is that of its pixels
 * also when the result has a box beside it (there the box's area is taken then), and an annotation of id 0
 * can be found.
 *
 * @param kind        boxes, or masks: then every object of the classes has a segmentation, and a result without one finds nothing
 * @param categories  ids of the classes to evaluate
 * @param onClass     called after each class
 */
export function evaluateCoco(
  truth: CocoTruth,
  results: readonly CocoResult[],
  kind: 'bbox' | 'segm',
  categories: readonly number[],
  onClass?: () => void,
): CocoFigures {
  const objects = groupByClassAndImage(truth.objects);
  const found = groupByClassAndImage(results);
  const classes = categories.map((category) => {
    const objectsOf = objects.get(category) ?? new Map<number, CocoObject[]>();
    const foundOf = found.get(category) ?? new Map<number, CocoResult[]>();
    const images = [...new Set([...objectsOf.keys(), ...foundOf.keys()])].sort((a, b) => a - b);
    const cases = images.map((image) =>
      imageCase(objectsOf.get(image) ?? [], foundOf.get(image) ?? [], kind, (object) => masksOf(truth, object)),
    );
    const curves = curvesOf(cases);
    onClass?.();
    return { category, curves };
  });

  const ap = (area: AreaName, threshold?: number): number | null =>
    meanPrecision(
      classes.map(({ curves }) => curves[area]),
      threshold,
    );
  const ar = (name: keyof Curves): number | null =>
    mean(classes.flatMap(({ curves }) => Array.from(curves[name]?.recall ?? [])));
  return {
    AP: ap('all'),
    AP50: ap('all', 0),
    AP75: ap('all', 5),
    APs: ap('small'),
    APm: ap('medium'),
    APl: ap('large'),
    AR1: ar('best1'),
    AR10: ar('best10'),
    AR100: ar('all'),
    ARs: ar('small'),
    ARm: ar('medium'),
    ARl: ar('large'),
    perClass: Object.fromEntries(
      classes.map(({ category, curves }): [string, ClassFigures] => [
        truth.categories.get(category) ?? String(category),
        { id: category, AP: meanPrecision([curves.all]), AP50: meanPrecision([curves.all], 0) },
      ]),
    ),
  };
}

function groupByClassAndImage<T extends { readonly category: number; readonly image: number }>(
  all: readonly T[],
): Map<number, Map<number, T[]>> {
  const groups = new Map<number, Map<number, T[]>>();
  for (const one of all) {
    const images = groups.get(one.category) ?? new Map<number, T[]>();
    groups.set(one.category, images);
    const group = images.get(one.image);
    if (group) group.push(one);
    else images.set(one.image, [one]);
  }
  return groups;
}

function masksOf(truth: CocoTruth, { segmentation, image }: CocoObject): MaskSpans | undefined {
  return segmentation && segmentationSpans(segmentation, truth.images.get(image)!);
}

function imageCase(
  objects: readonly CocoObject[],
  found: readonly CocoResult[],
  kind: 'bbox' | 'segm',
  maskOf: (object: CocoObject) => MaskSpans | undefined,
): ImageCase {
  const best = found.toSorted((a, b) => b.score - a.score).slice(0, MAX_DETS);
  const ious = new Float64Array(best.length * objects.length);
  const truthMasks = kind === 'segm' && best.length > 0 ? objects.map(maskOf) : [];
  const foundMasks = kind === 'segm' ? best.map(({ mask }) => mask && maskSpans(mask)) : [];
  for (const [d, one] of best.entries()) {
    const mine = foundMasks[d];
    for (const [g, object] of objects.entries()) {
      const theirs = truthMasks[g];
      ious[d * objects.length + g] =
        kind === 'bbox'
          ? boxIou(one.box, object.box, object.crowd)
          : mine && theirs
            ? spansIou(mine, theirs, object.crowd)
            : 0;
    }
  }
  return {
    scores: Float64Array.from(best, ({ score }) => score),
    foundAreas: Float64Array.from(best, ({ box }, d) =>
      kind === 'bbox' ? box[2] * box[3] : (foundMasks[d]?.area ?? 0),
    ),
    truthAreas: Float64Array.from(objects, ({ area }) => area),
    crowds: Uint8Array.from(objects, ({ crowd }) => (crowd ? 1 : 0)),
    ious,
  };
}

/** In the order of operations of the COCO tools, so that a tie stays a tie. */
function boxIou([dx, dy, dw, dh]: CocoBox, [gx, gy, gw, gh]: CocoBox, crowd: boolean): number {
  const width = Math.min(dw + dx, gw + gx) - Math.max(dx, gx);
  const height = Math.min(dh + dy, gh + gy) - Math.max(dy, gy);
  if (width <= 0 || height <= 0) return 0;
  const both = width * height;
  return both / (crowd ? dw * dh : dw * dh + gw * gh - both);
}

type Curves = Readonly<Record<AreaName | 'best1' | 'best10', ClassCurve | undefined>>;

function curvesOf(cases: readonly ImageCase[]): Curves {
  const matches = (area: AreaName): ImageMatch[] => cases.map((one) => matchImage(one, AREAS[area]));
  const all = matches('all');
  return {
    all: accumulate(all, MAX_DETS),
    best1: accumulate(all, 1),
    best10: accumulate(all, 10),
    small: accumulate(matches('small'), MAX_DETS),
    medium: accumulate(matches('medium'), MAX_DETS),
    large: accumulate(matches('large'), MAX_DETS),
  };
}

/** Mean over classes, recall points and thresholds, or of one threshold (its index). */
function meanPrecision(curves: readonly (ClassCurve | undefined)[], threshold?: number): number | null {
  const points = RECALL_POINTS.length;
  const [from, to] = threshold === undefined ? [0, IOU_THRESHOLDS.length] : [threshold, threshold + 1];
  return mean(
    curves.flatMap((curve) => (curve ? Array.from(curve.precision.subarray(from * points, to * points)) : [])),
  );
}

function mean(values: readonly number[]): number | null {
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
}
