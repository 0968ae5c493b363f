import { pasteMask } from '../../operators/masks/paste.js';
import type { InputForm } from '../../operators/types.js';
import type { Adapter, AdapterFamily, AdapterOptions, FrameInstances, ModelSignature, TensorSpec } from './adapter.js';
import { byScore, Candidates, type MaskOf, place } from './candidates.js';
import { COCO_80, COCO_91 } from './coco-labels.js';
import { maskFromGrid } from './mask-grid.js';
import { BGR_BYTES, type Normalisation, planeWriter, RGB_UNIT } from './planes.js';
import { fits, floats, integers, sizeAt } from './shape.js';

/** Input of exports that leave the size open; cameras are 16:9, and these models scale to a short side of 800 themselves. */
const USUAL_SIZE = { width: 1280, height: 720 };

/**
 * Mask R-CNN and Faster R-CNN as torchvision exports them: one picture `[3, H, W]` RGB 0…1 (all else is in the graph); outputs boxes in
 * input pixels, labels (COCO ids), scores and, with masks, probabilities `[M, 1, H, W]` pasted already or `[M, 1, 28, 28]`.
 */
export const torchvision: AdapterFamily = {
  name: 'torchvision',
  expects:
    'one input float32 [3,H,W]; outputs boxes float32 [M,4], labels int64 [M], scores float32 [M] and perhaps masks float32 [M,1,h,w]',
  match: (signature, options) =>
    matchRcnn(signature, options, {
      name: 'torchvision',
      normalisation: RGB_UNIT,
      labels: COCO_91,
      sizeOutput: false,
    }),
};

/**
 * Mask R-CNN and Faster R-CNN as Detectron2's `export_model.py` traces them: one picture `[3, H, W]` BGR bytes; the fields of
 * `Instances` in the order of their names, then the picture's size: pred_boxes, pred_classes (0…79), pred_masks `[M, 1, 28, 28]`, scores, `[2]`.
 */
export const detectron2: AdapterFamily = {
  name: 'detectron2',
  expects:
    'one input float32 [3,H,W]; outputs boxes float32 [M,4], classes int64 [M], perhaps masks float32 [M,1,28,28], scores float32 [M], size int64 [2]',
  match: (signature, options) =>
    matchRcnn(signature, options, {
      name: 'detectron2',
      normalisation: BGR_BYTES,
      labels: COCO_80,
      sizeOutput: true,
    }),
};

interface Dialect {
  readonly name: string;
  readonly normalisation: Normalisation;
  readonly labels: readonly string[];
  /** Whether the size of the picture is among the outputs: what tells the two apart. */
  readonly sizeOutput: boolean;
}

interface RcnnOutputs {
  readonly boxes: string;
  readonly labels: string;
  readonly scores: string;
  readonly masks: string | undefined;
}

function matchRcnn(
  signature: ModelSignature,
  { minScore, labels: said }: AdapterOptions,
  dialect: Dialect,
): Adapter | string {
  const [input, ...more] = signature.inputs;
  if (!input || more.length > 0 || !fits(input, 'float32', [3, undefined, undefined]))
    return 'no single input float32 [3,H,W]';
  const names = outputsOf(signature.outputs, dialect.sizeOutput);
  if (typeof names === 'string') return names;
  const form: InputForm = {
    width: sizeAt(input, 2) ?? USUAL_SIZE.width,
    height: sizeAt(input, 1) ?? USUAL_SIZE.height,
    fit: 'letterbox-top-left',
    fill: 0,
  };
  const write = planeWriter(form, dialect.normalisation, 1);
  return {
    name: dialect.name,
    labels: said ?? dialect.labels,
    input: form,
    fixedBatch: 1,
    masks: names.masks !== undefined,
    makeFeeds(frames) {
      const picture = write(frames);
      return { [input.name]: { ...picture, dims: picture.dims.slice(1) } };
    },
    decode(outputs, [frame]): FrameInstances[] {
      if (!frame) return [];
      const boxes = floats(outputs, names.boxes).data;
      const scores = floats(outputs, names.scores).data;
      const labels = integers(outputs, names.labels);
      const found = new Candidates();
      for (let i = 0; i < scores.length; i++) {
        if (scores[i]! < minScore || labels[i]! < 0) continue;
        const at = 4 * i;
        found.push(boxes[at]!, boxes[at + 1]!, boxes[at + 2]!, boxes[at + 3]!, scores[i]!, labels[i]!, i);
      }
      if (!names.masks) return [place(found, byScore(found), frame)];
      const { data, dims } = floats(outputs, names.masks);
      const [rows = 0, columns = 0] = dims.slice(-2);
      const mapOf = (row: number): Float32Array => data.subarray(row * rows * columns, (row + 1) * rows * columns);
      // A map as large as the input was pasted into the picture already; a small one spans its box.
      const whole = rows === form.height && columns === form.width;
      const maskOf: MaskOf = whole
        ? (row, box) => maskFromGrid({ values: mapOf(row), rows, columns, threshold: 0.5 }, box, frame, form)
        : (row, box) => pasteMask(mapOf(row), rows, columns, box, frame.source);
      return [place(found, byScore(found), frame, maskOf)];
    },
  };
}

/** By type and rank, since exports name their outputs as they like. */
function outputsOf(outputs: readonly TensorSpec[], sizeOutput: boolean): RcnnOutputs | string {
  const boxes = outputs.filter((output) => fits(output, 'float32', [undefined, 4]));
  const scores = outputs.filter((output) => fits(output, 'float32', [undefined]));
  const masks = outputs.filter((output) => fits(output, 'float32', [undefined, 1, undefined, undefined]));
  const integersOf = outputs.filter((output) => fits(output, 'int64', [undefined]));
  const sizes = integersOf.filter((output) => output.shape[0] === 2);
  const labels = integersOf.filter((output) => output.shape[0] !== 2);
  if (boxes.length !== 1 || scores.length !== 1 || labels.length !== 1 || masks.length > 1) {
    return 'outputs are not boxes, classes and scores, one of each';
  }
  if (sizes.length !== (sizeOutput ? 1 : 0))
    return `${sizeOutput ? 'no' : 'an'} output int64 [2] with the size of the picture`;
  if (outputs.length !== 3 + masks.length + sizes.length) return 'there are further outputs';
  return { boxes: boxes[0]!.name, scores: scores[0]!.name, labels: labels[0]!.name, masks: masks[0]?.name };
}
