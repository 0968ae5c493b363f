/** Red, green, blue: linear light, 1 is a perfect white. */
export type Rgb = readonly [number, number, number];

/**
 * Colour of a point of a large surface, into `out`: [0…2] reflected share of light, [3] mirror share head-on,
 * [4…6] light of its own.
 *
 * @param x,y,z  metres in the world
 */
export type Surface = (x: number, y: number, z: number, out: Float64Array) => void;

/** What a triangle is made of. */
export interface Material {
  readonly albedo: Rgb;
  /** Share of light mirrored head-on: 0.02 cloth, 0.06 paint under varnish, 0.1 glass. */
  readonly mirror: number;
  /** Strength of an irregular brightness, 0…1, and its hills per metre. */
  readonly grain?: number;
  readonly grainPerM?: number;
  /** Bands of another colour across the height of the object: cloth with stripes. */
  readonly stripes?: { readonly albedo: Rgb; readonly perM: number };
  /** Light of its own. */
  readonly glow?: Rgb;
  /** Below 1 what lies behind shines through (spokes of a wheel); it hides and counts as silhouette all the same. */
  readonly cover?: number;
  /** Seen from behind too: leaves, a skirt. */
  readonly twoSided?: boolean;
  /** Takes the place of `albedo`, `mirror` and `glow`. */
  readonly surface?: Surface;
  /** Shadows of figures fall on it. */
  readonly ground?: boolean;
}

/** The same with every field there. */
export const whole = (material: Material): Material =>
  ({
    albedo: material.albedo,
    mirror: material.mirror,
    grain: material.grain,
    grainPerM: material.grainPerM,
    stripes: material.stripes,
    glow: material.glow,
    cover: material.cover,
    twoSided: material.twoSided,
    surface: material.surface,
    ground: material.ground,
  }) as Material; // fields that are undefined read like absent ones

/** `#rrggbb` (sRGB) as linear light. */
export function srgb(hex: string): Rgb {
  const part = (at: number): number => {
    const v = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  };
  return [part(1), part(3), part(5)];
}

/** A colour that is `factor` as bright. */
export const dim = ([r, g, b]: Rgb, factor: number): Rgb => [r * factor, g * factor, b * factor];

/** `share` of the way from `a` to `b`. */
export const mix = (a: Rgb, b: Rgb, share: number): Rgb => [
  a[0] + (b[0] - a[0]) * share,
  a[1] + (b[1] - a[1]) * share,
  a[2] + (b[2] - a[2]) * share,
];

export const cloth = (albedo: Rgb, extra: Partial<Material> = {}): Material => ({
  albedo,
  mirror: 0.012,
  grain: 0.3,
  grainPerM: 9,
  ...extra,
});
export const skin = (albedo: Rgb): Material => ({ albedo, mirror: 0.025, grain: 0.12, grainPerM: 20 });
export const paint = (albedo: Rgb): Material => ({ albedo, mirror: 0.065 });
export const metal = (albedo: Rgb): Material => ({ albedo, mirror: 0.25 });
export const rubber: Material = { albedo: [0.022, 0.022, 0.024], mirror: 0.015, grain: 0.3, grainPerM: 12 };
export const plastic: Material = { albedo: [0.03, 0.03, 0.033], mirror: 0.03 };
export const glass: Material = { albedo: [0.012, 0.015, 0.017], mirror: 0.14 };
