/** The COCO tools work on a grid five times as fine as the pixels (`rleFrPoly` in their `maskApi.c`). */
const SCALE = 5;

/**
 * Runs of a polygon exactly as the COCO tools raster it: its outline is walked on a grid five times as fine, and a
 * pixel belongs to the mask when the outline passes above its centre row once more than not (even-odd along the column).
 *
 * @param xy  `[n, 2]` corners x, y in pixels (0 is the left edge of the first pixel); may lie outside the picture
 * @returns runs of an `[height, width]` mask, which may begin with 0
 * @throws RangeError when `xy` has an odd length or is not finite
 */
export function polygonRuns(xy: ArrayLike<number>, height: number, width: number): Uint32Array {
  if (xy.length % 2) throw new RangeError(`polygon has ${xy.length} numbers; corners come in pairs x, y`);
  const corners = xy.length / 2;
  const fine = new Float64Array(xy.length + 2);
  for (let i = 0; i < xy.length; i++) {
    if (!Number.isFinite(xy[i])) throw new RangeError(`polygon has ${xy[i]} at ${i}; it must be a finite number`);
    fine[i] = Math.trunc(SCALE * xy[i]! + 0.5);
  }
  fine[xy.length] = fine[0]!;
  fine[xy.length + 1] = fine[1]!;

  // Pixels (column-major) before which the outline crosses a column's centre line.
  const crossings: number[] = [];
  let lastX = Number.NaN;
  let lastY = Number.NaN;
  const visit = (x: number, y: number): void => {
    if (x !== lastX && !Number.isNaN(lastX)) {
      const column = (Math.min(x, lastX) + 0.5) / SCALE - 0.5;
      if (Number.isInteger(column) && column >= 0 && column <= width - 1) {
        const row = Math.ceil(Math.min(Math.max((Math.min(y, lastY) + 0.5) / SCALE - 0.5, 0), height));
        crossings.push(column * height + row);
      }
    }
    lastX = x;
    lastY = y;
  };
  for (let i = 0; i < corners; i++) {
    walkEdge(fine[2 * i]!, fine[2 * i + 1]!, fine[2 * i + 2]!, fine[2 * i + 3]!, visit);
  }
  return runsBetween(crossings, height * width);
}

/** Points of an edge from start to end, one per step of its longer axis; always rounded from the same end. */
function walkEdge(xs: number, ys: number, xe: number, ye: number, visit: (x: number, y: number) => void): void {
  const dx = Math.abs(xe - xs);
  const dy = Math.abs(ye - ys);
  if (dx === 0 && dy === 0) {
    visit(xs, ys);
    return;
  }
  const flip = dx >= dy ? xs > xe : ys > ye;
  const [x0, y0, x1, y1] = flip ? [xe, ye, xs, ys] : [xs, ys, xe, ye];
  if (dx >= dy) {
    const slope = (y1 - y0) / dx;
    for (let d = 0; d <= dx; d++) {
      const t = flip ? dx - d : d;
      visit(t + x0, Math.trunc(y0 + slope * t + 0.5));
    }
  } else {
    const slope = (x1 - x0) / dy;
    for (let d = 0; d <= dy; d++) {
      const t = flip ? dy - d : d;
      visit(Math.trunc(x0 + slope * t + 0.5), t + y0);
    }
  }
}

/** Runs that change at each crossing; two crossings at one place cancel out. */
function runsBetween(crossings: number[], pixels: number): Uint32Array {
  const ends = Float64Array.from([...crossings, pixels]).sort();
  const runs = new Uint32Array(ends.length);
  let n = 0;
  let last = 0;
  for (let j = 0; j < ends.length; j++) {
    const length = ends[j]! - last;
    last = ends[j]!;
    if (length > 0 || n === 0) {
      runs[n++] = length;
      continue;
    }
    if (++j < ends.length) {
      runs[n - 1]! += ends[j]! - last;
      last = ends[j]!;
    }
  }
  return runs.subarray(0, n);
}
