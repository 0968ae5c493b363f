import type { Adapter, AdapterFamily, FrameInstances, TensorValue } from './adapter.js';
import { byScore, Candidates, place } from './candidates.js';
import { COCO_91, namesOf } from './coco-labels.js';
import { planeWriter, RGB_IMAGENET, RGB_UNIT } from './planes.js';
import { fits, floats, integers, pictureInput, sizeAt } from './shape.js';

const USUAL_SIDE = 640;

/**
 * DETR and its kin as Hugging Face exports them: `logits` `[N, Q, C]`, `pred_boxes` `[N, Q, 4]` centre and size, 0…1 of the input.
 * Two dialects, told apart by what the logits are: DETR has a last class "nothing" and a softmax (92 for COCO ids, ImageNet's
 * normalisation); RT-DETR and D-FINE a sigmoid for each class (80; 0…1). Other counts: with 100 queries DETR, else the other,
 * unless class names are given, which settle it. No NMS: a query is an instance.
 */
export const detr: AdapterFamily = {
  name: 'detr',
  expects:
    'an input float32 [N,3,H,W] (and perhaps pixel_mask int64 [N,h,w]); outputs logits float32 [N,Q,classes] and pred_boxes float32 [N,Q,4]',
  match(signature, { minScore, labels: said }): Adapter | string {
    const input = pictureInput(signature);
    if (typeof input === 'string') return input;
    const pixelMask = signature.inputs.find((other) => other !== input);
    if (signature.inputs.length > 2 || (pixelMask && !fits(pixelMask, 'int64', [undefined, undefined, undefined]))) {
      return 'a further input that is no pixel_mask int64 [N,h,w]';
    }
    const logits = signature.outputs.find(({ name }) => name === 'logits');
    const boxes = signature.outputs.find(({ name }) => name === 'pred_boxes');
    if (
      !fits(logits, 'float32', [undefined, undefined, undefined]) ||
      !fits(boxes, 'float32', [undefined, undefined, 4])
    ) {
      return 'no outputs named logits and pred_boxes';
    }
    const columns = sizeAt(logits, 2);
    if (!columns) return 'the number of classes is not fixed';
    const softmax = said
      ? said.length === columns - 1
      : columns === 92 || (columns !== 80 && columns !== 91 && sizeAt(logits, 1) === 100);
    const classes = softmax ? columns - 1 : columns;
    const labels = namesOf(classes, said, classes === 91 ? COCO_91 : undefined);
    if (typeof labels === 'string') return labels;
    const form = { width: sizeAt(input, 3) ?? USUAL_SIDE, height: sizeAt(input, 2) ?? USUAL_SIDE };
    const fixedBatch = sizeAt(input, 0);
    const write = planeWriter(form, softmax ? RGB_IMAGENET : RGB_UNIT, fixedBatch);
    return {
      name: 'detr',
      labels,
      input: { ...form, fit: 'stretch', fill: 0 },
      fixedBatch,
      masks: false,
      makeFeeds(frames) {
        const picture = write(frames);
        if (!pixelMask) return { [input.name]: picture };
        const dims = [picture.dims[0]!, sizeAt(pixelMask, 1) ?? form.height, sizeAt(pixelMask, 2) ?? form.width];
        const data = new BigInt64Array(dims[0]! * dims[1]! * dims[2]!).fill(1n);
        return { [input.name]: picture, [pixelMask.name]: { type: 'int64', data, dims } };
      },
      decode(outputs, frames): FrameInstances[] {
        const { data, dims } = floats(outputs, 'logits');
        const centres = floats(outputs, 'pred_boxes').data;
        const queries = dims[1]!;
        return frames.map((frame, n) => {
          const found = new Candidates();
          for (let q = n * queries; q < (n + 1) * queries; q++) {
            const { score, cls } = bestClass(data.subarray(q * columns, (q + 1) * columns), classes, softmax);
            if (score < minScore) continue;
            const [x = 0, y = 0, w = 0, h = 0] = centres.subarray(4 * q, 4 * q + 4);
            const { width, height } = form;
            found.push(
              (x - w / 2) * width,
              (y - h / 2) * height,
              (x + w / 2) * width,
              (y + h / 2) * height,
              score,
              cls,
              q,
            );
          }
          return place(found, byScore(found), frame);
        });
      },
    };
  },
};

/** Most likely of the first `classes` logits and its probability. */
function bestClass(logits: Float32Array, classes: number, softmax: boolean): { score: number; cls: number } {
  let cls = 0;
  for (let c = 1; c < classes; c++) if (logits[c]! > logits[cls]!) cls = c;
  const best = logits[cls]!;
  if (!softmax) return { score: 1 / (1 + Math.exp(-best)), cls };
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - best);
  return { score: 1 / sum, cls };
}

/**
 * RT-DETR and D-FINE as their authors export them: `images` 0…1 and `orig_target_sizes` `[N, 2]` (width, height) to which
 * the boxes are scaled; outputs `labels` int64 `[N, Q]`, `boxes` `[N, Q, 4]` x1 y1 x2 y2, `scores` `[N, Q]`.
 */
export const rtdetr: AdapterFamily = {
  name: 'rtdetr',
  expects:
    'inputs images float32 [N,3,H,W] and orig_target_sizes int64 [N,2]; outputs labels int64 [N,Q], boxes float32 [N,Q,4], scores float32 [N,Q]',
  match(signature, { minScore, labels: said }): Adapter | string {
    const input = pictureInput(signature);
    if (typeof input === 'string') return input;
    const target = signature.inputs.find(({ name }) => name === 'orig_target_sizes');
    if (!target || !fits(target, 'int64', [undefined, 2])) return 'no second input orig_target_sizes int64 [N,2]';
    const output = (name: string): (typeof signature.outputs)[number] | undefined =>
      signature.outputs.find((one) => one.name === name);
    if (
      !fits(output('labels'), 'int64', [undefined, undefined]) ||
      !fits(output('boxes'), 'float32', [undefined, undefined, 4]) ||
      !fits(output('scores'), 'float32', [undefined, undefined])
    ) {
      return 'no outputs named labels, boxes and scores of those shapes';
    }
    const labels = namesOf(said?.length ?? 80, said, undefined);
    if (typeof labels === 'string') return labels;
    const form = { width: sizeAt(input, 3) ?? USUAL_SIDE, height: sizeAt(input, 2) ?? USUAL_SIDE };
    const fixedBatch = sizeAt(input, 0);
    const write = planeWriter(form, RGB_UNIT, fixedBatch);
    return {
      name: 'rtdetr',
      labels,
      input: { ...form, fit: 'stretch', fill: 0 },
      fixedBatch,
      masks: false,
      makeFeeds(frames) {
        const picture = write(frames);
        const batch = picture.dims[0]!;
        const data = BigInt64Array.from({ length: 2 * batch }, (_, i) => BigInt(i % 2 ? form.height : form.width));
        const sizes: TensorValue = { type: 'int64', data, dims: [batch, 2] };
        return { [input.name]: picture, [target.name]: sizes };
      },
      decode(outputs, frames): FrameInstances[] {
        const boxes = floats(outputs, 'boxes').data;
        const { data: scores, dims } = floats(outputs, 'scores');
        const classes = integers(outputs, 'labels');
        const queries = dims[1]!;
        return frames.map((frame, n) => {
          const found = new Candidates();
          for (let q = n * queries; q < (n + 1) * queries; q++) {
            if (scores[q]! < minScore) continue;
            found.push(
              boxes[4 * q]!,
              boxes[4 * q + 1]!,
              boxes[4 * q + 2]!,
              boxes[4 * q + 3]!,
              scores[q]!,
              classes[q]!,
              q,
            );
          }
          return place(found, byScore(found), frame);
        });
      },
    };
  },
};
