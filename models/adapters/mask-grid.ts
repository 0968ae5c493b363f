import { encodeRle } from '../../operators/masks/rle.js';
import type { BoxXyxy, MaskRle, Placement, Size } from '../../operators/types.js';

/** Values over the whole model input, `[rows, columns]` row-major; a pixel belongs to the mask where they exceed `threshold`. */
export interface MaskGrid {
  readonly values: Float32Array;
  readonly columns: number;
  readonly rows: number;
  readonly threshold: number;
}

/**
 * Brings a grid over the model's input to source pixels inside a box. Bilinear between the centres of the grid's cells,
 * the outermost cells go on to the edge (as `interpolate(align_corners=False)` in the exporters' own code), then cut at the box.
 *
 * @param box  source pixels; pixels whose centre lies outside it are left out
 * @returns undefined when no pixel belongs to the mask
 */
export function maskFromGrid(
  { values, columns, rows, threshold }: MaskGrid,
  box: BoxXyxy,
  { placement, source }: { readonly placement: Placement; readonly source: Size },
  input: Size,
): MaskRle | undefined {
  const left = Math.max(0, Math.ceil(box[0] - 0.5));
  const top = Math.max(0, Math.ceil(box[1] - 0.5));
  const width = Math.min(source.width - 1, Math.floor(box[2] - 0.5)) - left + 1;
  const height = Math.min(source.height - 1, Math.floor(box[3] - 0.5)) - top + 1;
  if (!(width > 0 && height > 0)) return undefined;
  const across = samples(left, width, placement.scaleX, placement.offsetX, columns / input.width, columns);
  const down = samples(top, height, placement.scaleY, placement.offsetY, rows / input.height, rows);
  const bits = new Uint8Array(width * height);
  let any = false;
  for (let y = 0; y < height; y++) {
    const upper = Math.floor(down[y]!) * columns;
    const lower = Math.min(Math.floor(down[y]!) + 1, rows - 1) * columns;
    const partY = down[y]! - Math.floor(down[y]!);
    for (let x = 0; x < width; x++) {
      const first = Math.floor(across[x]!);
      const second = Math.min(first + 1, columns - 1);
      const partX = across[x]! - first;
      const above = values[upper + first]! * (1 - partX) + values[upper + second]! * partX;
      const below = values[lower + first]! * (1 - partX) + values[lower + second]! * partX;
      if (above * (1 - partY) + below * partY > threshold) {
        bits[y * width + x] = 1;
        any = true;
      }
    }
  }
  return any ? { size: [height, width], origin: [left, top], counts: encodeRle(bits, height, width) } : undefined;
}

/** Where the centres of source pixels lie among the cells of a grid (their centres at whole numbers). */
function samples(
  first: number,
  count: number,
  scale: number,
  offset: number,
  cellsPerPixel: number,
  cells: number,
): Float64Array {
  return Float64Array.from({ length: count }, (_, i) => {
    const input = (first + i + 0.5) * scale + offset;
    return Math.min(Math.max(input * cellsPerPixel - 0.5, 0), cells - 1);
  });
}
