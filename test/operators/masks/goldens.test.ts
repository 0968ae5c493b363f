import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { cropMask, mergeRuns } from '../../../operators/masks/combine.js';
import { pasteMask } from '../../../operators/masks/paste.js';
import { polygonRuns } from '../../../operators/masks/polygon.js';
import { decodeRle, encodeRle, rleArea, rleToRuns, runsToRle } from '../../../operators/masks/rle.js';
import { maskSpans, spansIou } from '../../../operators/masks/spans.js';
import type { BoxXyxy } from '../../../operators/types.js';

interface Rle {
  readonly size: [number, number];
  readonly counts: string;
}

// Both files: goldens/make-goldens.py, which names the versions.
const golden = <T>(name: string): T =>
  JSON.parse(readFileSync(new URL(`goldens/${name}`, import.meta.url), 'utf8')) as T;
const { polygons, bits, same } = golden<{
  polygons: (Rle & { xy: number[]; area: number; box: [number, number, number, number] })[];
  bits: (Rle & { bits: string; area: number })[];
  same: { masks: Rle[]; union: Rle; intersection: Rle; iou: number[][]; iouCrowd: number[][] }[];
}>('cocotools.json');
const pastes = golden<(Rle & { levels: string; m: number; box: BoxXyxy; threshold: number })[]>('paste.json');

test('polygons give the very strings, areas and boxes of the COCO tools', () => {
  expect(polygons).toHaveLength(40);
  for (const { xy, size, counts, area, box } of polygons) {
    const runs = polygonRuns(xy, ...size);
    expect(runsToRle(runs)).toBe(counts);
    const spans = maskSpans({ size, origin: [0, 0], counts });
    expect(spans.area).toBe(area);
    const [x1, y1, x2, y2] = spans.box;
    expect([x1, y1, x2 - x1, y2 - y1]).toEqual(box);
  }
});

test('bits give the very strings of the COCO tools and come back from them', () => {
  expect(bits).toHaveLength(12);
  for (const { bits: text, size, counts, area } of bits) {
    const pixels = Uint8Array.from(text, Number);
    expect(encodeRle(pixels, ...size)).toBe(counts);
    expect(decodeRle({ size, counts })).toEqual(pixels);
    expect(rleArea({ counts })).toBe(area);
  }
});

test('union, intersection and IoU, with and without crowds, are those of the COCO tools', () => {
  expect(same).toHaveLength(8);
  for (const { masks, union, intersection, iou, iouCrowd } of same) {
    const runs = masks.map(({ counts }) => rleToRuns(counts));
    expect(runsToRle(mergeRuns(runs, 'union'))).toBe(union.counts);
    expect(runsToRle(mergeRuns(runs, 'intersection'))).toBe(intersection.counts);
    const spans = masks.map((mask) => maskSpans({ ...mask, origin: [0, 0] }));
    expect(spans.map((a) => spans.map((b) => spansIou(a, b)))).toEqual(iou);
    expect(spans.map((a) => spans.map((b) => spansIou(a, b, true)))).toEqual(iouCrowd);
  }
});

test('pasted masks are those of Detectron2 pixel by pixel, at any threshold and over the edges of the frame', () => {
  expect(pastes).toHaveLength(36);
  let empty = 0;
  for (const { levels, m, box, threshold, size, counts } of pastes) {
    const prob = Float32Array.from(Buffer.from(levels, 'hex'), (level) => level / 255);
    const [height, width] = size;
    const mask = pasteMask(prob, m, m, box, { width, height }, threshold);
    if (!mask) empty++;
    const whole = mask
      ? cropMask(mask, [0, 0], { width, height }).counts
      : encodeRle(new Uint8Array(height * width), height, width);
    expect(whole).toBe(counts);
  }
  expect(empty).toBeLessThan(6);
});
