import type { Adapter, AdapterFamily, FrameInstances } from './adapter.js';
import { byScore, Candidates, place } from './candidates.js';
import { namesOf } from './coco-labels.js';
import { planeWriter, RGB_IMAGENET } from './planes.js';
import { fits, floats, integers, pictureInput, sizeAt } from './shape.js';

/** Classes of COCO; the outputs do not tell how many there are. */
const USUAL_CLASSES = 80;

/**
 * PicoDet with its post-processing, as PaddleDetection exports it: `image` as for `picodet`, `scale_factor` `[N, 2]` by which
 * the graph divides its boxes; output rows class, score, x1, y1, x2, y2 after NMS, all pictures one after another, and the
 * number of rows of each picture.
 */
export const picodetNms: AdapterFamily = {
  name: 'picodet-nms',
  expects: 'inputs image float32 [N,3,H,W] and scale_factor float32 [N,2]; outputs float32 [rows,6] and int32 [N]',
  match(signature, { minScore, labels: said }): Adapter | string {
    const input = pictureInput(signature);
    if (typeof input === 'string') return input;
    const scale = signature.inputs.find(({ name }) => name === 'scale_factor');
    if (!fits(scale, 'float32', [undefined, 2]) || signature.inputs.length !== 2)
      return 'no second input scale_factor float32 [N,2]';
    const height = sizeAt(input, 2);
    const width = sizeAt(input, 3);
    if (!height || !width) return 'height and width of the input are not fixed';
    const rows = signature.outputs.find((output) => fits(output, 'float32', [undefined, 6]));
    const counts = signature.outputs.find(
      (output) => fits(output, 'int32', [undefined]) || fits(output, 'int64', [undefined]),
    );
    if (!rows || !counts || signature.outputs.length !== 2) return 'outputs are not float32 [rows,6] and int32 [N]';
    const labels = namesOf(said?.length ?? USUAL_CLASSES, said, undefined);
    if (typeof labels === 'string') return labels;
    const fixedBatch = sizeAt(input, 0);
    const write = planeWriter({ width, height }, RGB_IMAGENET, fixedBatch);
    return {
      name: 'picodet-nms',
      labels,
      input: { width, height, fit: 'stretch', fill: 0 },
      fixedBatch,
      masks: false,
      makeFeeds(frames) {
        const picture = write(frames);
        const batch = picture.dims[0]!;
        // With 1 the boxes stay in pixels of the input, and our own placement takes them to the source.
        const ones = new Float32Array(2 * batch).fill(1);
        return { [input.name]: picture, scale_factor: { type: 'float32', data: ones, dims: [batch, 2] } };
      },
      decode(outputs, frames): FrameInstances[] {
        const { data } = floats(outputs, rows.name);
        const perFrame = integers(outputs, counts.name);
        let row = 0;
        return frames.map((frame, n) => {
          const found = new Candidates();
          for (const end = row + perFrame[n]!; row < end; row++) {
            const [cls = -1, score = 0, x1 = 0, y1 = 0, x2 = 0, y2 = 0] = data.subarray(6 * row, 6 * row + 6);
            // Class -1 is the exporter's way to say that there is nothing.
            if (cls >= 0 && score >= minScore) found.push(x1, y1, x2, y2, score, cls, row);
          }
          return place(found, byScore(found), frame);
        });
      },
    };
  },
};
