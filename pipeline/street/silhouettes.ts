import { encodeRle } from '../../operators/masks/rle.js';
import type { BoxXyxy, MaskRle } from '../../operators/types.js';
import type { Camera } from './camera.js';
import type { FigureAt } from './figures.js';
import type { Mesh } from './mesh.js';
import type { StreetClass } from './plan.js';
import { type DepthGrid, drawMesh } from './raster.js';

/** What can be seen of a figure in one picture. */
export interface SeenFigure {
  readonly id: number;
  readonly label: StreetClass;
  /** Smallest box round the mask, pixels. */
  readonly box: BoxXyxy;
  /** Pixels that are this figure for at least half, cropped to the box. Masks of one picture never share a pixel. */
  readonly mask: MaskRle;
  /** Pixels of the mask. */
  readonly area: number;
  /** Pixels that it would have within the picture with nothing before it. */
  readonly fullArea: number;
  /** True where the picture's edge cuts it off. */
  readonly cut: boolean;
}

/**
 * Masks of the figures of a picture from the grid that says whose each point is.
 *
 * @param present  figures from the farthest to the nearest
 * @param ids      figure of every point, 0 for none
 * @param scratch  a grid of zeros, left as zeros
 * @param samples  points along each side of a pixel
 */
export function silhouettes(
  present: readonly (FigureAt & { readonly body: Mesh })[],
  ids: Uint16Array,
  camera: Camera,
  scratch: DepthGrid,
  samples: number,
): SeenFigure[] {
  const seen: SeenFigure[] = [];
  const half = (samples * samples) / 2;
  const { width } = camera;
  const ranks = new Map(present.map(({ figure }, rank) => [figure.id, rank]));
  for (const [rank, { figure, place, body }] of present.entries()) {
    const touched = drawMesh(scratch, camera, body, place, undefined);
    if (touched.x2 <= touched.x1) continue;
    const left = Math.floor(touched.x1 / samples);
    const top = Math.floor(touched.y1 / samples);
    const columns = Math.ceil(touched.x2 / samples) - left;
    const rows = Math.ceil(touched.y2 / samples) - top;
    const bits = new Uint8Array(columns * rows);
    let fullArea = 0;
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        const first = (top + row) * samples * width + (left + column) * samples;
        let full = 0;
        let own = 0;
        let rival = 0;
        let rivalPoints = 0;
        for (let p = 0; p < samples * samples; p++) {
          const index = first + Math.floor(p / samples) * width + (p % samples);
          if (scratch.nearness[index]! > 0) full++;
          const id = ids[index]!;
          if (id === figure.id) own++;
          else if (id !== 0) {
            rival = id;
            rivalPoints++;
          }
        }
        if (full >= half) fullArea++;
        // Half and half: the pixel goes to the nearer one, so that no two masks share it.
        if (own >= half && (own > half || rivalPoints < half || rank > ranks.get(rival)!))
          bits[row * columns + column] = 1;
      }
    }
    for (let row = touched.y1; row < touched.y2; row++) {
      scratch.nearness.fill(0, row * width + touched.x1, row * width + touched.x2);
    }
    const found = crop(bits, columns, rows, left, top);
    if (!found) continue;
    const [x1, y1, x2, y2] = found.box;
    const cut = x1 <= 0 || y1 <= 0 || x2 >= camera.width / samples || y2 >= camera.height / samples;
    seen.push({ id: figure.id, label: figure.label, ...found, fullArea, cut });
  }
  return seen;
}

/** The set bits cut out to their box. */
function crop(
  bits: Uint8Array,
  columns: number,
  rows: number,
  left: number,
  top: number,
): Pick<SeenFigure, 'box' | 'mask' | 'area'> | undefined {
  let [x1, y1, x2, y2, area] = [columns, rows, 0, 0, 0];
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      if (!bits[row * columns + column]) continue;
      area++;
      x1 = Math.min(x1, column);
      x2 = Math.max(x2, column + 1);
      y1 = Math.min(y1, row);
      y2 = Math.max(y2, row + 1);
    }
  }
  if (area === 0) return undefined;
  const [w, h] = [x2 - x1, y2 - y1];
  const cropped = new Uint8Array(w * h);
  for (let row = 0; row < h; row++)
    cropped.set(bits.subarray((y1 + row) * columns + x1, (y1 + row) * columns + x2), row * w);
  return {
    area,
    box: [left + x1, top + y1, left + x2, top + y2],
    mask: { size: [h, w], origin: [left + x1, top + y1], counts: encodeRle(cropped, h, w) },
  };
}
