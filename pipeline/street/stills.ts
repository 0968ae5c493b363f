import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { decodeRle, encodeRle } from '../../operators/masks/rle.js';
import type { Size } from '../../operators/types.js';
import { planStreet, STREET_CLASSES, type StreetClass } from './plan.js';
import { between, partSeed, pick, seededRandom } from './random.js';
import type { SeenFigure } from './silhouettes.js';
import { openPainter } from './street-picture.js';

export interface StillsOptions {
  readonly folder: string;
  readonly count: number;
  /** Streets have this seed and those that follow. */
  readonly firstSeed: number;
  /** Pictures of each street. */
  readonly perStreet: number;
  /** Of every picture; left out: each street has one of the usual sizes of cameras. */
  readonly size?: Size;
  readonly onStill?: () => void;
}

/** COCO's numbers of the classes. */
const CATEGORY: Readonly<Record<StreetClass, number>> = {
  person: 1,
  bicycle: 2,
  car: 3,
  motorcycle: 4,
  bus: 6,
  truck: 8,
};

/** Below these nobody could say what it is: marked as a crowd, which COCO's evaluation and our training pass over. */
const LEAST_SIDE_PX = 6;
const LEAST_SHARE = 0.15;

const PERIOD_S = 25;
const SIZES: readonly Size[] = [
  [640, 360],
  [640, 360],
  [800, 450],
  [960, 540],
  [1280, 720],
].map(([width, height]) => ({ width: width!, height: height! }));

/**
 * Writes drawn stills and their ground truth in COCO's format, for training: `images/*.jpg` and `instances.json`, with the
 * lists `labeled` and `masks` that say that all six classes are annotated and all have masks.
 */
export async function writeStills({
  folder,
  count,
  firstSeed,
  perStreet,
  size,
  onStill,
}: StillsOptions): Promise<void> {
  await mkdir(join(folder, 'images'), { recursive: true });
  const images: object[] = [];
  const annotations: object[] = [];
  for (let seed = firstSeed; images.length < count; seed++) {
    const random = seededRandom(partSeed(seed, -9));
    const { width, height } = size ?? pick(random, SIZES);
    const painter = openPainter(planStreet({ seed, periodS: PERIOD_S }), { width, height });
    for (let k = 0; k < perStreet && images.length < count; k++) {
      const tS = ((k + random()) / perStreet) * PERIOD_S;
      const { pixels, seen } = painter.paint(tS, k);
      const image = images.length + 1;
      const name = `street-${String(seed).padStart(5, '0')}-${k}.jpg`;
      const quality = Math.round(between(random, 72, 93));
      await sharp(pixels, { raw: { width, height, channels: 3 } })
        .jpeg({ quality })
        .toFile(join(folder, 'images', name));
      images.push({ id: image, file_name: name, width, height, seed, time_s: tS });
      for (const figure of seen)
        annotations.push({ id: annotations.length + 1, image_id: image, ...annotationOf(figure, { width, height }) });
      onStill?.();
    }
  }
  const truth = {
    info: { description: 'Streets drawn by maskcast' },
    labeled: STREET_CLASSES,
    masks: STREET_CLASSES,
    categories: STREET_CLASSES.map((name) => ({ id: CATEGORY[name], name })),
    images,
    annotations,
  };
  const file = join(folder, 'instances.json');
  await writeFile(`${file}.partial`, JSON.stringify(truth));
  await rename(`${file}.partial`, file);
}

function annotationOf({ label, box, mask, area, fullArea }: SeenFigure, { width, height }: Size): object {
  const [x1, y1, x2, y2] = box;
  const [h, w] = mask.size;
  const crop = decodeRle(mask);
  const bits = new Uint8Array(width * height);
  for (let row = 0; row < h; row++) bits.set(crop.subarray(row * w, (row + 1) * w), (y1 + row) * width + x1);
  const unclear = Math.min(w, h) < LEAST_SIDE_PX || area / fullArea < LEAST_SHARE;
  return {
    category_id: CATEGORY[label],
    bbox: [x1, y1, x2 - x1, y2 - y1],
    area,
    iscrowd: unclear ? 1 : 0,
    segmentation: { size: [height, width], counts: encodeRle(bits, height, width) },
    visible: Math.round((area / fullArea) * 1000) / 1000,
  };
}
