import { pasteMask } from '../../operators/masks/paste.js';
import type { InputForm } from '../../operators/types.js';
import type { Adapter, AdapterFamily, FrameInstances, TensorSpec } from './adapter.js';
import { byScore, Candidates, place } from './candidates.js';
import { fits, floats, integers, sizeAt } from './shape.js';

/** Key of the model card among an ONNX file's metadata. */
export const CARD_KEY = 'maskcast';

/**
 * Our own files: `images` uint8 `[N, H, W, 3]` rgb24 as it comes (normalisation and NMS are in the graph); the instances of
 * all frames in `boxes` `[M, 4]` (input pixels), `scores`, `labels`, `frames` (row of the batch), and perhaps `masks` `[M, 28, 28]`
 * (probabilities over the box). The model card in the metadata names the classes and the fit.
 */
export const maskcast: AdapterFamily = {
  name: 'maskcast',
  expects:
    'input images uint8 [N,H,W,3]; outputs boxes float32 [M,4], scores float32 [M], labels and frames int32 or int64 [M], perhaps masks float32 [M,h,w]; metadata maskcast (model card)',
  match(signature, { minScore, labels: said }): Adapter | string {
    const [input, ...more] = signature.inputs;
    if (!input || more.length > 0 || !fits(input, 'uint8', [undefined, undefined, undefined, 3]))
      return 'no single input uint8 [N,H,W,3]';
    const height = sizeAt(input, 1);
    const width = sizeAt(input, 2);
    if (!height || !width) return 'height and width of the input are not fixed';
    const output = (name: string): TensorSpec | undefined => signature.outputs.find((one) => one.name === name);
    const wholes = (name: string): boolean =>
      fits(output(name), 'int64', [undefined]) || fits(output(name), 'int32', [undefined]);
    if (
      !fits(output('boxes'), 'float32', [undefined, 4]) ||
      !fits(output('scores'), 'float32', [undefined]) ||
      !wholes('labels') ||
      !wholes('frames')
    ) {
      return 'outputs are not boxes, scores, labels and frames';
    }
    const masks = output('masks');
    if (masks && !fits(masks, 'float32', [undefined, undefined, undefined]))
      return 'output masks is not float32 [M,h,w]';
    const card = readCard(signature.metadata[CARD_KEY]);
    if (typeof card === 'string') return card;
    const labels = said ?? card.classes;
    if (labels.length !== card.classes.length)
      return `${labels.length} class names were given, but the model has ${card.classes.length} classes`;
    const fixedBatch = sizeAt(input, 0);
    const bytes = width * height * 3;
    let buffer = new Uint8Array(0);
    return {
      name: 'maskcast',
      labels,
      input: { width, height, fit: card.fit, fill: card.fill },
      fixedBatch,
      masks: masks !== undefined,
      makeFeeds(frames) {
        const batch = fixedBatch ?? frames.length;
        if (buffer.length < batch * bytes) buffer = new Uint8Array(batch * bytes);
        for (let n = 0; n < batch; n++) {
          const { pixels } = frames[Math.min(n, frames.length - 1)]!;
          if (pixels.length !== bytes)
            throw new RangeError(
              `frame has ${pixels.length} bytes; the model takes ${width}x${height} rgb24: ${bytes}`,
            );
          buffer.set(pixels, n * bytes);
        }
        return {
          [input.name]: { type: 'uint8', data: buffer.subarray(0, batch * bytes), dims: [batch, height, width, 3] },
        };
      },
      decode(outputs, frames): FrameInstances[] {
        const boxes = floats(outputs, 'boxes').data;
        const scores = floats(outputs, 'scores').data;
        const classes = integers(outputs, 'labels');
        const rows = integers(outputs, 'frames');
        const maps = masks && floats(outputs, 'masks');
        const [, mh = 0, mw = 0] = maps?.dims ?? [];
        const found = frames.map(() => new Candidates());
        for (let i = 0; i < scores.length; i++) {
          // Rows past the frames are the repetitions that fill up a fixed batch.
          if (scores[i]! < minScore) continue;
          found[rows[i]!]?.push(
            boxes[4 * i]!,
            boxes[4 * i + 1]!,
            boxes[4 * i + 2]!,
            boxes[4 * i + 3]!,
            scores[i]!,
            classes[i]!,
            i,
          );
        }
        return frames.map((frame, n) => {
          const of = found[n]!;
          if (!maps) return place(of, byScore(of), frame);
          return place(of, byScore(of), frame, (row, box) =>
            pasteMask(maps.data.subarray(row * mh * mw, (row + 1) * mh * mw), mh, mw, box, frame.source),
          );
        });
      },
    };
  },
};

type Card = Pick<InputForm, 'fit' | 'fill'> & { readonly classes: readonly string[] };

/** What the adapter needs of the model card, or what is wrong with it. The label of an instance is its place in `classes`. */
function readCard(text: string | undefined): Card | string {
  if (text === undefined) return `no model card (metadata ${CARD_KEY})`;
  let card: unknown;
  try {
    card = JSON.parse(text);
  } catch {
    return 'the model card is no JSON';
  }
  if (typeof card !== 'object' || card === null || !('classes' in card)) return 'the model card names no classes';
  const { classes } = card;
  if (!Array.isArray(classes) || classes.length === 0 || !classes.every((name) => typeof name === 'string')) {
    return 'classes of the model card is no list of names';
  }
  const input: { fit?: unknown; fill?: unknown } =
    'input' in card && typeof card.input === 'object' && card.input !== null ? card.input : {};
  const { fit = 'letterbox-top-left', fill = 114 } = input;
  if (fit !== 'stretch' && fit !== 'letterbox-top-left' && fit !== 'letterbox-center')
    return `input.fit of the model card is ${JSON.stringify(fit)}`;
  if (typeof fill !== 'number') return 'input.fill of the model card is no number';
  return { classes, fit, fill };
}
