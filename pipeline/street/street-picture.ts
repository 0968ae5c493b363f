import type { Size } from '../../operators/types.js';
import { type Camera, lookAlong, project } from './camera.js';
import { developer } from './develop.js';
import { type FigureAt, figuresAt, figuresOf } from './figures.js';
import { type Light, lightFor, shaderFor, skyLight, sunShareOnGround } from './light.js';
import type { Material } from './material.js';
import { type Mesh, MeshBuilder } from './mesh.js';
import type { StreetPlan } from './plan.js';
import { partSeed, seededRandom } from './random.js';
import { type DepthGrid, drawMesh, ORIGIN, type Touched } from './raster.js';
import { castShadows } from './shadow.js';
import { type SeenFigure, silhouettes } from './silhouettes.js';
import { buildSurroundings } from './surroundings.js';
import type { Vec3 } from './vector.js';
import { openWardrobe } from './wardrobe.js';

/** Points along each side of a pixel: edges are smooth because each pixel is the mean of `SAMPLES²` points. */
export const SAMPLES = 2;

/** Points per metre below which a figure is drawn with fewer sides: people of some 45 pixels. */
const FAR_POINTS_PER_M = 52;

export interface StreetFrame {
  /** `[height, width, 3]` rgb24. */
  readonly pixels: Uint8Array;
  readonly seen: readonly SeenFigure[];
}

export interface StreetPainter {
  readonly size: Size;
  /** The street `tS` seconds after its beginning; `number` chooses the grain of the sensor. */
  paint(tS: number, number: number): StreetFrame;
}

/**
 * Draws a street from its plan. The same plan, size and moment give the same bytes.
 *
 * What stands still is drawn once, with its depths; a moment draws the figures into a copy of it.
 */
export function openPainter(plan: StreetPlan, size: Size): StreetPainter {
  const light = lightFor(plan.daylight, seededRandom(partSeed(plan.seed, -2)));
  const width = size.width * SAMPLES;
  const height = size.height * SAMPLES;
  const { at, forward, focal, mirror } = plan.view;
  const camera = lookAlong(at, forward, focal, { width, height }, mirror);
  const grid: DepthGrid = { width, height, nearness: new Float32Array(width * height) };
  const colour = new Float32Array(width * height * 3);
  /** Share of the light on the ground that a shadow takes, in 255ths; 0 where nothing can fall. */
  const shadowable = new Uint8Array(width * height);
  const out = new Float64Array(3);

  const meshes = buildSurroundings(plan, light);
  const sunlit = castShadows(light.sun, meshes);
  const shade = shaderFor(light, at, undefined);
  const direct = sunShareOnGround(light);
  for (const mesh of meshes) {
    drawMesh(grid, camera, mesh, ORIGIN, (index, material, point) => {
      const sun = sunlit(point[0]!, point[1]!, point[2]!);
      shade(material, point, sun, out);
      put(colour, index, out);
      shadowable[index] = material.ground && point[5]! > 0.5 ? Math.round(direct * sun * 255) : 0;
    });
  }

  paintSky(camera, light, grid, colour);

  const still = { colour: colour.slice(), nearness: grid.nearness.slice() };
  const ids = new Uint16Array(width * height);
  /** Bit 0: the sun is hidden from here by a figure. */
  const shadow = new Uint8Array(width * height);
  const openness = new Float32Array(width * height).fill(1);
  const wardrobe = openWardrobe(light, plan.periodS);
  const develop = developer(light, size, SAMPLES, plan.seed, still.colour);
  const figures = figuresOf(plan);
  const scratch: DepthGrid = { width, height, nearness: new Float32Array(width * height) };

  const opaque = (material: Material): boolean => (material.cover ?? 1) === 1;
  const thin = (material: Material): boolean => !opaque(material);

  return {
    size,
    paint: (tS, number) => {
      const present = figuresAt(plan, figures, tS)
        .map((figure) => ({ ...figure, away: distance(figure, at) }))
        .filter((figure) => mayBeSeen(figure, camera))
        .sort((a, b) => b.away - a.away)
        .map((figure) => ({
          ...figure,
          body: wardrobe.bodyOf(figure, tS, camera.focal / figure.away < FAR_POINTS_PER_M),
        }));
      const dirty: Touched[] = [];

      for (const { body, place, figure } of present) {
        if (direct > 0.12) {
          const fallen = drawMesh(
            grid,
            camera,
            body,
            { ...place, z: place.z + 0.015 },
            (index) => {
              shadow[index] = 1;
            },
            { write: false, flattenAlong: light.sun },
          );
          dirty.push(fallen);
        }
        dirty.push(
          drawMesh(
            grid,
            camera,
            contactPatch(figure.label),
            { ...place, z: place.z + 0.015 },
            (index, _material, point) => {
              const c = Math.cos(place.heading);
              const s = Math.sin(place.heading);
              const hidden = hiddenSky(
                figure.label,
                (point[0]! - place.x) * c + (point[1]! - place.y) * s,
                (point[1]! - place.y) * c - (point[0]! - place.x) * s,
              );
              openness[index] = openness[index]! * (1 - hidden);
            },
            { write: false },
          ),
        );
      }
      for (const { x1, y1, x2, y2 } of dirty) {
        for (let row = y1; row < y2; row++) {
          for (let index = row * width + x1; index < row * width + x2; index++) {
            const share = shadowable[index]!;
            if (share > 0 || openness[index]! < 1) {
              const kept = (shadow[index] ? 1 - share / 255 : 1) * openness[index]!;
              for (let c = 0; c < 3; c++) colour[index * 3 + c] = colour[index * 3 + c]! * kept;
            }
            shadow[index] = 0;
            openness[index] = 1;
          }
        }
      }

      for (const { body, place, figure } of present) {
        const own = shaderFor(light, at, { ...place, seed: figure.actor.seed });
        dirty.push(
          drawMesh(
            grid,
            camera,
            body,
            place,
            (index, material, point) => {
              own(material, point, sunlit(point[0]!, point[1]!, point[2]!), out);
              put(colour, index, out);
              ids[index] = figure.id;
            },
            { only: opaque },
          ),
        );
        if (!body.palette.some(thin)) continue;
        drawMesh(
          grid,
          camera,
          body,
          place,
          (index, material, point) => {
            own(material, point, sunlit(point[0]!, point[1]!, point[2]!), out);
            const cover = material.cover ?? 1;
            for (let c = 0; c < 3; c++) colour[index * 3 + c] = colour[index * 3 + c]! * (1 - cover) + out[c]! * cover;
            ids[index] = figure.id;
          },
          { only: thin },
        );
      }

      const seen = silhouettes(present, ids, camera, scratch, SAMPLES);
      const pixels = develop(colour, number, dirty);
      for (const { x1, y1, x2, y2 } of dirty) {
        for (let row = y1; row < y2; row++) {
          const from = row * width + x1;
          const to = row * width + x2;
          if (to <= from) continue;
          colour.set(still.colour.subarray(from * 3, to * 3), from * 3);
          grid.nearness.set(still.nearness.subarray(from, to), from);
          ids.fill(0, from, to);
        }
      }
      return { pixels, seen };
    },
  };
}

function put(colour: Float32Array, index: number, light: Float64Array): void {
  colour[index * 3] = light[0]!;
  colour[index * 3 + 1] = light[1]!;
  colour[index * 3 + 2] = light[2]!;
}

/** Where nothing stands. */
function paintSky(camera: Camera, light: Light, { nearness }: DepthGrid, colour: Float32Array): void {
  const { width, height, focal, right, down, forward } = camera;
  const out = new Float64Array(3);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      if (nearness[row * width + column]! > 0) continue;
      const a = (column + 0.5 - width / 2) / focal;
      const b = (row + 0.5 - height / 2) / focal;
      const x = forward[0] + a * right[0] + b * down[0];
      const y = forward[1] + a * right[1] + b * down[1];
      const z = forward[2] + a * right[2] + b * down[2];
      const size = Math.hypot(x, y, z);
      skyLight(light, x / size, y / size, z / size, out);
      put(colour, row * width + column, out);
    }
  }
}

const distance = ({ place }: FigureAt, at: Vec3): number => Math.hypot(place.x - at[0], place.y - at[1]);

/** False for figures behind the camera or far aside, of which no point can be in the picture. */
function mayBeSeen({ place }: FigureAt, camera: Camera): boolean {
  for (const along of [-6, 0, 6]) {
    const x = place.x + along * Math.cos(place.heading);
    const y = place.y + along * Math.sin(place.heading);
    for (const z of [0, 3.5]) {
      const seen = project(camera, [x, y, z]);
      if (seen && seen.x > -camera.width * 0.3 && seen.x < camera.width * 1.3) return true;
    }
  }
  return false;
}

/** Half length and half width of what keeps the sky from the ground. */
const BASE: Readonly<Record<string, readonly [number, number, number]>> = {
  person: [0.3, 0.25, 0.45],
  bicycle: [0.8, 0.15, 0.35],
  motorcycle: [0.9, 0.25, 0.6],
  car: [2.2, 0.85, 0.88],
  bus: [5.4, 1.2, 0.88],
  truck: [4, 1.1, 0.85],
};

function hiddenSky(label: string, along: number, across: number): number {
  const [l, w, strength] = BASE[label]!;
  const soft = label === 'person' ? 0.3 : 0.45;
  const edge = (d: number, half: number): number =>
    Math.min(1, Math.max(0, (half + soft - Math.abs(d)) / (soft * 2))) ** 1.4;
  return strength * edge(along, l) * edge(across, w);
}

const PATCHES = new Map<string, Mesh>(
  Object.entries(BASE).map(([label, [l, w]]) => {
    const [a, b] = [l + 0.5, w + 0.5];
    const ground: Material = { albedo: [0, 0, 0], mirror: 0 };
    return [
      label,
      new MeshBuilder()
        .fan(
          [
            [-a, -b, 0],
            [a, -b, 0],
            [a, b, 0],
            [-a, b, 0],
          ],
          [0, 0, 1],
          ground,
        )
        .finish(),
    ];
  }),
);

const contactPatch = (label: string): Mesh => PATCHES.get(label)!;
