import { beforeAll, describe, expect, it } from 'vitest';
import { decodeRle, rleArea } from '../../../operators/masks/rle.js';
import { lookAlong, project } from '../../../pipeline/street/camera.js';
import { figuresAt, figuresOf } from '../../../pipeline/street/figures.js';
import { planStreet } from '../../../pipeline/street/plan.js';
import { openPainter, type StreetFrame } from '../../../pipeline/street/street-picture.js';

const SIZE = { width: 480, height: 270 };
const TIMES = [0, 3.3, 7.1, 12.9];
const plan = planStreet({ seed: 7, periodS: 20 });
const figures = figuresOf(plan);

describe('a drawn picture', () => {
  let frames: StreetFrame[] = [];
  beforeAll(() => {
    const painter = openPainter(plan, SIZE);
    frames = TIMES.map((t, number) => painter.paint(t, number));
  }, 300_000);

  it('shows a good number of figures', () => {
    for (const { seen } of frames) expect(seen.length).toBeGreaterThan(6);
    for (const { seen, pixels } of frames) {
      expect(pixels).toHaveLength(SIZE.width * SIZE.height * 3);
      expect(new Set(seen.map(({ id }) => id)).size).toBe(seen.length);
    }
  });

  it('gives masks within the frame that share no pixel and fill their boxes', () => {
    for (const { seen } of frames) {
      const owner = new Uint16Array(SIZE.width * SIZE.height);
      for (const { id, box, mask, area } of seen) {
        const [x1, y1, x2, y2] = box;
        expect(mask.origin).toEqual([x1, y1]);
        expect(mask.size).toEqual([y2 - y1, x2 - x1]);
        expect(x1 >= 0 && y1 >= 0 && x2 <= SIZE.width && y2 <= SIZE.height).toBe(true);
        expect(rleArea(mask)).toBe(area);
        const bits = decodeRle(mask);
        const [h, w] = mask.size;
        const lineHas = (cells: number[]): boolean => cells.some((cell) => bits[cell] === 1);
        const rows = [0, h - 1].map((row) => Array.from({ length: w }, (_, column) => row * w + column));
        const columns = [0, w - 1].map((column) => Array.from({ length: h }, (_, row) => row * w + column));
        expect([...rows, ...columns].every(lineHas)).toBe(true);
        bits.forEach((bit, cell) => {
          if (!bit) return;
          const at = (y1 + Math.floor(cell / w)) * SIZE.width + x1 + (cell % w);
          expect(owner[at]).toBe(0);
          owner[at] = id;
        });
      }
    }
  });

  it('shows no more of a figure than there is, and hides some behind others', () => {
    const all = frames.flatMap(({ seen }) => seen);
    for (const { area, fullArea } of all) expect(area).toBeLessThanOrEqual(fullArea);
    expect(all.some(({ area, fullArea }) => area < 0.7 * fullArea)).toBe(true);
    expect(all.some(({ area, fullArea }) => area === fullArea)).toBe(true);
  });

  it('stands people with their feet on the ground, as large as their distance makes them', () => {
    const { at, forward, focal, mirror } = plan.view;
    const camera = lookAlong(at, forward, focal, SIZE, mirror);
    let checked = 0;
    for (const [index, { seen }] of frames.entries()) {
      const now = figuresAt(plan, figures, TIMES[index]!);
      for (const { id, box, area, fullArea, cut } of seen) {
        const there = now.find(({ figure }) => figure.id === id)!;
        if (there.figure.actor.kind !== 'walker' || cut || area < fullArea * 0.98 || area < 60) continue;
        const { x, y, z } = there.place;
        const foot = project(camera, [x, y, z])!;
        const metre = foot.y - project(camera, [x, y, z + 1])!.y;
        const height = box[3] - box[1];
        expect(Math.abs(box[3] - foot.y)).toBeLessThan(0.25 * metre + 2);
        expect(height / metre).toBeGreaterThan(1);
        expect(height / metre).toBeLessThan(2.3);
        checked++;
      }
    }
    expect(checked).toBeGreaterThan(5);
  });

  it('has the same bytes when it is drawn again, after other moments or by another painter', () => {
    const painter = openPainter(plan, SIZE);
    painter.paint(5, 9);
    const again = painter.paint(TIMES[2]!, 2);
    expect(Buffer.compare(Buffer.from(again.pixels), Buffer.from(frames[2]!.pixels))).toBe(0);
    expect(again.seen).toEqual(frames[2]!.seen);
  });

  it('leads from its last moment to its first', () => {
    const painter = openPainter(plan, SIZE);
    const [first, after] = [painter.paint(0, 0), painter.paint(plan.periodS, 0)];
    const shapes = ({ seen }: StreetFrame): string[] =>
      seen.map(({ label, mask }) => `${label} ${mask.origin} ${mask.counts}`).sort();
    expect(shapes(after)).toEqual(shapes(first));
  });
});
