/**
 * Outlines of a mask along the edges of its pixels, for drawing: filled by the even-odd rule they give back exactly
 * the mask. Pixels that touch only at a corner belong to different outlines; holes have outlines of their own, which
 * run the other way round.
 *
 * @param bits  `[h, w]` row-major; 0 is background
 * @returns one `[n, 2]` list of corners x, y per outline, x in 0…w, y in 0…h, not repeating the first corner
 * @throws RangeError when `bits` is not `h · w` long
 */
export function maskContours(bits: Uint8Array, h: number, w: number): Int32Array[] {
  if (bits.length !== h * w) throw new RangeError(`mask has ${bits.length} bits; ${h} rows of ${w} need ${h * w}`);
  const inside = (x: number, y: number): boolean => x >= 0 && x < w && y >= 0 && y < h && bits[y * w + x] !== 0;
  // Every outline, a hole's too, has a top edge of a pixel in it; each top edge is walked once, to the right.
  const walked = new Uint8Array(h * w);
  const outlines: Int32Array[] = [];
  for (let y = 0; y < h; y++) {
    for (let x = 0; x < w; x++) {
      const at = y * w + x;
      if (!bits[at] || walked[at] || (y > 0 && bits[at - w])) continue;
      outlines.push(
        walk(x, y, inside, (px, py) => {
          walked[py * w + px] = 1;
        }),
      );
    }
  }
  return outlines;
}

/** Step of each direction: right, down, left, up. */
const STEP_X = [1, 0, -1, 0] as const;
const STEP_Y = [0, 1, 0, -1] as const;
/** The pixel on the right hand of an edge that leaves corner (x, y), and the one on its left hand. */
const RIGHT_X = [0, -1, -1, 0] as const;
const RIGHT_Y = [0, 0, -1, -1] as const;
const LEFT_X = [0, 0, -1, -1] as const;
const LEFT_Y = [-1, 0, 0, -1] as const;

/** Walks one outline with the mask on the right hand, from the top edge of pixel (startX, startY). */
function walk(
  startX: number,
  startY: number,
  inside: (x: number, y: number) => boolean,
  seeTop: (x: number, y: number) => void,
): Int32Array {
  const corners: number[] = [];
  let [x, y, direction] = [startX, startY, 0];
  do {
    if (direction === 0) seeTop(x, y);
    x += STEP_X[direction]!;
    y += STEP_Y[direction]!;
    let next = direction;
    if (!inside(x + RIGHT_X[direction]!, y + RIGHT_Y[direction]!)) next = (direction + 1) % 4;
    else if (inside(x + LEFT_X[direction]!, y + LEFT_Y[direction]!)) next = (direction + 3) % 4;
    if (next !== direction) corners.push(x, y);
    direction = next;
  } while (x !== startX || y !== startY || direction !== 0);
  return Int32Array.from(corners);
}
