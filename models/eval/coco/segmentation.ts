import { mergeRuns } from '../../../operators/masks/combine.js';
import { polygonRuns } from '../../../operators/masks/polygon.js';
import { assertFills, rleToRuns, runsToRle } from '../../../operators/masks/runs.js';
import { type MaskSpans, runsSpans } from '../../../operators/masks/spans.js';
import type { MaskRle, Size } from '../../../operators/types.js';
import type { Checked } from './checked.js';

/**
 * `segmentation` of a COCO file: corners x, y of one or more polygons, or run-length code of the whole picture,
 * compressed (text) or not (run lengths).
 */
export type CocoSegmentation =
  | { readonly polygons: readonly (readonly number[])[] }
  | { readonly counts: string | readonly number[] };

/** A corner further out than this is no picture's; it would only take long to walk there. */
const FARTHEST_PX = 1e6;

/**
 * Checks a `segmentation`. An empty list counts as none, as several exporters write it for objects with only a box.
 *
 * @param image  the picture that it must fit
 * @throws InputError
 */
export function parseSegmentation(
  value: unknown,
  image: Size,
  place: string,
  checked: Checked,
): CocoSegmentation | undefined {
  if (value === undefined || value === null) return undefined;
  if (Array.isArray(value)) {
    if (value.length === 0) return undefined;
    for (const [i, polygon] of (value as readonly unknown[]).entries()) {
      const corners = checked.list(polygon, `${place}[${i}]`);
      if (corners.length < 6 || corners.length % 2) {
        throw checked.fault(`${place}[${i}]`, polygon, 'a polygon needs x, y of at least three corners');
      }
      const isCorner = (corner: unknown): boolean => typeof corner === 'number' && Math.abs(corner) <= FARTHEST_PX;
      if (!corners.every(isCorner)) {
        throw checked.fault(
          `${place}[${i}]`,
          corners.find((corner) => !isCorner(corner)),
          'corners must be pixels',
        );
      }
    }
    return { polygons: value as readonly (readonly number[])[] }; // seen to be just that
  }
  const { size, counts } = checked.record(value, place);
  const [height, width] = checked.list(size, `${place}.size`);
  if (height !== image.height || width !== image.width) {
    throw checked.fault(`${place}.size`, size, `its picture is [${image.height}, ${image.width}] (height, width)`);
  }
  const isRun = (run: unknown): boolean => Number.isSafeInteger(run) && (run as number) >= 0;
  if (!(typeof counts === 'string' || (Array.isArray(counts) && counts.every(isRun)))) {
    throw checked.fault(`${place}.counts`, counts, 'it must be the text or the run lengths of a COCO run-length code');
  }
  const segmentation: CocoSegmentation = { counts: counts as string | readonly number[] };
  try {
    assertFills(countsToRuns(segmentation.counts), image.height, image.width);
  } catch (cause) {
    throw checked.fault(`${place}.counts`, counts, (cause as Error).message);
  }
  return segmentation;
}

/** Foreground of a checked segmentation; the union of its polygons. */
export function segmentationSpans(segmentation: CocoSegmentation, image: Size): MaskSpans {
  return runsSpans(segmentationRuns(segmentation, image), [image.height, image.width], [0, 0]);
}

/** A checked segmentation as compressed run-length code of the whole picture. */
export function segmentationMask(segmentation: CocoSegmentation, image: Size): MaskRle {
  const isCode = 'counts' in segmentation && typeof segmentation.counts === 'string';
  const counts = isCode ? (segmentation.counts as string) : runsToRle(segmentationRuns(segmentation, image)); // just seen
  return { size: [image.height, image.width], origin: [0, 0], counts };
}

function segmentationRuns(segmentation: CocoSegmentation, { width, height }: Size): Uint32Array {
  if ('counts' in segmentation) return countsToRuns(segmentation.counts);
  return mergeRuns(
    segmentation.polygons.map((polygon) => polygonRuns(polygon, height, width)),
    'union',
  );
}

function countsToRuns(counts: string | readonly number[]): Uint32Array {
  return typeof counts === 'string' ? rleToRuns(counts) : Uint32Array.from(counts);
}
