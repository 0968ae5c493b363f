/** Largest finite number of IEEE 754 binary16. */
export const HALF_MOST = 65_504;

/** Nearest binary16 of each number, ties to even; beyond the largest, infinity. */
export function toHalf(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  return Uint16Array.from(bits, (one, i) => {
    const sign = (one >>> 16) & 0x8000;
    const size = one & 0x7fffffff;
    if (size > 0x7f800000) return sign | 0x7e00;
    // 65520, the middle between the largest number and the next that there would be.
    if (size >= 0x477ff000) return sign | 0x7c00;
    // From 2⁻¹⁴ on: the exponent is moved from a bias of 127 to one of 15, the fraction loses 13 bits.
    if (size >= 0x38800000) return sign | ((size + 0xfff + ((size >>> 13) & 1) - 0x38000000) >>> 13);
    return sign | roundToEven(Math.abs(values[i]!) * 2 ** 24);
  });
}

function roundToEven(value: number): number {
  const whole = Math.round(value);
  return whole - value === 0.5 && whole % 2 === 1 ? whole - 1 : whole;
}
