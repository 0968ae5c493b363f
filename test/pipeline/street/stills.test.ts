import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseCocoTruth } from '../../../models/eval/coco/truth.js';
import { rleArea } from '../../../operators/masks/rle.js';
import { writeStills } from '../../../pipeline/street/stills.js';

interface Written {
  readonly labeled: readonly string[];
  readonly masks: readonly string[];
  readonly categories: readonly { readonly id: number; readonly name: string }[];
  readonly images: readonly { readonly file_name: string; readonly seed: number }[];
  readonly annotations: readonly {
    readonly bbox: readonly number[];
    readonly area: number;
    readonly iscrowd: number;
    readonly segmentation: { readonly size: readonly [number, number]; readonly counts: string };
  }[];
}

describe('stills for training', () => {
  let folder = '';
  let written: Written;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'maskcast-stills-'));
    await writeStills({ folder, count: 3, firstSeed: 5, perStreet: 2, size: { width: 320, height: 180 } });
    written = JSON.parse(await readFile(join(folder, 'instances.json'), 'utf8')) as Written;
  }, 300_000);
  afterAll(() => rm(folder, { recursive: true }));

  it('come as pictures of the size asked for, two of each street', async () => {
    const names = written.images.map(({ file_name }) => file_name);
    expect((await readdir(join(folder, 'images'))).sort()).toEqual([...names].sort());
    expect(written.images.map(({ seed }) => seed)).toEqual([5, 5, 6]);
    for (const name of names) {
      const { width, height, format } = await sharp(join(folder, 'images', name)).metadata();
      expect({ width, height, format }).toEqual({ width: 320, height: 180, format: 'jpeg' });
    }
  });

  it('say in COCO form what is in them, with masks of the whole picture', () => {
    const six = ['person', 'bicycle', 'car', 'motorcycle', 'bus', 'truck'];
    expect(written.labeled).toEqual(six);
    expect(written.masks).toEqual(six);
    expect(written.categories.map(({ id }) => id)).toEqual([1, 2, 3, 4, 6, 8]);
    expect(written.annotations.length).toBeGreaterThan(20);
    for (const { bbox, area, segmentation } of written.annotations) {
      expect(segmentation.size).toEqual([180, 320]);
      expect(rleArea(segmentation)).toBe(area);
      expect(area).toBeLessThanOrEqual(bbox[2]! * bbox[3]!);
    }
    expect(written.annotations.some(({ iscrowd }) => iscrowd === 0)).toBe(true);
    // Our own evaluator takes the file as it is.
    expect(parseCocoTruth(written, 'instances.json').images.size).toBe(3);
  });
});
