import type { MaskRle } from '../../operators/types.js';
import type { FrameInstances, ModelFrame } from './adapter.js';

/** Boxes found in one frame, still in pixels of the model's input, on flat growing arrays (no object in the loop). */
export class Candidates {
  count = 0;
  /** `[count, 4]` x1 y1 x2 y2, input pixels. */
  boxes = new Float32Array(4 * 256);
  scores = new Float32Array(256);
  classes = new Uint16Array(256);
  /** Where in the model's output the candidate came from; what an adapter needs to find its mask. */
  rows = new Uint32Array(256);

  push(x1: number, y1: number, x2: number, y2: number, score: number, cls: number, row: number): void {
    const i = this.count++;
    if (i === this.scores.length) this.#grow();
    this.boxes[4 * i] = x1;
    this.boxes[4 * i + 1] = y1;
    this.boxes[4 * i + 2] = x2;
    this.boxes[4 * i + 3] = y2;
    this.scores[i] = score;
    this.classes[i] = cls;
    this.rows[i] = row;
  }

  #grow(): void {
    const length = 2 * this.scores.length;
    const { boxes, scores, classes, rows } = this;
    this.boxes = new Float32Array(4 * length);
    this.scores = new Float32Array(length);
    this.classes = new Uint16Array(length);
    this.rows = new Uint32Array(length);
    this.boxes.set(boxes);
    this.scores.set(scores);
    this.classes.set(classes);
    this.rows.set(rows);
  }
}

/** Most instances of one frame; COCO's own limit is 100. */
export const MAX_INSTANCES = 300;
/** Only so many of the best are looked at: at a tiny `minScore` there may be tens of thousands. */
const MAX_CONSIDERED = 4096;

/** Indices of the candidates, best score first; equal scores keep their order. */
export function byScore({ count, scores }: Candidates, most = MAX_INSTANCES): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  order.sort((a, b) => scores[b]! - scores[a]! || a - b);
  return order.subarray(0, most);
}

/**
 * Greedy non-maximum suppression inside each class.
 *
 * @param maxIou  a candidate goes when a better one of its class overlaps it by more than this
 * @returns indices of those that stay, best score first; no two of one class overlap by more than `maxIou`
 */
export function suppress(candidates: Candidates, maxIou: number, most = MAX_INSTANCES): Uint32Array {
  const { boxes, classes } = candidates;
  const order = byScore(candidates, MAX_CONSIDERED);
  const kept = new Uint32Array(Math.min(order.length, most));
  let count = 0;
  for (let o = 0; o < order.length && count < most; o++) {
    const i = order[o]!;
    let stays = true;
    for (let k = 0; k < count && stays; k++) {
      const j = kept[k]!;
      stays = classes[i] !== classes[j] || overlap(boxes, 4 * i, 4 * j) <= maxIou;
    }
    if (stays) kept[count++] = i;
  }
  return kept.subarray(0, count);
}

/** IoU of the boxes at `a` and `b`; 0 for two empty ones. */
function overlap(boxes: Float32Array, a: number, b: number): number {
  const width = Math.min(boxes[a + 2]!, boxes[b + 2]!) - Math.max(boxes[a]!, boxes[b]!);
  const height = Math.min(boxes[a + 3]!, boxes[b + 3]!) - Math.max(boxes[a + 1]!, boxes[b + 1]!);
  if (width <= 0 || height <= 0) return 0;
  const both = width * height;
  return both / (area(boxes, a) + area(boxes, b) - both);
}

function area(boxes: Float32Array, at: number): number {
  return (boxes[at + 2]! - boxes[at]!) * (boxes[at + 3]! - boxes[at + 1]!);
}

/**
 * Mask of a chosen candidate.
 *
 * @param row  where it came from, as it was pushed
 * @param box  `[x1, y1, x2, y2]` in source pixels, not clipped
 */
export type MaskOf = (row: number, box: readonly [number, number, number, number]) => MaskRle | undefined;

/**
 * Takes the chosen candidates to source pixels and clips them to the frame; boxes of which nothing is left go.
 *
 * @param chosen  indices of candidates, best first
 */
export function place(
  candidates: Candidates,
  chosen: Uint32Array,
  { placement, source }: Pick<ModelFrame, 'placement' | 'source'>,
  maskOf?: MaskOf,
): FrameInstances {
  const boxes = new Float32Array(4 * chosen.length);
  const scores = new Float32Array(chosen.length);
  const classes = new Uint16Array(chosen.length);
  const masks: (MaskRle | undefined)[] = [];
  let count = 0;
  for (const i of chosen) {
    const x1 = (candidates.boxes[4 * i]! - placement.offsetX) / placement.scaleX;
    const y1 = (candidates.boxes[4 * i + 1]! - placement.offsetY) / placement.scaleY;
    const x2 = (candidates.boxes[4 * i + 2]! - placement.offsetX) / placement.scaleX;
    const y2 = (candidates.boxes[4 * i + 3]! - placement.offsetY) / placement.scaleY;
    const at = 4 * count;
    boxes[at] = clamp(x1, source.width);
    boxes[at + 1] = clamp(y1, source.height);
    boxes[at + 2] = clamp(x2, source.width);
    boxes[at + 3] = clamp(y2, source.height);
    // Also false when a broken model gave NaN.
    if (!(boxes[at + 2]! > boxes[at]! && boxes[at + 3]! > boxes[at + 1]!)) continue;
    scores[count] = candidates.scores[i]!;
    classes[count] = candidates.classes[i]!;
    if (maskOf) masks.push(maskOf(candidates.rows[i]!, [x1, y1, x2, y2]));
    count++;
  }
  return {
    count,
    boxes: boxes.slice(0, 4 * count),
    scores: scores.slice(0, count),
    classes: classes.slice(0, count),
    ...(maskOf ? { masks } : {}),
  };
}

const clamp = (value: number, high: number): number => Math.min(Math.max(value, 0), high);
