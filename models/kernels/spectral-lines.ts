/**
 * Correlation of a line with a kernel as a bilinear form y = A · ((G · w) ⊙ (B · x)), from the real discrete Fourier transform;
 * exact zero padding, output as long as the input. With Gauss' trick a complex product takes three real ones, and its sums are
 * inside the constant matrices.
 */
export interface LineForm {
  /** Products a line: rows of G and B, columns of A. */
  readonly products: number;
  /** `[products, length]` for the line. */
  readonly b: Float32Array;
  /** `[products, kernel]` for the weights. */
  readonly g: Float32Array;
  /** `[length, products]` for the result. */
  readonly a: Float32Array;
}

/**
 * Shortest transform that is exact. It is cyclic, so the zeros before the line are the zeros behind it: line and one padding,
 * where a linear transform would need both (10 % more products at the paper's size).
 *
 * @param length  of the line, ≥ 1
 * @param kernel  odd
 */
export function transformLength(length: number, kernel: number): number {
  return length + (kernel >> 1);
}

/**
 * @param length  of the line, ≥ 1
 * @param kernel  odd
 */
export function lineForm(length: number, kernel: number): LineForm {
  const pad = kernel >> 1;
  const size = transformLength(length, kernel);
  // Only half of the frequencies of a real signal count; the lowest and, for an even size, the highest have no imaginary part.
  const real = (f: number): boolean => f === 0 || 2 * f === size;
  const frequencies = Array.from({ length: (size >> 1) + 1 }, (_, f) => f);
  const products = frequencies.reduce((sum, f) => sum + (real(f) ? 1 : 3), 0);
  const b = new Float32Array(products * length);
  const g = new Float32Array(products * kernel);
  const a = new Float32Array(length * products);
  let row = 0;
  for (const f of frequencies) {
    const angle = (steps: number): number => (2 * Math.PI * ((f * steps) % size)) / size;
    const weight = real(f) ? 1 / size : 2 / size;
    const count = real(f) ? 1 : 3;
    for (let j = 0; j < length; j++) {
      const c = Math.cos(angle(j + pad));
      const s = -Math.sin(angle(j + pad));
      const rows = real(f) ? [c] : [c + s, c, s];
      for (let i = 0; i < count; i++) b[(row + i) * length + j] = rows[i]!;
    }
    for (let k = 0; k < kernel; k++) {
      const wr = Math.cos(angle(k));
      const wi = Math.sin(angle(k));
      const rows = real(f) ? [wr] : [wr, wi - wr, wr + wi];
      for (let i = 0; i < count; i++) g[(row + i) * kernel + k] = rows[i]!;
    }
    for (let t = 0; t < length; t++) {
      const at = weight * Math.cos(angle(t));
      const bt = -weight * Math.sin(angle(t));
      const columns = real(f) ? [at] : [at + bt, bt, -at];
      for (let i = 0; i < count; i++) a[t * products + row + i] = columns[i]!;
    }
    row += count;
  }
  return { products, b, g, a };
}
