import { maskContours } from '../../operators/masks/contour.js';
import { pasteMask } from '../../operators/masks/paste.js';
import { decodeRle, encodeRle, maskIou, rleArea } from '../../operators/masks/rle.js';
import { maskSpans, spansIou } from '../../operators/masks/spans.js';
import type { BoxXyxy, MaskRle } from '../../operators/types.js';
import { type Bench, interleave, type Variant } from './harness.js';

const FRAME = { width: 1920, height: 1080 };
const MAP = 28;
/** Calls a counted run, so that a run takes far longer than the clock's step. */
const CALLS = 20;

/** A person-like map: an ellipse with a soft edge and limbs of noise, the same on every run. */
function personMap(): Float32Array {
  let seed = 7;
  const noise = (): number => {
    seed = (seed * 1103515245 + 12345) & 0x7fffffff;
    return seed / 0x7fffffff - 0.5;
  };
  return Float32Array.from({ length: MAP * MAP }, (_, i) => {
    const x = (i % MAP) / (MAP - 1) - 0.5;
    const y = Math.floor(i / MAP) / (MAP - 1) - 0.5;
    return 1 / (1 + Math.exp(14 * (Math.hypot(x * 1.2, y) - 0.42) + noise()));
  });
}

/** Pixel by pixel, as the formula says: what `pasteMask` does in a fraction of the steps. */
function pasteEveryPixel(prob: Float32Array, [x1, y1, x2, y2]: BoxXyxy): string {
  const [left, top] = [Math.ceil(x1 - 0.5), Math.ceil(y1 - 0.5)];
  const [width, height] = [Math.floor(x2 - 0.5) - left + 1, Math.floor(y2 - 0.5) - top + 1];
  const at = (r: number, c: number): number => (r < 0 || c < 0 || r >= MAP || c >= MAP ? 0 : prob[r * MAP + c]!);
  const bits = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    const v = ((top + y + 0.5 - y1) / (y2 - y1)) * MAP - 0.5;
    const r = Math.floor(v);
    for (let x = 0; x < width; x++) {
      const u = ((left + x + 0.5 - x1) / (x2 - x1)) * MAP - 0.5;
      const c = Math.floor(u);
      const upper = at(r, c) * (1 - u + c) + at(r, c + 1) * (u - c);
      const lower = at(r + 1, c) * (1 - u + c) + at(r + 1, c + 1) * (u - c);
      bits[y * width + x] = upper * (1 - v + r) + lower * (v - r) >= 0.5 ? 1 : 0;
    }
  }
  return encodeRle(bits, height, width);
}

/** IoU by decoding both and comparing the pixels that their crops share: what `maskIou` avoids. */
function iouByPixels(a: MaskRle, b: MaskRle): number {
  const [bitsA, bitsB] = [decodeRle(a), decodeRle(b)];
  const [left, top] = [Math.max(a.origin[0], b.origin[0]), Math.max(a.origin[1], b.origin[1])];
  const right = Math.min(a.origin[0] + a.size[1], b.origin[0] + b.size[1]);
  const bottom = Math.min(a.origin[1] + a.size[0], b.origin[1] + b.size[0]);
  let both = 0;
  for (let y = top; y < bottom; y++) {
    const rowA = (y - a.origin[1]) * a.size[1] - a.origin[0];
    const rowB = (y - b.origin[1]) * b.size[1] - b.origin[0];
    for (let x = left; x < right; x++) both += bitsA[rowA + x]! & bitsB[rowB + x]!;
  }
  return both / (rleArea(a) + rleArea(b) - both);
}

/** Mask mathematics per call, by size of the object in a 1920 x 1080 frame. `more.usPerCall` is the figure to read. */
export const bench: Bench = {
  about: `pasting, coding, IoU and outlines of masks, ${CALLS} calls a run: [--rounds n]`,
  async run(args, say) {
    const given = args.indexOf('--rounds');
    const rounds = given >= 0 ? Number(args[given + 1]) : 15;
    const prob = personMap();
    const variants: Variant[] = [];
    for (const [width, height] of [
      [40, 100],
      [120, 300],
      [400, 1000],
    ] as const) {
      const box: BoxXyxy = [300.3, 40.7, 300.3 + width, 40.7 + height];
      const mask = pasteMask(prob, MAP, MAP, box, FRAME)!;
      const other = pasteMask(prob, MAP, MAP, [box[0] + 5, box[1] + 3, box[2] + 5, box[3] + 3], FRAME)!;
      const bits = decodeRle(mask);
      const [h, w] = mask.size;
      const [spans, otherSpans] = [maskSpans(mask), maskSpans(other)];
      const add = (what: string, calls: Readonly<Record<string, () => unknown>>): void => {
        for (const [variant, call] of Object.entries(calls)) {
          const run = (): void => {
            for (let i = 0; i < CALLS; i++) call();
          };
          variants.push({ case: `${what} ${width} x ${height}`, variant, run });
        }
      };
      add('paste', {
        'every pixel': () => pasteEveryPixel(prob, box),
        pasteMask: () => pasteMask(prob, MAP, MAP, box, FRAME),
      });
      add('IoU', {
        'by pixels': () => iouByPixels(mask, other),
        maskIou: () => maskIou(mask, other),
        'spans kept': () => spansIou(spans, otherSpans),
      });
      add('code', {
        encodeRle: () => encodeRle(bits, h, w),
        decodeRle: () => decodeRle(mask),
        maskContours: () => maskContours(bits, h, w),
      });
    }
    const rows = await interleave(variants, { rounds, say });
    return rows.map((row) => ({ ...row, more: { usPerCall: Number(((row.medianMs / CALLS) * 1000).toFixed(1)) } }));
  },
};
