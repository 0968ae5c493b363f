import type { BoxXyxy } from '../types.js';

/** Boxes sorted by their left side, to look at those near a place only. */
export interface BoxIndex {
  /** For each place in `boxes` the index of the box in the list that was given. */
  readonly order: readonly number[];
  /** `[n, 4]`, ascending by left side. */
  readonly boxes: Float64Array;
  readonly widest: number;
}

export function indexBoxes(list: readonly BoxXyxy[]): BoxIndex {
  const lefts = Float64Array.from(list, (box) => box[0]);
  const order = list.map((_, index) => index).sort((a, b) => lefts[a]! - lefts[b]!);
  const boxes = new Float64Array(4 * list.length);
  let widest = 0;
  for (let place = 0; place < order.length; place++) {
    const box = list[order[place]!]!;
    for (let side = 0; side < 4; side++) boxes[4 * place + side] = box[side]!;
    widest = Math.max(widest, box[2] - box[0]);
  }
  return { order, boxes, widest };
}

/**
 * First place whose box may reach to the right of `x`; those that begin left of it are all too far left.
 *
 * @param grown  boxes are thought wider by this share of their width on each side
 */
export function firstReaching({ boxes, widest }: BoxIndex, x: number, grown = 0): number {
  const from = x - widest * (1 + grown);
  let low = 0;
  let high = boxes.length / 4;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (boxes[4 * middle]! < from) low = middle + 1;
    else high = middle;
  }
  return low;
}
