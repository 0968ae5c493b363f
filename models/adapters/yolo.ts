import type { BoxXyxy, InputForm, Placement, Size } from '../../operators/types.js';
import type { Adapter, AdapterFamily, FrameInstances, ModelSignature } from './adapter.js';
import { Candidates, place, suppress } from './candidates.js';
import { namesOf } from './coco-labels.js';
import { type MaskGrid, maskFromGrid } from './mask-grid.js';
import { planeWriter, RGB_UNIT } from './planes.js';
import { fits, floats, gridOf, pictureInput, sizeAt } from './shape.js';

const MAX_IOU = 0.7;
/** Side of the input when the file leaves it open and says nothing in its metadata. */
const USUAL_SIDE = 640;

/**
 * YOLO v8 and 11 as Ultralytics exports them, detection and segmentation: RGB 0…1, letterboxed to the centre on 114. Output
 * `[N, 4 + C (+ K), cells]`: centre x, y, width, height in input pixels, class scores, mask coefficients; with masks a second output
 * `[N, K, mh, mw]` whose maps, weighted by an instance's coefficients, are its mask's logits. Class names and size are read
 * from the metadata `names` and `imgsz`.
 */
export const yolo: AdapterFamily = {
  name: 'yolo',
  expects:
    'one input float32 [N,3,H,W]; outputs float32 [N,4+classes,cells], with masks also [N,4+classes+K,cells] and [N,K,mh,mw]',
  match(signature, { minScore, labels: said }): Adapter | string {
    const input = pictureInput(signature);
    if (typeof input === 'string') return input;
    const { outputs } = signature;
    const rows = outputs.filter((output) => fits(output, 'float32', [undefined, undefined, undefined]));
    const maps = outputs.filter((output) => fits(output, 'float32', [undefined, undefined, undefined, undefined]));
    const [head] = rows;
    const [proto] = maps;
    if (
      signature.inputs.length > 1 ||
      !head ||
      rows.length > 1 ||
      maps.length > 1 ||
      outputs.length > rows.length + maps.length
    ) {
      return 'outputs are not [N,4+C,cells], or that and [N,K,mh,mw]';
    }
    const size = sizeOf(signature, sizeAt(input, 2), sizeAt(input, 3));
    const cells = [8, 16, 32].reduce((sum, stride) => {
      const grid = gridOf(stride, size.width, size.height);
      return sum + grid.columns * grid.rows;
    }, 0);
    if ((sizeAt(head, 2) ?? cells) !== cells)
      return `output ${head.name} has not the ${cells} cells of strides 8, 16, 32`;
    const coefficients = proto ? sizeAt(proto, 1) : 0;
    const inFile = namesIn(signature.metadata.names);
    const channels =
      sizeAt(head, 1) ?? (inFile && coefficients !== undefined ? 4 + inFile.length + coefficients : undefined);
    if (coefficients === undefined || channels === undefined)
      return 'the number of classes is neither in a shape nor in the metadata';
    const classes = channels - 4 - coefficients;
    if (classes < 1) return `output ${head.name} has no room for a class`;
    const labels = namesOf(classes, said, inFile);
    if (typeof labels === 'string') return labels;
    const form: InputForm = { ...size, fit: 'letterbox-center', fill: 114 };
    const fixedBatch = sizeAt(input, 0);
    const write = planeWriter(form, RGB_UNIT, fixedBatch);
    return {
      name: proto ? 'yolo-seg' : 'yolo',
      labels,
      input: form,
      fixedBatch,
      masks: proto !== undefined,
      makeFeeds: (frames) => ({ [input.name]: write(frames) }),
      decode(tensors, frames): FrameInstances[] {
        const { data, dims } = floats(tensors, head.name);
        if (dims[1] !== channels || dims[2] !== cells)
          throw new Error(`output ${head.name} is [${dims}]; [N,${channels},${cells}] was expected`);
        const masks = proto && floats(tensors, proto.name);
        return frames.map((frame, n) => {
          const at = n * channels * cells;
          const found = decodeColumns(data.subarray(at, at + channels * cells), cells, classes, minScore);
          const chosen = suppress(found, MAX_IOU);
          if (!masks) return place(found, chosen, frame);
          const logits = maskLogits(masks, n, form, (row, k) => data[at + (4 + classes + k) * cells + row]!);
          return place(found, chosen, frame, (row, box) =>
            maskFromGrid(logits(row, toInput(box, frame.placement)), box, frame, form),
          );
        });
      },
    };
  },
};

/** Cells scoring `minScore` or more, the best class of each, as Ultralytics' own post-processing. */
function decodeColumns(data: Float32Array, cells: number, classes: number, minScore: number): Candidates {
  const found = new Candidates();
  const best = new Float32Array(cells);
  const bestClass = new Uint16Array(cells);
  // Class by class, since the scores of one class lie side by side.
  for (let c = 0; c < classes; c++) {
    const at = (4 + c) * cells;
    for (let i = 0; i < cells; i++) {
      if (data[at + i]! > best[i]!) {
        best[i] = data[at + i]!;
        bestClass[i] = c;
      }
    }
  }
  for (let i = 0; i < cells; i++) {
    if (best[i]! < minScore || best[i] === 0) continue;
    const x = data[i]!;
    const y = data[cells + i]!;
    const halfWidth = data[2 * cells + i]! / 2;
    const halfHeight = data[3 * cells + i]! / 2;
    found.push(x - halfWidth, y - halfHeight, x + halfWidth, y + halfHeight, best[i]!, bestClass[i]!, i);
  }
  return found;
}

/**
 * Mask logits of an instance, positive inside. Only the cells around its box (input pixels) are worked out: over the whole
 * map hundreds of small instances would cost more than the network.
 */
function maskLogits(
  { data, dims }: { readonly data: Float32Array; readonly dims: readonly number[] },
  n: number,
  input: Size,
  coefficient: (row: number, k: number) => number,
): (row: number, box: BoxXyxy) => MaskGrid {
  const [, count = 0, rows = 0, columns = 0] = dims;
  const values = new Float32Array(rows * columns);
  const cellWidth = input.width / columns;
  const cellHeight = input.height / rows;
  return (row, [x1, y1, x2, y2]) => {
    const left = Math.max(0, Math.floor(x1 / cellWidth) - 1);
    const right = Math.min(columns, Math.ceil(x2 / cellWidth) + 1);
    const top = Math.max(0, Math.floor(y1 / cellHeight) - 1);
    const bottom = Math.min(rows, Math.ceil(y2 / cellHeight) + 1);
    values.fill(0);
    for (let k = 0; k < count; k++) {
      const weight = coefficient(row, k);
      const at = (n * count + k) * rows * columns;
      for (let y = top; y < bottom; y++) {
        for (let i = y * columns + left; i < y * columns + right; i++) values[i]! += weight * data[at + i]!;
      }
    }
    return { values, columns, rows, threshold: 0 };
  };
}

/** Source pixels to pixels of the input. */
function toInput(box: BoxXyxy, { scaleX, scaleY, offsetX, offsetY }: Placement): BoxXyxy {
  return [box[0] * scaleX + offsetX, box[1] * scaleY + offsetY, box[2] * scaleX + offsetX, box[3] * scaleY + offsetY];
}

/** Names of `{0: 'person', 1: "traffic light"}`, the Python dictionary in the exporter's metadata. */
export function namesIn(text: string | undefined): string[] | undefined {
  const names: string[] = [];
  for (const [, index, quoted = '', double = ''] of (text ?? '').matchAll(
    /(\d+):\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")/g,
  )) {
    if (Number(index) !== names.length) return undefined;
    names.push((quoted || double).replace(/\\(.)/g, '$1'));
  }
  return names.length > 0 ? names : undefined;
}

function sizeOf(
  { metadata }: ModelSignature,
  height: number | undefined,
  width: number | undefined,
): Pick<InputForm, 'width' | 'height'> {
  const [, high, wide] = /^\[(\d+),\s*(\d+)\]$/.exec(metadata.imgsz ?? '') ?? [];
  return { height: height ?? Number(high ?? USUAL_SIDE), width: width ?? Number(wide ?? USUAL_SIDE) };
}
