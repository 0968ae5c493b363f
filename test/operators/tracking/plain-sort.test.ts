import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readSequenceInfo, sequenceFolders } from '../../../models/eval/mot/benchmark.js';
import { parseMotRows } from '../../../models/eval/mot/rows.js';
import { boxIou } from '../../../operators/geometry/box.js';
import type { BoxXyxy } from '../../../operators/types.js';
import { plainSort } from './plain-sort.js';

const DATA = '../shared/mot/mot15';
const isThere = existsSync(DATA);
if (!isThere)
  console.warn(`SKIPPED: ${DATA} is absent, so the tracker we compare with is not checked against SORT's own`);

describe.skipIf(!isThere)('the SORT that we compare with', () => {
  it('shows the very boxes that the original program wrote for the 11 sequences of MOT15, under ids of the same course', () => {
    let [boxes, alike, same] = [0, 0, 0];
    for (const folder of sequenceFolders(DATA, 'det/det.txt')) {
      const read = (file: string) => parseMotRows(readFileSync(join(folder, file), 'utf8'), file);
      const frames: BoxXyxy[][] = Array.from({ length: readSequenceInfo(folder)!.frames }, () => []);
      for (const row of read('det/det.txt')) frames[row.frame - 1]!.push(boxOf(row));
      const shown = plainSort(frames);
      const ours = new Map<number, number>();
      for (const row of read('res/SORT.txt')) {
        boxes++;
        // Theirs are rounded to two digits.
        const found = shown[row.frame - 1]!.find(({ box }) => boxIou(box, boxOf(row)) > 0.995);
        if (!found) continue;
        alike++;
        if ((ours.get(row.id) ?? found.id) === found.id) same++;
        ours.set(row.id, found.id);
      }
    }
    expect({ alike, same }).toEqual({ alike: boxes, same: boxes });
  });
});

const boxOf = ({ left, top, width, height }: { left: number; top: number; width: number; height: number }): BoxXyxy => [
  left,
  top,
  left + width,
  top + height,
];
