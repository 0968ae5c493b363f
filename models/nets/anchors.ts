/**
 * Anchors of an RPN on one map, row by row, position by position; at each position every size with every ratio, sizes
 * outermost. Centred on the position's corner `(column · stride, row · stride)`, as Detectron2 places them.
 *
 * @param sizes   side lengths of the squares, px
 * @param ratios  height / width, area kept
 * @returns `[rows · columns · sizes · ratios, 4]` x1 y1 x2 y2, px
 */
export function makeAnchors(
  { rows, columns, stride }: { readonly rows: number; readonly columns: number; readonly stride: number },
  sizes: readonly number[],
  ratios: readonly number[],
): Float32Array {
  const shapes = sizes.flatMap((size) =>
    ratios.map((ratio) => [size / Math.sqrt(ratio) / 2, (size * Math.sqrt(ratio)) / 2] as const),
  );
  const anchors = new Float32Array(rows * columns * shapes.length * 4);
  let at = 0;
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const x = column * stride;
      const y = row * stride;
      for (const [halfWidth, halfHeight] of shapes) {
        anchors.set([x - halfWidth, y - halfHeight, x + halfWidth, y + halfHeight], at);
        at += 4;
      }
    }
  }
  return anchors;
}
