import { afterAll, describe, expect, it } from 'vitest';
import { InputError } from '../../../config/errors.js';
import type { FrameInstances, ModelFrame } from '../../../models/adapters/adapter.js';
import { type Model, openModel } from '../../../models/runtime/model.js';
import { decodeRle } from '../../../operators/masks/rle.js';
import { modelFolder, type Planted, type TinyModel } from './tiny-model.js';

/**
 * One small real ONNX file for each family, with one instance planted in it in the family's own coding, worked out by hand.
 * ONNX Runtime loads and runs it; box, score, label and mask must come out in source pixels.
 */

const folder = modelFolder();
afterAll(() => folder.remove());

const picture = (side: number, name = 'images', batch: number | string = 1): TinyModel['inputs'][number] => ({
  name,
  type: 'float32',
  dims: [batch, 3, side, side],
});

function filled(length: number, values: Readonly<Record<number, number>>, rest = 0): Float32Array {
  const data = new Float32Array(length).fill(rest);
  for (const [at, value] of Object.entries(values)) data[Number(at)] = value;
  return data;
}

const float = (name: string, dims: Planted['dims'], data: Float32Array, real?: readonly number[]): Planted => ({
  name,
  type: 'float32',
  dims,
  data,
  ...(real ? { real } : {}),
});
const int64 = (name: string, dims: Planted['dims'], values: readonly number[], real?: readonly number[]): Planted => ({
  name,
  type: 'int64',
  dims,
  data: BigInt64Array.from(values, BigInt),
  ...(real ? { real } : {}),
});

async function open(
  name: string,
  model: TinyModel,
  options: { labels?: string[]; batch?: number } = {},
): Promise<Model> {
  const file = folder.write(name.replaceAll(' ', '-'), model);
  return await openModel({ file, provider: 'cpu', threads: 1, batch: 1, minScore: 0.3, note: () => {}, ...options });
}

/** A black frame of a 64x64 input; `scale` input pixels make a source pixel. */
function frameOf(model: Model, scale: number, offset = 0): ModelFrame {
  const { width, height } = model.info.input;
  return {
    pixels: new Uint8Array(width * height * 3),
    placement: { scaleX: scale, scaleY: scale, offsetX: offset, offsetY: offset },
    source: { width: (width - 2 * offset) / scale, height: (height - 2 * offset) / scale },
  };
}

async function only(
  model: Model,
  frame: ModelFrame,
): Promise<{ box: number[]; score: number; label: string; of: FrameInstances }> {
  try {
    const [of] = await model.run([frame]);
    expect(of?.count).toBe(1);
    return { box: [...of!.boxes], score: of!.scores[0]!, label: model.info.labels[of!.classes[0]!]!, of: of! };
  } finally {
    await model.release();
  }
}

const YOLOX: TinyModel = {
  inputs: [picture(32)],
  // Cell x=1, y=1 of stride 8 is row 5: centre (1 + 0.5, 1 + 0.25)·8 = (12, 10), size (2, 1)·8; score 0.8·0.9.
  outputs: [
    float(
      'output',
      [1, 21, 85],
      filled(21 * 85, {
        [5 * 85]: 0.5,
        [5 * 85 + 1]: 0.25,
        [5 * 85 + 2]: Math.log(2),
        [5 * 85 + 3]: 0,
        [5 * 85 + 4]: 0.8,
        [5 * 85 + 5 + 2]: 0.9,
      }),
    ),
  ],
};

// Strides 8, 16, 32, 64 over 64x64; cell 9 of stride 8 is x=1, y=1 with its centre at (12, 12); sides 1, 1, 2, 3 strides.
const PICODET: TinyModel = {
  inputs: [picture(64, 'image')],
  outputs: [64, 16, 4, 1]
    .map((cells, l) => float(`scores.${l}`, [1, cells, 80], filled(cells * 80, l === 0 ? { [9 * 80]: 0.75 } : {})))
    .concat(
      [64, 16, 4, 1].map((cells, l) =>
        float(
          `boxes.${l}`,
          [1, cells, 32],
          filled(
            cells * 32,
            l === 0 ? { [9 * 32 + 1]: 50, [9 * 32 + 9]: 50, [9 * 32 + 18]: 50, [9 * 32 + 27]: 50 } : {},
          ),
        ),
      ),
    ),
};

describe('a model file is fed and read by its signature', () => {
  it('YOLOX: raw head over cells, letterboxed to the top left', async () => {
    const model = await open('yolox', YOLOX);
    expect(model.info).toMatchObject({
      adapter: 'yolox',
      fixedBatch: 1,
      masks: false,
      input: { width: 32, height: 32, fit: 'letterbox-top-left', fill: 114 },
    });
    const { box, score, label } = await only(model, frameOf(model, 0.5));
    expect(box).toEqual([8, 12, 40, 28]);
    expect(score).toBeCloseTo(0.72, 6);
    expect(label).toBe('car');
  });

  it('PicoDet: distributions over distances from the centre of the cell, stretched', async () => {
    const model = await open('picodet', PICODET);
    expect(model.info).toMatchObject({ adapter: 'picodet', fixedBatch: 1, input: { fit: 'stretch' } });
    const { box, score, label } = await only(model, frameOf(model, 0.5));
    expect(box).toEqual([8, 8, 56, 72]);
    expect(score).toBeCloseTo(0.75, 6);
    expect(label).toBe('person');
  });

  it('PicoDet with its NMS inside: rows, counts and a scale factor', async () => {
    const model = await open('picodet-nms', {
      inputs: [picture(64, 'image'), { name: 'scale_factor', type: 'float32', dims: [1, 2] }],
      outputs: [
        float('rows', ['R', 6], Float32Array.of(-1, 0, 0, 0, 0, 0, 7, 0.5, 4, 4, 28, 36), [2, 6]),
        { name: 'counts', type: 'int32', dims: [1], data: Int32Array.of(2) },
      ],
    });
    expect(model.info.adapter).toBe('picodet-nms');
    const { box, label } = await only(model, frameOf(model, 2));
    expect(box).toEqual([2, 2, 14, 18]);
    expect(label).toBe('truck');
  });

  it('YOLO v8 detection: names from the metadata, letterboxed to the centre, a symbolic batch', async () => {
    // 21 cells, channels x y w h and two classes; the channel is the slow index.
    const model = await open('yolo', {
      inputs: [picture(32, 'images', 'batch')],
      outputs: [
        float(
          'output0',
          ['batch', 6, 'anchors'],
          filled(6 * 21, { 3: 16, [21 + 3]: 12, [42 + 3]: 8, [63 + 3]: 16, [105 + 3]: 0.6 }),
          [1, 6, 21],
        ),
      ],
      metadata: { names: `{0: 'worker', 1: "forklift's fork"}`, imgsz: '[32, 32]' },
    });
    expect(model.info).toMatchObject({ adapter: 'yolo', fixedBatch: undefined, input: { fit: 'letterbox-center' } });
    // Source 48x48 at half size, centred: 24 of 32 pixels, 4 on each side.
    const { box, score, label } = await only(model, frameOf(model, 0.5, 4));
    expect(box).toEqual([16, 0, 32, 32]);
    expect(score).toBeCloseTo(0.6, 6);
    expect(label).toBe("forklift's fork");
  });

  it('YOLO v8 segmentation: coefficients and maps become a mask cut at the box', async () => {
    const maps = new Float32Array(2 * 8 * 8);
    // Map 0 is 1 in its left half and -1 in its right, map 1 is 100 everywhere and has coefficient 0.
    for (let i = 0; i < 64; i++) maps[i] = i % 8 < 4 ? 1 : -1;
    maps.fill(100, 64);
    const model = await open('yolo-seg', {
      inputs: [picture(32)],
      outputs: [
        float('output0', [1, 7, 21], filled(7 * 21, { 0: 16, 21: 16, 42: 16, 63: 8, 84: 0.9, 105: 2, 126: 0 })),
        float('output1', [1, 2, 8, 8], maps),
      ],
    });
    expect(model.info).toMatchObject({ adapter: 'yolo-seg', masks: true, labels: ['class0'] });
    const { box, of } = await only(model, frameOf(model, 1));
    expect(box).toEqual([8, 12, 24, 20]);
    const mask = of.masks?.[0];
    expect(mask).toMatchObject({ origin: [8, 12], size: [8, 16] });
    // Logits change sign at input x = 16, the box's middle: 8 of 16 columns.
    expect([...decodeRle(mask!)]).toEqual(Array.from({ length: 8 * 16 }, (_, i) => (i % 16 < 8 ? 1 : 0)));
  });

  it('torchvision Mask R-CNN: one picture, COCO ids, masks as large as the picture', async () => {
    const masks = new Float32Array(40 * 40);
    for (let i = 0; i < masks.length; i++) masks[i] = i % 40 < 10 ? 1 : 0;
    const model = await open('torchvision', {
      inputs: [{ name: 'image', type: 'float32', dims: [3, 40, 40] }],
      outputs: [
        float('boxes', ['M', 4], Float32Array.of(4, 4, 16, 20), [1, 4]),
        int64('labels', ['M'], [3], [1]),
        float('scores', ['M'], Float32Array.of(0.8), [1]),
        float('masks', ['M', 1, 'H', 'W'], masks, [1, 1, 40, 40]),
      ],
    });
    expect(model.info).toMatchObject({ adapter: 'torchvision', fixedBatch: 1, masks: true });
    const { box, label, of } = await only(model, frameOf(model, 1));
    expect(box).toEqual([4, 4, 16, 20]);
    expect(label).toBe('car');
    expect(of.masks?.[0]).toMatchObject({ origin: [4, 4], size: [16, 12] });
    expect([...decodeRle(of.masks![0]!)].reduce((sum, bit) => sum + bit, 0)).toBe(16 * 6);
  });

  it('Detectron2 Mask R-CNN: the size of the picture among the outputs, small masks over the box', async () => {
    const model = await open('detectron2', {
      inputs: [{ name: 'image', type: 'float32', dims: [3, 'H', 'W'] }],
      outputs: [
        float('10', ['M', 4], Float32Array.of(100, 100, 200, 300), [1, 4]),
        int64('11', ['M'], [5], [1]),
        float('12', ['M', 1, 28, 28], new Float32Array(28 * 28).fill(1), [1, 1, 28, 28]),
        float('13', ['M'], Float32Array.of(0.8), [1]),
        int64('14', [2], [720, 1280]),
      ],
    });
    expect(model.info).toMatchObject({ adapter: 'detectron2', masks: true, input: { width: 1280, height: 720 } });
    const { box, label, of } = await only(model, frameOf(model, 1));
    expect(box).toEqual([100, 100, 200, 300]);
    expect(label).toBe('bus');
    expect(of.masks?.[0]).toMatchObject({ origin: [100, 100], size: [200, 100] });
  });

  it('DETR: a softmax with a class for nothing, normalised centres', async () => {
    // Query 0 is class 3 (car) at odds e^2 : 91 others at 1; query 1 is "nothing" (the last class).
    const logits = filled(2 * 92, { 3: 8, [92 + 91]: 8 });
    const model = await open('detr', {
      inputs: [picture(64, 'pixel_values'), { name: 'pixel_mask', type: 'int64', dims: [1, 64, 64] }],
      outputs: [
        float('logits', [1, 2, 92], logits),
        float('pred_boxes', [1, 2, 4], Float32Array.of(0.5, 0.5, 0.25, 0.5, 0.5, 0.5, 1, 1)),
      ],
    });
    const { box, score, label } = await only(model, frameOf(model, 0.5));
    expect(box).toEqual([48, 32, 80, 96]);
    expect(score).toBeCloseTo(Math.exp(8) / (Math.exp(8) + 91), 5);
    expect(label).toBe('car');
  });

  it('RT-DETR of Hugging Face: a sigmoid for each of 80 classes', async () => {
    const model = await open('rt-detr-hf', {
      inputs: [picture(64, 'pixel_values', 'batch_size')],
      outputs: [
        float('logits', ['batch_size', 300, 80], filled(300 * 80, { 2: 0 }, -9), [1, 300, 80]),
        float('pred_boxes', ['batch_size', 300, 4], new Float32Array(1200).fill(0.5), [1, 300, 4]),
      ],
    });
    const { box, score, label } = await only(model, frameOf(model, 1));
    expect(box).toEqual([16, 16, 48, 48]);
    expect(score).toBeCloseTo(0.5, 6);
    expect(label).toBe('car');
  });

  it('RT-DETR and D-FINE of their authors: boxes scaled to sizes that we feed', async () => {
    const model = await open('rtdetr', {
      inputs: [picture(64, 'images', 'N'), { name: 'orig_target_sizes', type: 'int64', dims: ['N', 2] }],
      outputs: [
        int64('labels', ['N', 2], [0, 7], [1, 2]),
        float('boxes', ['N', 2, 4], Float32Array.of(0, 0, 1, 1, 8, 16, 24, 32), [1, 2, 4]),
        float('scores', ['N', 2], Float32Array.of(0.1, 0.9), [1, 2]),
      ],
    });
    const { box, label } = await only(model, frameOf(model, 0.5));
    expect(box).toEqual([16, 32, 48, 64]);
    expect(label).toBe('truck');
  });

  it('our own files: bytes in, rows of all frames out, classes and fit from the model card', async () => {
    const ours: TinyModel = {
      inputs: [{ name: 'images', type: 'uint8', dims: ['N', 32, 64, 3] }],
      outputs: [
        float('boxes', ['M', 4], Float32Array.of(0, 0, 8, 8, 16, 8, 48, 24, 0, 0, 9, 9), [3, 4]),
        float('scores', ['M'], Float32Array.of(0.4, 0.9, 0.1), [3]),
        { name: 'labels', type: 'int32', dims: ['M'], real: [3], data: Int32Array.of(0, 1, 0) },
        float('masks', ['M', 28, 28], new Float32Array(3 * 784).fill(1), [3, 28, 28]),
        int64('frames', ['M'], [1, 0, 0], [3]),
      ],
      metadata: {
        maskcast: JSON.stringify({
          schema: 1,
          classes: ['cat', 'dog'],
          input: { width: 64, height: 32, channels: 3, fit: 'stretch' },
        }),
      },
    };
    const model = await open('maskcast', ours, { batch: 2 });
    expect(model.info).toMatchObject({
      adapter: 'maskcast',
      fixedBatch: undefined,
      masks: true,
      input: { fit: 'stretch' },
    });
    const [first, second] = await model.run([frameOf(model, 1), frameOf(model, 1)]);
    await model.release();
    expect([...first!.boxes, ...second!.boxes]).toEqual([16, 8, 48, 24, 0, 0, 8, 8]);
    expect([...first!.classes, ...second!.classes]).toEqual([1, 0]);
    expect(first?.masks?.[0]).toMatchObject({ origin: [16, 8], size: [16, 32] });
  });

  it('class names of the user take the place of those known, and must be as many', async () => {
    const names = Array.from({ length: 80 }, (_, i) => `kind ${i}`);
    const model = await open('named', YOLOX, { labels: names });
    expect((await only(model, frameOf(model, 1))).label).toBe('kind 2');
    await expect(open('misnamed', YOLOX, { labels: ['one'] })).rejects.toThrow(
      '1 class names were given, but the model has 80 classes',
    );
  });
});

describe('a file that fits no family is refused', () => {
  it('with the inputs and outputs found and those that each family expects', async () => {
    const failure = await open('strange', {
      inputs: [{ name: 'tokens', type: 'int64', dims: ['N', 77] }],
      outputs: [float('embedding', ['N', 512], new Float32Array(512), [1, 512])],
    }).catch((cause: unknown) => cause);
    expect(failure).toBeInstanceOf(InputError);
    const lines = String(failure).split('\n');
    expect(lines).toContain('  input  tokens int64 [N,77]');
    expect(lines).toContain('  output embedding float32 [1,512]');
    for (const family of [
      'maskcast',
      'picodet',
      'picodet-nms',
      'yolox',
      'yolo',
      'detr',
      'rtdetr',
      'detectron2',
      'torchvision',
    ]) {
      expect(lines.some((line) => line.startsWith(`  ${family} (`))).toBe(true);
    }
    expect(lines.length).toBeLessThan(30);
  });

  it('when it is ours by shape but has no model card', async () => {
    const withoutCard: TinyModel = {
      inputs: [{ name: 'images', type: 'uint8', dims: [1, 32, 32, 3] }],
      outputs: [
        float('boxes', ['M', 4], new Float32Array(4), [1, 4]),
        float('scores', ['M'], new Float32Array(1), [1]),
        int64('labels', ['M'], [0], [1]),
        int64('frames', ['M'], [0], [1]),
      ],
    };
    await expect(open('cardless', withoutCard)).rejects.toThrow('maskcast (no model card (metadata maskcast))');
    await expect(open('bad card', { ...withoutCard, metadata: { maskcast: '{"classes":3}' } })).rejects.toThrow(
      'classes of the model card is no list of names',
    );
  });

  it('when its shapes fit but a trial run gives something else', async () => {
    const short = {
      ...YOLOX,
      outputs: [{ ...float('output0', ['N', 6, 'A'], new Float32Array(60), [1, 6, 10]), opaque: true }],
      inputs: [picture(32)],
    };
    await expect(open('liar', short)).rejects.toThrow(
      /signature of yolo, but a trial run failed: output output0 is \[1,6,10\]/,
    );
  });
});
