import type { Material, Rgb } from './material.js';
import { cellNoise, cloudNoise, smoothNoise } from './noise.js';
import { between, type Random } from './random.js';
import { unit, type Vec3 } from './vector.js';

/** Time of day and weather. */
export type Daylight = 'day' | 'cloudy' | 'dusk';

/** What lights the street. */
export interface Light {
  readonly daylight: Daylight;
  /** Towards the sun. */
  readonly sun: Vec3;
  readonly sunColour: Rgb;
  readonly zenith: Rgb;
  readonly horizon: Rgb;
  /** Light that comes back from the ground. */
  readonly bounce: Rgb;
  /** Share of light lost to haze per metre. */
  readonly hazePerM: number;
  /** Clouds: 0 none, 1 all over. */
  readonly clouds: number;
  readonly cloudSeed: number;
  /** Brightness of the picture for a given light. */
  readonly exposure: number;
  /** Standard deviation of the sensor's noise, grey levels of 255. */
  readonly noise: number;
  /** Lamps and windows are on. */
  readonly lamps: boolean;
}

export function lightFor(daylight: Daylight, random: Random): Light {
  const azimuth = between(random, -2.9, 0.4);
  const height = daylight === 'dusk' ? between(random, 0.25, 0.45) : between(random, 0.75, 1.25);
  const sun = unit([Math.cos(azimuth), Math.sin(azimuth), Math.tan(height)]);
  const common = { daylight, sun, cloudSeed: Math.floor(random() * 1e6) };
  if (daylight === 'day') {
    return {
      ...common,
      sunColour: [2.5, 2.3, 1.95],
      zenith: [0.28, 0.46, 0.82],
      horizon: [0.72, 0.8, 0.9],
      bounce: [0.26, 0.24, 0.21],
      hazePerM: 0.0012,
      clouds: between(random, 0.25, 0.6),
      exposure: between(random, 0.85, 1.1),
      noise: between(random, 1, 2.2),
      lamps: false,
    };
  }
  if (daylight === 'cloudy') {
    return {
      ...common,
      sunColour: [0.3, 0.3, 0.3],
      zenith: [0.85, 0.88, 0.93],
      horizon: [0.88, 0.89, 0.9],
      bounce: [0.26, 0.255, 0.25],
      hazePerM: 0.0014,
      clouds: 1,
      exposure: between(random, 1.05, 1.35),
      noise: between(random, 1.5, 3),
      lamps: false,
    };
  }
  return {
    ...common,
    sunColour: [0.3, 0.19, 0.12],
    zenith: [0.17, 0.21, 0.36],
    horizon: [0.5, 0.42, 0.42],
    bounce: [0.1, 0.09, 0.085],
    hazePerM: 0.0018,
    clouds: between(random, 0.3, 0.7),
    exposure: between(random, 1.5, 2),
    noise: between(random, 2.5, 4.5),
    lamps: true,
  };
}

/** Light of the sky in a direction, with clouds, into `out`. */
export function skyLight(light: Light, x: number, y: number, z: number, out: Float64Array): void {
  const up = Math.sqrt(Math.max(0, z));
  const { horizon, zenith } = light;
  const far = 1 / (Math.max(z, 0) + 0.12);
  const cover =
    light.clouds *
    0.9 *
    Math.min(
      1,
      Math.max(0, (cloudNoise(x * far * 0.7, y * far * 0.7, light.cloudSeed) - 0.62 + light.clouds * 0.3) * 4),
    );
  const white = light.daylight === 'dusk' ? 0.42 : light.daylight === 'cloudy' ? 0.9 : 0.97;
  const shade = 0.85 + 0.3 * cloudNoise(x * far * 1.9 + 5, y * far * 1.9, light.cloudSeed + 9);
  for (let c = 0; c < 3; c++) {
    const clear = horizon[c]! + (zenith[c]! - horizon[c]!) * up;
    out[c] = clear + (white * shade * (light.daylight === 'dusk' && c === 0 ? 1.12 : 1) - clear) * cover;
  }
}

/** Where a figure stands in the world, which gives its materials a grain that moves with it. */
export interface Standing {
  readonly x: number;
  readonly y: number;
  readonly z: number;
  readonly heading: number;
  readonly seed: number;
}

/**
 * Light that leaves a point of `material` towards the camera, into `out`.
 *
 * @param point      place x, y, z and normal x, y, z, as the raster tells them
 * @param sunShare   0…1: how much of the sun reaches it
 */
export type Shader = (material: Material, point: Float64Array, sunShare: number, out: Float64Array) => void;

/** Lambert's law under sun, sky and ground, a mirror share after Schlick, haze with distance. */
export function shaderFor(light: Light, eye: Vec3, standing: Standing | undefined): Shader {
  const surface = new Float64Array(7);
  const { sun, sunColour, zenith, horizon, bounce, hazePerM } = light;
  const c = standing ? Math.cos(standing.heading) : 1;
  const s = standing ? Math.sin(standing.heading) : 0;
  return (material, point, sunShare, out) => {
    const x = point[0]!;
    const y = point[1]!;
    const z = point[2]!;
    let nx = point[3]!;
    let ny = point[4]!;
    let nz = point[5]!;
    const size = Math.sqrt(nx * nx + ny * ny + nz * nz) || 1;
    nx /= size;
    ny /= size;
    nz /= size;
    let vx = eye[0] - x;
    let vy = eye[1] - y;
    let vz = eye[2] - z;
    const distance = Math.sqrt(vx * vx + vy * vy + vz * vz);
    vx /= distance;
    vy /= distance;
    vz /= distance;
    let facing = nx * vx + ny * vy + nz * vz;
    if (facing < 0 && material.twoSided) {
      nx = -nx;
      ny = -ny;
      nz = -nz;
      facing = -facing;
    }
    facing = Math.max(0, facing);

    let r = material.albedo[0];
    let g = material.albedo[1];
    let b = material.albedo[2];
    let mirror = material.mirror;
    let gr = material.glow?.[0] ?? 0;
    let gg = material.glow?.[1] ?? 0;
    let gb = material.glow?.[2] ?? 0;
    if (material.surface) {
      material.surface(x, y, z, surface);
      r = surface[0]!;
      g = surface[1]!;
      b = surface[2]!;
      mirror = surface[3]!;
      gr = surface[4]!;
      gg = surface[5]!;
      gb = surface[6]!;
    } else if (standing && (material.grain || material.stripes)) {
      const lx = (x - standing.x) * c + (y - standing.y) * s;
      const ly = (y - standing.y) * c - (x - standing.x) * s;
      const lz = z - standing.z;
      const { stripes, grain = 0, grainPerM = 10 } = material;
      if (stripes && (lz * stripes.perM) % 1 < 0.42) {
        r = stripes.albedo[0];
        g = stripes.albedo[1];
        b = stripes.albedo[2];
      }
      if (grain) {
        const u = (lx + ly * 1.3) * grainPerM;
        const v = (lz + ly * 0.31) * grainPerM * 0.55;
        const f =
          1 +
          grain *
            (1.5 * (smoothNoise(u, v, standing.seed) - 0.5) +
              0.8 * (smoothNoise(u * 3.1, v * 3.1, standing.seed + 1) - 0.5));
        r *= f;
        g *= f;
        b *= f;
      }
    } else if (material.grain) {
      const f = 1 + material.grain * (cellNoise(Math.floor(x * 37), Math.floor((y + z) * 37)) - 0.5);
      r *= f;
      g *= f;
      b *= f;
    }

    const lambert = Math.max(0, nx * sun[0] + ny * sun[1] + nz * sun[2]) * sunShare;
    const up = 0.5 + 0.5 * nz;
    // What stands near the ground, and looks down, sees little sky.
    const hidden = 1 - 0.45 * Math.max(0, 1 - z / 0.5) * (1 - up) - 0.25 * (1 - up);
    const away = 1 - facing;
    const fresnel =
      mirror + (1 - mirror) * (mirror > 0 ? away * away * away * away * away * Math.min(1, mirror * 14) : 0);
    let mr = 0;
    let mg = 0;
    let mb = 0;
    if (fresnel > 0.003) {
      const rx = 2 * facing * nx - vx;
      const ry = 2 * facing * ny - vy;
      const rz = 2 * facing * nz - vz;
      if (rz > 0.35 || (rz > 0.02 && Math.abs(rx) > 0.93)) {
        // Without the shapes of clouds, which cost much and show little.
        const high = Math.sqrt(Math.max(0, rz)) * (1 - 0.6 * light.clouds);
        mr = horizon[0] + (zenith[0] - horizon[0]) * high;
        mg = horizon[1] + (zenith[1] - horizon[1]) * high;
        mb = horizon[2] + (zenith[2] - horizon[2]) * high;
      } else if (rz > 0) {
        // Houses across the street, with an uneven outline.
        const house = 0.18 + 0.14 * smoothNoise(x * 0.6 + rx * 6, y * 0.6 + rz * 8, 5);
        mr = zenith[0] * house + sunColour[0] * 0.02;
        mg = zenith[1] * house + sunColour[1] * 0.02;
        mb = zenith[2] * house + sunColour[2] * 0.02;
      } else {
        mr = bounce[0] * 0.5;
        mg = bounce[1] * 0.5;
        mb = bounce[2] * 0.5;
      }
      const spot = Math.max(0, rx * sun[0] + ry * sun[1] + rz * sun[2]);
      if (mirror > 0.03 && sunShare > 0 && spot > 0.95) {
        const spark = spot ** 180 * 14 * sunShare;
        mr += sunColour[0] * spark;
        mg += sunColour[1] * spark;
        mb += sunColour[2] * spark;
      }
    }
    const kept = Math.exp(-distance * hazePerM);
    const shine = 1 - fresnel;
    const sky = up * up * 0.85 + up * 0.1;
    const haze = 0.9 * (1 - kept);
    const open = hidden * sky;
    const below = hidden * (1 - up);
    const lit = (k: 0 | 1 | 2): number =>
      sunColour[k] * lambert + (zenith[k] * 0.6 + horizon[k] * 0.4) * open + bounce[k] * below;
    out[0] = (r * lit(0) * shine + mr * fresnel + gr) * kept + horizon[0] * haze;
    out[1] = (g * lit(1) * shine + mg * fresnel + gg) * kept + horizon[1] * haze;
    out[2] = (b * lit(2) * shine + mb * fresnel + gb) * kept + horizon[2] * haze;
  };
}

/** Share of the light on level ground that comes straight from the sun: what a shadow takes away. */
export function sunShareOnGround({ sun, sunColour, zenith, horizon }: Light): number {
  const direct = sunColour[1] * sun[2];
  return direct / (direct + (zenith[1] * 0.6 + horizon[1] * 0.4) * 0.95);
}
