import { writeModel } from '../../models/onnx/encode.js';
import { GraphBuilder, type Value } from '../../models/onnx/graph-builder.js';
import { add, cast, greater, mul, sub } from '../../models/onnx/ops/elementwise.js';
import { concat, indicesAlong, slice, squeeze, unsqueeze } from '../../models/onnx/ops/layout.js';
import type { Size } from '../../operators/types.js';

/** Rows above this carry the number, not the square. */
const FIRST_ROW = 24;

/**
 * Writes a real detector of one thing as an ONNX file: the bright square of `numbered-video.ts`, to the pixel, in the form of
 * our own models. So a test of the whole pipeline needs no trained weights, and knows what must come out.
 */
export async function writeSquareDetector(file: string, { width, height }: Size): Promise<void> {
  const g = new GraphBuilder({
    take: () => {
      throw new Error('this model has no weights');
    },
  });
  const images = g.input('images', 'uint8', ['N', height, width, 3]);
  const red = squeeze(g, slice(g, slice(g, images, 3, 0, 1), 1, FIRST_ROW, height), 3);
  const level = cast(g, red, 'float32');
  const above = (limit: number): Value => cast(g, greater(g, level, g.float(limit)), 'float32');
  const inside = sub(g, above(195), above(235));
  const reduce = (op: 'ReduceMean' | 'ReduceMax', x: Value, axis: number): Value =>
    g.node(
      op,
      [x],
      { axes: [axis], keepdims: 0 },
      { type: 'float32', dims: x.dims.filter((_, index) => index !== axis) },
    );
  /** Lines along `axis` with at least ten bright pixels, as 0 and 1. */
  const lines = (axis: number, length: number): Value =>
    cast(g, greater(g, reduce('ReduceMean', inside, axis), g.float(9.5 / length)), 'float32');
  const columns = lines(1, height - FIRST_ROW);
  const rows = lines(2, width);
  const edge = (x: Value, last: 0 | 1, shift: number): Value => {
    const at = g.node('ArgMax', [x], { axis: 1, keepdims: 0, select_last_index: last }, { type: 'int64', dims: ['N'] });
    return unsqueeze(g, add(g, cast(g, at, 'float32'), g.float(shift)), 1);
  };
  const boxes = concat(
    g,
    [edge(columns, 0, 0), edge(rows, 0, FIRST_ROW), edge(columns, 1, 1), edge(rows, 1, FIRST_ROW + 1)],
    1,
  );
  const scores = mul(g, reduce('ReduceMax', columns, 1), g.float(0.9));
  const labels = cast(g, mul(g, scores, g.float(0)), 'int64');
  const frames = indicesAlong(g, scores, 0);
  const card = {
    schema: 1,
    name: 'square',
    preset: 'test',
    classes: ['person'],
    input: { width, height, channels: 'rgb' },
  };
  await writeModel(file, g.finish('square', { boxes, scores, labels, frames }, { maskcast: JSON.stringify(card) }));
}
