import type { Adapter, AdapterFamily, FrameInstances, TensorSpec } from './adapter.js';
import { Candidates, place, suppress } from './candidates.js';
import { namesOf } from './coco-labels.js';
import { planeWriter, RGB_IMAGENET } from './planes.js';
import { fits, floats, gridOf, pictureInput, sizeAt } from './shape.js';

const MAX_IOU = 0.6;

/** One stride of the head. */
interface Level {
  readonly stride: number;
  readonly columns: number;
  readonly rows: number;
  /** Names of its outputs: scores `[N, cells, classes]` and box distributions `[N, cells, 4 · bins]`. */
  readonly scores: string;
  readonly boxes: string;
}

/**
 * PicoDet without its post-processing (Paddle2ONNX): RGB with ImageNet's mean and deviation, stretched to the input; for each
 * stride class scores (sigmoid already) and, for each side of the box, a distribution over distances 0, 1, … strides from
 * the centre of the cell (generalised focal loss, arXiv 2006.04388).
 */
export const picodet: AdapterFamily = {
  name: 'picodet',
  expects:
    'one input float32 [N,3,H,W]; for strides 8, 16, 32, 64 scores float32 [N,cells,classes], then for each boxes float32 [N,cells,4*bins]',
  match(signature, { minScore, labels: said }): Adapter | string {
    const input = pictureInput(signature);
    if (typeof input === 'string') return input;
    const height = sizeAt(input, 2);
    const width = sizeAt(input, 3);
    if (!height || !width) return 'height and width of the input are not fixed';
    if (signature.inputs.length > 1) return 'more than one input';
    const levels = levelsOf(signature.outputs, width, height);
    if (typeof levels === 'string') return levels;
    const classes = sizeAt(signature.outputs[0], 2)!;
    const bins = sizeAt(signature.outputs[levels.length], 2)! / 4;
    const labels = namesOf(classes, said, undefined);
    if (typeof labels === 'string') return labels;
    const fixedBatch = sizeAt(input, 0);
    const write = planeWriter({ width, height }, RGB_IMAGENET, fixedBatch);
    return {
      name: 'picodet',
      labels,
      input: { width, height, fit: 'stretch', fill: 0 },
      fixedBatch,
      masks: false,
      makeFeeds: (frames) => ({ [input.name]: write(frames) }),
      decode(outputs, frames): FrameInstances[] {
        return frames.map((frame, n) => {
          const found = new Candidates();
          for (const level of levels) {
            const scores = floats(outputs, level.scores).data;
            const boxes = floats(outputs, level.boxes).data;
            decodeLevel(found, scores, boxes, n, level, classes, bins, minScore);
          }
          return place(found, suppress(found, MAX_IOU), frame);
        });
      },
    };
  },
};

/** Pairs outputs by the cells that they have; says why when they are not a head of strides 8, 16, 32, …. */
function levelsOf(outputs: readonly TensorSpec[], width: number, height: number): Level[] | string {
  const count = outputs.length / 2;
  if (!Number.isInteger(count) || count < 3 || count > 5) return 'not two outputs for each of three to five strides';
  const levels: Level[] = [];
  for (let l = 0; l < count; l++) {
    const stride = 8 << l;
    const grid = gridOf(stride, width, height);
    const cells = grid.columns * grid.rows;
    const scores = outputs[l]!;
    const boxes = outputs[count + l]!;
    for (const [output, size] of [
      [scores, sizeAt(outputs[0], 2)],
      [boxes, sizeAt(outputs[count], 2)],
    ] as const) {
      if (!size || !fits(output, 'float32', [undefined, cells, size])) {
        return `output ${output.name} is not float32 [N,${cells},${size ?? '?'}] (stride ${stride})`;
      }
    }
    if (sizeAt(boxes, 2)! % 4 !== 0) return `output ${boxes.name} does not hold four distributions a cell`;
    levels.push({ stride, ...grid, scores: scores.name, boxes: boxes.name });
  }
  return levels;
}

function decodeLevel(
  found: Candidates,
  scores: Float32Array,
  boxes: Float32Array,
  n: number,
  { stride, columns, rows }: Level,
  classes: number,
  bins: number,
  minScore: number,
): void {
  const cells = columns * rows;
  for (let cell = 0; cell < cells; cell++) {
    const at = (n * cells + cell) * classes;
    let box: readonly [number, number, number, number] | undefined;
    for (let c = 0; c < classes; c++) {
      const score = scores[at + c]!;
      if (score < minScore) continue;
      if (!box) {
        const side = (which: number): number =>
          stride * expectation(boxes, ((n * cells + cell) * 4 + which) * bins, bins);
        const x = ((cell % columns) + 0.5) * stride;
        const y = (Math.floor(cell / columns) + 0.5) * stride;
        box = [x - side(0), y - side(1), x + side(2), y + side(3)];
      }
      found.push(box[0], box[1], box[2], box[3], score, c, cell);
    }
  }
}

/** Mean of 0, 1, … under the softmax of `bins` values. */
function expectation(values: Float32Array, at: number, bins: number): number {
  let highest = values[at]!;
  for (let b = 1; b < bins; b++) highest = Math.max(highest, values[at + b]!);
  let sum = 0;
  let weighted = 0;
  for (let b = 0; b < bins; b++) {
    const weight = Math.exp(values[at + b]! - highest);
    sum += weight;
    weighted += weight * b;
  }
  return weighted / sum;
}
