import { join } from 'node:path';
import { concatMap, from, lastValueFrom, mergeMap, toArray } from 'rxjs';
import { InputError } from '../../config/errors.js';
import { type CocoResult, detectionsToResults } from '../../models/eval/coco/results.js';
import type { CocoImage, CocoTruth } from '../../models/eval/coco/truth.js';
import type { Frame } from '../../operators/types.js';
import { frameFromImage } from './frame-from-image.js';
import type { Detector } from './pool.js';

/**
 * Runs a detector on every picture of a ground truth.
 *
 * @param folder   where the pictures lie by their `file_name`
 * @param onImage  called after each picture
 * @returns in the order of the pictures' ids
 * @throws InputError when a picture is missing, unreadable or of another size than the ground truth says
 */
export async function detectCocoResults(
  detector: Detector,
  truth: CocoTruth,
  folder: string,
  onImage: () => void,
): Promise<CocoResult[]> {
  const { maxBatch, workers, masks } = detector.info;
  const categories = new Map([...truth.categories].map(([id, name]) => [name, id]));
  const images = [...truth.images.values()];
  const batches = Array.from({ length: Math.ceil(images.length / maxBatch) }, (_, i) =>
    images.slice(i * maxBatch, (i + 1) * maxBatch),
  );
  const run = async (batch: readonly CocoImage[]): Promise<[number, CocoResult[]][]> => {
    const frames = await Promise.all(batch.map((image) => loadFrame(image, truth, folder, detector)));
    try {
      const { detections } = await detector.detect(frames);
      return batch.map((image, i) => {
        onImage();
        return [image.id, detectionsToResults(detections[i] ?? [], image, categories, masks)];
      });
    } finally {
      for (const frame of frames) frame.release();
    }
  };
  // One batch more than workers: it is decoded while they run.
  const found = from(batches).pipe(
    mergeMap(run, workers + 1),
    concatMap((pairs) => pairs),
    toArray(),
  );
  return (await lastValueFrom(found)).sort(([a], [b]) => a - b).flatMap(([, results]) => results);
}

async function loadFrame(image: CocoImage, truth: CocoTruth, folder: string, detector: Detector): Promise<Frame> {
  if (image.file === undefined) {
    throw new InputError(`${truth.file}: image ${image.id} has no file_name; a model needs the picture itself`);
  }
  const file = join(folder, image.file);
  const frame = await frameFromImage(file, detector.info.input);
  const { width, height } = frame.source;
  if (width === image.width && height === image.height) return frame;
  frame.release();
  throw new InputError(
    `${file}: is ${width} x ${height} pixels; ${truth.file} says ${image.width} x ${image.height}, and its boxes refer to that`,
  );
}
