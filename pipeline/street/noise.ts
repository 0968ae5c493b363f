/** Number in [0, 1) of a whole-numbered cell. */
export function cellNoise(x: number, y: number, seed = 0): number {
  let h = Math.imul(x | 0, 0x27d4eb2d) ^ Math.imul(y | 0, 0x165667b1) ^ Math.imul(seed | 0, 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 15), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return ((h ^ (h >>> 16)) >>> 0) / 0x1_0000_0000;
}

/** Smooth noise in [0, 1) with one hill or dale per unit. */
export function smoothNoise(x: number, y: number, seed = 0): number {
  const x0 = Math.floor(x);
  const y0 = Math.floor(y);
  const u = x - x0;
  const v = y - y0;
  const a = u * u * (3 - 2 * u);
  const b = v * v * (3 - 2 * v);
  const top = cellNoise(x0, y0, seed) * (1 - a) + cellNoise(x0 + 1, y0, seed) * a;
  const bottom = cellNoise(x0, y0 + 1, seed) * (1 - a) + cellNoise(x0 + 1, y0 + 1, seed) * a;
  return top * (1 - b) + bottom * b;
}

/** Three octaves of {@link smoothNoise}, in [0, 1). */
export function cloudNoise(x: number, y: number, seed = 0): number {
  return (
    smoothNoise(x, y, seed) * 0.57 +
    smoothNoise(x * 2.1 + 7, y * 2.1, seed + 1) * 0.29 +
    smoothNoise(x * 4.3, y * 4.3 + 3, seed + 2) * 0.14
  );
}

/** 0 below `low`, 1 above `high`, smooth between. */
export function ramp(low: number, high: number, value: number): number {
  const t = Math.min(1, Math.max(0, (value - low) / (high - low)));
  return t * t * (3 - 2 * t);
}
