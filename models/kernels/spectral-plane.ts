import { lineForm, transformLength } from './spectral-lines.js';

/**
 * Correlation of a small map with a k×k kernel as a bilinear form of constant matrices, from the two-dimensional real Fourier
 * transform; exact zero padding, result as large as the map.
 *
 * Two real transforms one inside the other (23 · 23 products for 14×14 and k = 3) ignore that a real map has only half of its
 * complex frequencies. Here the first axis gives pairs of rows, real and imaginary part of one frequency; the second transforms
 * each pair as one complex line, with three real products a frequency: 8 · 45 = 360 products, where the direct form takes
 * 14 · 14 · 9 = 1764. The two frequencies of the first axis that are real share a group, so that all groups are alike and no
 * tensor has to be cut or joined.
 */
export interface PlaneForm {
  readonly groups: number;
  /** Of each group. */
  readonly products: number;
  /** `[2 · groups, rows]` rows of the map → pairs. */
  readonly b1: Float32Array;
  /** `[groups, products, 2 · columns]` pairs → factors. */
  readonly b2: Float32Array;
  /** `[groups · products, kernel²]` for the weights. */
  readonly g: Float32Array;
  /** `[groups, 2 · columns, products]` products → pairs. */
  readonly a2: Float32Array;
  /** `[rows, 2 · groups]` pairs → rows of the result. */
  readonly a1: Float32Array;
}

/** @param kernel  odd, the same along both axes */
export function planeForm(rows: number, columns: number, kernel: number): PlaneForm {
  const least = transformLength(rows, kernel);
  const tall = least + (least % 2);
  const wide = transformLength(columns, kernel);
  const groups = tall / 2;
  const products = 3 * wide;
  const form: PlaneForm = {
    groups,
    products,
    b1: new Float32Array(2 * groups * rows),
    b2: new Float32Array(groups * products * 2 * columns),
    g: new Float32Array(groups * products * kernel * kernel),
    a2: new Float32Array(groups * 2 * columns * products),
    a1: new Float32Array(rows * 2 * groups),
  };
  fillFirstAxis(form, rows, tall, kernel >> 1);
  fillRealGroup(form, columns, kernel);
  for (let group = 1; group < groups; group++) fillComplexGroup(form, group, columns, { tall, wide, kernel });
  return form;
}

/** Rows 0 and 1 of the transform are the two real frequencies, then real and imaginary part of each other one. */
function fillFirstAxis({ groups, b1, a1 }: PlaneForm, rows: number, tall: number, pad: number): void {
  for (let row = 0; row < 2 * groups; row++) {
    const f = row < 2 ? (row * tall) / 2 : row >> 1;
    const imaginary = row >= 2 && row % 2 === 1;
    const wave = (steps: number): number => {
      const angle = (2 * Math.PI * ((f * steps) % tall)) / tall;
      return imaginary ? -Math.sin(angle) : Math.cos(angle);
    };
    for (let j = 0; j < rows; j++) {
      b1[row * rows + j] = wave(j + pad);
      a1[j * 2 * groups + row] = ((row < 2 ? 1 : 2) / tall) * wave(j);
    }
  }
}

/** Group 0: two real lines side by side; one or two products stay zero. */
function fillRealGroup({ products, b2, g, a2 }: PlaneForm, columns: number, kernel: number): void {
  const line = lineForm(columns, kernel);
  for (const half of [0, 1]) {
    for (let i = 0; i < line.products; i++) {
      const product = half * line.products + i;
      for (let j = 0; j < columns; j++) {
        b2[product * 2 * columns + half * columns + j] = line.b[i * columns + j]!;
        a2[(half * columns + j) * products + product] = line.a[j * line.products + i]!;
      }
      for (let ky = 0; ky < kernel; ky++)
        for (let kx = 0; kx < kernel; kx++)
          g[(product * kernel + ky) * kernel + kx] = (half && ky % 2 ? -1 : 1) * line.g[i * kernel + kx]!;
    }
  }
}

/** One complex frequency of the first axis: every frequency of the second, by Gauss' trick. */
function fillComplexGroup(
  { products, b2, g, a2 }: PlaneForm,
  group: number,
  columns: number,
  { tall, wide, kernel }: { tall: number; wide: number; kernel: number },
): void {
  const pad = kernel >> 1;
  for (let f = 0; f < wide; f++) {
    const angle = (steps: number): number => (2 * Math.PI * ((f * steps) % wide)) / wide;
    const row = group * products + 3 * f;
    for (let j = 0; j < columns; j++) {
      // (u + iv) · e^(−iφ): what of the real part a, the imaginary part b and their sum comes from u and from v.
      const c = Math.cos(angle(j + pad));
      const s = Math.sin(angle(j + pad));
      const parts = [
        [c - s, c, -s],
        [s + c, s, c],
      ];
      for (const half of [0, 1])
        for (let i = 0; i < 3; i++) b2[(row + i) * 2 * columns + half * columns + j] = parts[half]![i]!;
      // y = Re · α + Im · β with Re = m0 − m2, Im = m0 + m1.
      const ci = Math.cos(angle(j)) / wide;
      const si = Math.sin(angle(j)) / wide;
      const pairs = [
        [ci, -si],
        [si, ci],
      ];
      for (const half of [0, 1]) {
        const [alpha, beta] = pairs[half]!;
        const at = (group * 2 * columns + half * columns + j) * products + 3 * f;
        a2[at] = alpha! + beta!;
        a2[at + 1] = beta!;
        a2[at + 2] = -alpha!;
      }
    }
    for (let ky = 0; ky < kernel; ky++) {
      for (let kx = 0; kx < kernel; kx++) {
        const both = (2 * Math.PI * ((group * ky) % tall)) / tall + angle(kx);
        const wr = Math.cos(both);
        const wi = Math.sin(both);
        const factors = [wr, wi - wr, wr + wi];
        for (let i = 0; i < 3; i++) g[((row + i) * kernel + ky) * kernel + kx] = factors[i]!;
      }
    }
  }
}
