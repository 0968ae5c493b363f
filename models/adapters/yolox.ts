import type { Adapter, AdapterFamily, FrameInstances } from './adapter.js';
import { Candidates, place, suppress } from './candidates.js';
import { namesOf } from './coco-labels.js';
import { BGR_BYTES, planeWriter } from './planes.js';
import { fits, floats, gridOf, pictureInput, sizeAt } from './shape.js';

const MAX_IOU = 0.65;

/**
 * YOLOX with its raw head (Megvii's export): BGR bytes, letterboxed to the top left on grey 114; output `[N, cells, 5 + C]`
 * over the cells of strides 8, 16, 32 (64): x, y relative to the cell, log of w, h, objectness, class scores (sigmoid already).
 */
export const yolox: AdapterFamily = {
  name: 'yolox',
  expects: 'one input float32 [N,3,H,W]; one output float32 [N,cells of strides 8, 16, 32,5+classes]',
  match(signature, { minScore, labels: said }): Adapter | string {
    const input = pictureInput(signature);
    if (typeof input === 'string') return input;
    const [output, ...others] = signature.outputs;
    const height = sizeAt(input, 2);
    const width = sizeAt(input, 3);
    const columns = sizeAt(output, 2);
    if (!output || others.length > 0 || signature.inputs.length > 1) return 'not one input and one output';
    if (!height || !width) return 'height and width of the input are not fixed';
    if (!fits(output, 'float32', [undefined, undefined, undefined]))
      return `output ${output.name} is not float32 [N,cells,5+C]`;
    const strides = stridesFor(sizeAt(output, 1), width, height);
    if (!strides || !columns || columns < 6) return `output ${output.name} has not the cells of strides 8, 16, 32`;
    const classes = columns - 5;
    const labels = namesOf(classes, said, undefined);
    if (typeof labels === 'string') return labels;
    const fixedBatch = sizeAt(input, 0);
    const write = planeWriter({ width, height }, BGR_BYTES, fixedBatch);
    return {
      name: 'yolox',
      labels,
      input: { width, height, fit: 'letterbox-top-left', fill: 114 },
      fixedBatch,
      masks: false,
      makeFeeds: (frames) => ({ [input.name]: write(frames) }),
      decode(outputs, frames): FrameInstances[] {
        const { data } = floats(outputs, output.name);
        return frames.map((frame, n) => {
          const found = decodeCells(data, n, { width, height, strides, classes, minScore });
          return place(found, suppress(found, MAX_IOU), frame);
        });
      },
    };
  },
};

function stridesFor(cells: number | undefined, width: number, height: number): readonly number[] | undefined {
  return [
    [8, 16, 32],
    [8, 16, 32, 64],
  ].find((strides) => cells === cellsOf(strides, width, height));
}

function cellsOf(strides: readonly number[], width: number, height: number): number {
  return strides.reduce((sum, stride) => {
    const { columns, rows } = gridOf(stride, width, height);
    return sum + columns * rows;
  }, 0);
}

interface Head {
  readonly width: number;
  readonly height: number;
  readonly strides: readonly number[];
  readonly classes: number;
  readonly minScore: number;
}

/** Cells of picture `n` whose best class scores `minScore` or more; as in YOLOX's own post-processing one class a cell. */
function decodeCells(data: Float32Array, n: number, { width, height, strides, classes, minScore }: Head): Candidates {
  const found = new Candidates();
  const stepLength = 5 + classes;
  let row = 0;
  let at = n * cellsOf(strides, width, height) * stepLength;
  for (const stride of strides) {
    const { columns, rows } = gridOf(stride, width, height);
    for (let y = 0; y < rows; y++) {
      for (let x = 0; x < columns; x++, row++, at += stepLength) {
        const objectness = data[at + 4]!;
        if (objectness < minScore) continue;
        let best = 0;
        let cls = 0;
        for (let c = 0; c < classes; c++) {
          if (data[at + 5 + c]! > best) {
            best = data[at + 5 + c]!;
            cls = c;
          }
        }
        const score = objectness * best;
        if (score < minScore) continue;
        const centreX = (data[at]! + x) * stride;
        const centreY = (data[at + 1]! + y) * stride;
        const halfWidth = (Math.exp(data[at + 2]!) * stride) / 2;
        const halfHeight = (Math.exp(data[at + 3]!) * stride) / 2;
        found.push(
          centreX - halfWidth,
          centreY - halfHeight,
          centreX + halfWidth,
          centreY + halfHeight,
          score,
          cls,
          row,
        );
      }
    }
  }
  return found;
}
