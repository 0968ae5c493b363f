import { describe, expect, it } from 'vitest';
import { COCO_80, COCO_80_IDS, COCO_91, namesOf } from '../../../models/adapters/coco-labels.js';
import { maskFromGrid } from '../../../models/adapters/mask-grid.js';
import { BGR_BYTES, planeWriter, RGB_IMAGENET, RGB_UNIT } from '../../../models/adapters/planes.js';
import { namesIn } from '../../../models/adapters/yolo.js';
import { decodeRle } from '../../../operators/masks/rle.js';

describe('planeWriter', () => {
  const size = { width: 2, height: 1 };
  const frame = (...pixels: number[]) => ({
    pixels: Uint8Array.from(pixels),
    placement: { scaleX: 1, scaleY: 1, offsetX: 0, offsetY: 0 },
    source: size,
  });

  it('writes planes in the order asked for', () => {
    const one = frame(1, 2, 3, 4, 5, 6);
    expect(planeWriter(size, BGR_BYTES, undefined)([one])).toEqual({
      type: 'float32',
      dims: [1, 3, 1, 2],
      data: Float32Array.of(3, 6, 2, 5, 1, 4),
    });
    const unit = planeWriter(size, RGB_UNIT, undefined)([frame(0, 51, 255, 255, 0, 102)]);
    expect(unit.data).toEqual(Float32Array.of(0, 1, 0.2, 0, 1, 0.4));
  });

  it("takes ImageNet's mean and deviation as PicoDet's bytes: 123.675 116.28 103.53 over 58.395 57.12 57.375", () => {
    const { data } = planeWriter(size, RGB_IMAGENET, undefined)([frame(0, 0, 0, 255, 255, 255)]);
    const expected = [
      [-123.675 / 58.395, (255 - 123.675) / 58.395],
      [-116.28 / 57.12, (255 - 116.28) / 57.12],
      [-103.53 / 57.375, (255 - 103.53) / 57.375],
    ].flat();
    for (const [i, value] of expected.entries()) expect(data[i]).toBeCloseTo(value, 5);
  });

  it('repeats the last frame up to a fixed batch and reuses its buffer', () => {
    const write = planeWriter(size, BGR_BYTES, 3);
    const first = write([frame(1, 1, 1, 1, 1, 1), frame(2, 2, 2, 2, 2, 2)]);
    expect(first.dims).toEqual([3, 3, 1, 2]);
    expect([...first.data]).toEqual([1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2]);
    expect(write([frame(9, 9, 9, 9, 9, 9)]).data.buffer).toBe(first.data.buffer);
  });

  it('refuses a frame of another size', () => {
    expect(() => planeWriter(size, BGR_BYTES, 1)([frame(1, 2, 3)])).toThrow('frame has 3 bytes; the model takes 2x1');
  });
});

describe('maskFromGrid', () => {
  const whole = { placement: { scaleX: 1, scaleY: 1, offsetX: 0, offsetY: 0 }, source: { width: 8, height: 8 } };

  it('a full grid gives every pixel whose centre lies in the box', () => {
    const grid = { values: new Float32Array(4).fill(1), columns: 2, rows: 2, threshold: 0 };
    const mask = maskFromGrid(grid, [1.4, 2, 4.6, 4], whole, { width: 8, height: 8 });
    expect(mask).toMatchObject({ origin: [1, 2], size: [2, 4] });
    expect([...decodeRle(mask!)]).toEqual([1, 1, 1, 1, 1, 1, 1, 1]);
  });

  it('the edge between two cells lies where the interpolated value crosses the threshold', () => {
    // Cells of 4 pixels, centres at 2 and 6: from 1 to -3 zero is a quarter of the way, at x = 3.
    const grid = { values: Float32Array.of(1, -3, 1, -3), columns: 2, rows: 2, threshold: 0 };
    const mask = maskFromGrid(grid, [0, 0, 8, 1], whole, { width: 8, height: 8 });
    expect([...decodeRle(mask!)]).toEqual([1, 1, 1, 0, 0, 0, 0, 0]);
  });

  it('goes by the placement of the source in the input', () => {
    // Source 4x4 doubled and set 4 pixels in from the left of a 16x8 input: source x = 2 is input 8, the middle.
    const grid = { values: Float32Array.of(-1, 1), columns: 2, rows: 1, threshold: 0 };
    const frame = { placement: { scaleX: 2, scaleY: 2, offsetX: 4, offsetY: 0 }, source: { width: 4, height: 4 } };
    const mask = maskFromGrid(grid, [0, 0, 4, 1], frame, { width: 16, height: 8 });
    expect([...decodeRle(mask!)]).toEqual([0, 0, 1, 1]);
  });

  it('is undefined outside of the frame and where nothing exceeds the threshold', () => {
    const grid = { values: Float32Array.of(0), columns: 1, rows: 1, threshold: 0 };
    expect(maskFromGrid(grid, [0, 0, 8, 8], whole, { width: 8, height: 8 })).toBeUndefined();
    expect(maskFromGrid({ ...grid, threshold: -1 }, [9, 0, 12, 8], whole, { width: 8, height: 8 })).toBeUndefined();
  });
});

describe('class names', () => {
  it("COCO's 80 names have its category ids, and 91 labels go by id", () => {
    expect([COCO_80.length, new Set(COCO_80).size, COCO_80_IDS.length, COCO_91.length]).toEqual([80, 80, 80, 91]);
    // A few of the official file.
    const known = { person: 1, truck: 8, 'stop sign': 13, bench: 15, backpack: 27, bottle: 44, tv: 72, toothbrush: 90 };
    for (const [name, id] of Object.entries(known)) {
      expect(COCO_80_IDS[COCO_80.indexOf(name)]).toBe(id);
      expect(COCO_91[id]).toBe(name);
    }
    expect(COCO_91[0]).toBe('');
  });

  it('come from the user, the file, COCO, or the number, in this order', () => {
    expect(namesOf(2, ['a', 'b'], ['c', 'd'])).toEqual(['a', 'b']);
    expect(namesOf(2, undefined, ['c', 'd'])).toEqual(['c', 'd']);
    expect(namesOf(80, undefined, ['c'])).toBe(COCO_80);
    expect(namesOf(2, undefined, undefined)).toEqual(['class0', 'class1']);
    expect(namesOf(2, ['a'], undefined)).toBe('1 class names were given, but the model has 2 classes');
  });

  it("of Ultralytics' metadata are read with either quote; a gap makes them unknown", () => {
    expect(namesIn(`{0: 'person', 1: "bird's nest", 2: 'it\\'s'}`)).toEqual(['person', "bird's nest", "it's"]);
    expect(namesIn("{0: 'a', 2: 'b'}")).toBeUndefined();
    expect(namesIn(undefined)).toBeUndefined();
  });
});
