import { type House, rowOfHouses } from './facade.js';
import type { Light } from './light.js';
import { dim, type Material, metal, plastic, type Surface, srgb } from './material.js';
import { type Mesh, MeshBuilder } from './mesh.js';
import { cellNoise, cloudNoise, ramp, smoothNoise } from './noise.js';
import type { StreetPlan } from './plan.js';
import { between, partSeed, pick, type Random, seededRandom } from './random.js';
import { plus, type Vec3 } from './vector.js';

/** Everything that stands still and is no figure: ground, houses, trees, lamps. */
export function buildSurroundings(plan: StreetPlan, light: Light): Mesh[] {
  const random = seededRandom(partSeed(plan.seed, -1));
  const meshes: Mesh[] = [buildGround(plan, random)];
  const wallY = plan.roadM + plan.farPavementM;
  meshes.push(buildRow(rowOfHouses(random, light, -30, 190), wallY, 1));
  if (random() < 0.6) meshes.push(buildRow(rowOfHouses(random, light, -8, 190), -plan.nearPavementM, -1));
  else meshes.push(buildHedge(plan, random));
  meshes.push(buildEnd(random, light));
  const furniture = new MeshBuilder();
  addLamps(furniture, plan, random, light);
  addSmallThings(furniture, plan, random);
  meshes.push(furniture.finish());
  meshes.push(...plantTrees(plan, random));
  return meshes;
}

const FAR = 190;

function buildGround(plan: StreetPlan, random: Random): Mesh {
  const { roadM, nearPavementM, farPavementM } = plan;
  const mesh = new MeshBuilder();
  const road: Material = { albedo: [0.1, 0.1, 0.1], mirror: 0, ground: true, surface: roadSurface(plan, random) };
  const slab = between(random, 0.4, 0.6);
  const tone = between(random, 0.26, 0.38);
  const seed = Math.floor(random() * 1e6);
  const pavement: Material = {
    albedo: [0.3, 0.3, 0.3],
    mirror: 0,
    ground: true,
    surface: (x, y, _z, out) => {
      const row = Math.floor(y / slab);
      const u = x / slab / 1.5 + (row % 2) * 0.5;
      const joint = (((y / slab) % 1) + 1) % 1 < 0.03 || ((u % 1) + 1) % 1 < 0.02;
      const f =
        tone *
        (0.78 +
          0.25 * cloudNoise(x * 0.6, y * 0.6, seed) +
          0.12 * cellNoise(Math.floor(u), row, seed) +
          0.16 * (cellNoise(Math.floor(x * 45), Math.floor(y * 45), seed) - 0.5));
      const g = joint ? f * 0.68 : f;
      set(out, g * 1.02, g, g * 0.95);
    },
  };
  const kerb: Material = { albedo: [0.4, 0.4, 0.38], mirror: 0, grain: 0.3, ground: true };
  // Short pieces near the camera: depth is told per corner only.
  const strip = (y1: number, y2: number, z: number, material: Material): void => {
    for (let x = -20; x < FAR + 20; x += 10) {
      mesh.fan(
        [
          [x, y1, z],
          [x + 10, y1, z],
          [x + 10, y2, z],
          [x, y2, z],
        ],
        [0, 0, 1],
        material,
      );
    }
  };
  strip(0, roadM, 0, road);
  strip(-nearPavementM - 1, -0.14, 0.12, pavement);
  strip(roadM + 0.14, roadM + farPavementM + 1, 0.12, pavement);
  strip(-0.14, 0, 0.122, kerb);
  strip(roadM, roadM + 0.14, 0.122, kerb);
  for (const [y, normal] of [
    [0, 1],
    [roadM, -1],
  ] as const) {
    for (let x = -20; x < FAR; x += 10)
      mesh.fan(
        [
          [x, y, 0],
          [x + 10, y, 0],
          [x + 10, y, 0.122],
          [x, y, 0.122],
        ],
        [0, normal, 0],
        kerb,
      );
  }
  strip(-nearPavementM - 60, -nearPavementM - 1, 0.05, {
    albedo: [0.12, 0.16, 0.06],
    mirror: 0,
    grain: 0.6,
    ground: true,
  });
  return mesh.finish();
}

const set = (out: Float64Array, r: number, g: number, b: number): void => {
  out[0] = r;
  out[1] = g;
  out[2] = b;
  out[3] = out[4] = out[5] = out[6] = 0;
};

/** Asphalt with wheel tracks, patches, cracks, a worn centre line, a zebra and parking bays. */
function roadSurface({ roadM, zebraX }: StreetPlan, random: Random): Surface {
  const seed = Math.floor(random() * 1e6);
  const tone = between(random, 0.075, 0.13);
  const cycleColour = random() < 0.35;
  const patches = Array.from(
    { length: 9 },
    () =>
      [
        between(random, 0, 60),
        between(random, 0.5, roadM - 2),
        between(random, 0.8, 5),
        between(random, 0.5, 2),
        between(random, 0.75, 1.15),
      ] as const,
  );
  const covers = Array.from({ length: 4 }, () => [between(random, 4, 40), between(random, 2, roadM - 3)] as const);
  return (x, y, _z, out) => {
    let f =
      tone *
      (0.86 +
        0.3 * cloudNoise(x * 0.3, y * 0.5, seed) +
        0.4 * (cellNoise(Math.floor(x * 50), Math.floor(y * 50), seed) - 0.5));
    for (const [px, py, pl, pw, shade] of patches) if (x > px && x < px + pl && y > py && y < py + pw) f *= shade;
    for (const lane of [3.1, 6.2])
      f *=
        1 - 0.13 * Math.exp(-(((Math.abs(y - lane) - 0.8) / 0.28) ** 2)) - 0.1 * Math.exp(-(((y - lane) / 0.25) ** 2));
    const crack =
      Math.abs(smoothNoise(x * 0.45, y * 0.45, seed + 7) - 0.5) < 0.0016 * (1 + smoothNoise(x * 3, y * 3, seed + 8));
    if (crack) f *= 0.75;
    let r = f;
    let g = f;
    let b = f * 1.02;
    if (cycleColour && y < 1.45) {
      r = f * 1.9;
      g = f * 0.85;
      b = f * 0.75;
    }
    for (const [cx, cy] of covers) {
      const d = Math.hypot(x - cx, y - cy);
      if (d < 0.36)
        r = g = b = d > 0.32 ? 0.03 : 0.06 + 0.04 * (Math.floor(x * 22) % 2 === Math.floor(y * 22) % 2 ? 1 : 0);
    }
    const dash = (((x + 2) % 6) + 6) % 6;
    const inZebra = Math.abs(x - zebraX) < 1.9;
    const marked =
      (inZebra && y > 0.35 && y < roadM - 0.35 && y % 1 < 0.5) ||
      (!inZebra && Math.abs(y - 4.65) < 0.065 && dash < 3) ||
      (!inZebra && Math.abs(y - 1.5) < 0.05) ||
      (!inZebra && Math.abs(y - 7.85) < 0.045 && dash % 1 < 0.5) ||
      (Math.abs(x - zebraX) > 2.6 &&
        Math.abs(x - zebraX) < 2.95 &&
        y > 1.6 &&
        y < 7.8 &&
        (x < zebraX ? y < 4.6 : y > 4.7));
    if (marked) {
      const worn =
        0.45 +
        0.55 *
          ramp(
            0.32,
            0.5,
            smoothNoise(x * 4, y * 4, seed + 4) * 0.6 +
              cellNoise(Math.floor(x * 40), Math.floor(y * 40), seed + 5) * 0.4,
          );
      r += (0.62 - r) * worn;
      g += (0.62 - g) * worn;
      b += (0.6 - b) * worn;
    }
    // Gutters gather dirt.
    const gutter = 1 - 0.25 * Math.exp(-Math.min(y, roadM - y) / 0.25);
    set(out, r * gutter, g * gutter, b * gutter);
  };
}

/** A row of fronts at `y`, looking to the street: `side` 1 stands on the far side, -1 on the near one. */
function buildRow(houses: readonly House[], y: number, side: 1 | -1): Mesh {
  const mesh = new MeshBuilder();
  const roof: Material = { albedo: [0.09, 0.075, 0.07], mirror: 0, grain: 0.5 };
  for (const { x1, x2, heightM, surface, awning } of houses) {
    const wall: Material = { albedo: [0.4, 0.4, 0.4], mirror: 0, surface };
    mesh.fan(
      [
        [x1, y, 0],
        [x2, y, 0],
        [x2, y, heightM],
        [x1, y, heightM],
      ],
      [0, -side, 0],
      wall,
    );
    const edge: Material = { albedo: [0.3, 0.28, 0.26], mirror: 0, grain: 0.2 };
    for (const x of [x1, x2]) {
      const out = x === x1 ? -1 : 1;
      mesh.fan(
        [
          [x, y, 0],
          [x, y + side * 8, 0],
          [x, y + side * 8, heightM],
          [x, y, heightM],
        ],
        [out, 0, 0],
        edge,
      );
    }
    mesh.block([x1, Math.min(y - side * 0.25, y), heightM - 0.18], [x2, Math.max(y - side * 0.25, y), heightM], edge);
    mesh.fan(
      [
        [x1, y, heightM],
        [x2, y, heightM],
        [x2, y + side * 5, heightM + 2.6],
        [x1, y + side * 5, heightM + 2.6],
      ],
      [0, -side * 0.45, 0.89],
      roof,
    );
    if (awning) {
      const cloth: Material = { albedo: awning, mirror: 0, twoSided: true };
      const light: Material = { albedo: [0.65, 0.63, 0.58], mirror: 0, twoSided: true };
      const bays = Math.floor((x2 - x1 - 1.2) / 0.5);
      for (let k = 0; k < bays; k++) {
        const a = x1 + 0.6 + k * 0.5;
        mesh.fan(
          [
            [a, y, 2.85],
            [a + 0.5, y, 2.85],
            [a + 0.5, y - side * 1.1, 2.3],
            [a, y - side * 1.1, 2.3],
          ],
          [0, -side * 0.45, 0.89],
          k % 2 ? cloth : light,
        );
        mesh.fan(
          [
            [a, y - side * 1.1, 2.3],
            [a + 0.5, y - side * 1.1, 2.3],
            [a + 0.5, y - side * 1.1, 2.1],
            [a, y - side * 1.1, 2.1],
          ],
          [0, -side, 0],
          k % 2 ? cloth : light,
        );
      }
    }
  }
  return mesh.finish();
}

function buildHedge({ nearPavementM }: StreetPlan, random: Random): Mesh {
  const mesh = new MeshBuilder();
  const y = -nearPavementM - 0.3;
  const height = between(random, 0.9, 1.5);
  for (let n = 0; n < 5200; n++) {
    const x = between(random, 2, 60);
    addLeaf(mesh, [x, y - random() ** 2 * 0.7, 0.1 + height * random()], 0.12, random, LEAVES[0]!);
  }
  mesh.block([-10, y - 1, 0], [FAR, y - 0.3, height - 0.1], { albedo: [0.015, 0.025, 0.01], mirror: 0 });
  return mesh.finish();
}

/** Houses across the end of the street. */
function buildEnd(random: Random, light: Light): Mesh {
  const mesh = new MeshBuilder();
  for (const { x1, x2, heightM, surface } of rowOfHouses(random, light, -60, 80)) {
    const turned: Surface = (_x, y, z, out) => surface(y, 0, z, out);
    mesh.fan(
      [
        [FAR, x1, 0],
        [FAR, x2, 0],
        [FAR, x2, heightM],
        [FAR, x1, heightM],
      ],
      [-1, 0, 0],
      { albedo: [0.4, 0.4, 0.4], mirror: 0, surface: turned },
    );
  }
  return mesh.finish();
}

function addLamps(mesh: MeshBuilder, plan: StreetPlan, random: Random, light: Light): void {
  const pole = metal([0.09, 0.095, 0.1]);
  const head: Material = {
    albedo: [0.6, 0.6, 0.58],
    mirror: 0.1,
    ...(light.lamps && { glow: [6, 4.6, 2.8] as const }),
  };
  const start = between(random, 7, 16);
  for (let x = start; x < 120; x += 22) {
    const y = plan.roadM + 0.45;
    mesh.limb([x, y, 0.1], [x, y, 6.5], 0.09, 0.055, pole);
    mesh.limb([x, y, 6.45], [x, y - 1.4, 6.75], 0.045, 0.04, pole);
    mesh.block([x - 0.12, y - 1.9, 6.7], [x + 0.12, y - 1.3, 6.82], head);
  }
}

function addSmallThings(mesh: MeshBuilder, plan: StreetPlan, random: Random): void {
  const wallY = plan.roadM + plan.farPavementM;
  const sign = (x: number, y: number): void => {
    mesh.limb([x, y, 0.1], [x, y, 2.5], 0.03, 0.03, metal([0.2, 0.2, 0.2]));
    const face: Material = { albedo: srgb(pick(random, ['#1d4f9c', '#b01c1c', '#e8e8e8', '#e0b21c'])), mirror: 0.04 };
    mesh.disc([x - 0.035, y, 2.3], [-1, 0, 0], 0.3, 0, face, 18);
    mesh.disc([x - 0.04, y, 2.3], [-1, 0, 0], 0.22, 0, { albedo: [0.7, 0.7, 0.7], mirror: 0.04 }, 18);
  };
  sign(plan.zebraX - 2.6, plan.roadM + 0.4);
  sign(between(random, 20, 40), plan.roadM + 0.4);
  for (let n = 0; n < 2; n++) {
    const x = between(random, 6, 30);
    mesh.loft(
      [0.1, 0.2, 0.85, 0.92].map((z) =>
        Array.from(
          { length: 12 },
          (_, k): Vec3 => [x + 0.24 * Math.cos((k / 6) * Math.PI), wallY - 0.3 + 0.24 * Math.sin((k / 6) * Math.PI), z],
        ),
      ),
      { ...plastic, albedo: [0.03, 0.06, 0.04] },
      { caps: [undefined, plastic], crease: 0.7 },
    );
  }
  const posts = between(random, 3, 9);
  if (random() < 0.5) {
    for (let k = 0; k < 8; k++)
      mesh.limb([posts + k * 1.6, plan.roadM + 0.4, 0.1], [posts + k * 1.6, plan.roadM + 0.4, 0.95], 0.055, 0.05, {
        albedo: [0.05, 0.05, 0.05],
        mirror: 0.03,
      });
  }
}

const LEAVES: readonly Material[] = ['#42602a', '#55722f', '#3a5526', '#5c7638', '#66723a', '#34502a'].map((hex) => ({
  albedo: dim(srgb(hex), 0.8),
  mirror: 0.02,
  twoSided: true,
}));

function addLeaf(mesh: MeshBuilder, at: Vec3, size: number, random: Random, material: Material): void {
  const a = random() * Math.PI * 2;
  const tilt = random() * 2 - 1;
  const u: Vec3 = [Math.cos(a) * size, Math.sin(a) * size, tilt * size * 0.6];
  const v: Vec3 = [-Math.sin(a) * size * tilt, Math.cos(a) * size * tilt, size * (1 - Math.abs(tilt) * 0.5)];
  const n: Vec3 = [Math.sin(a) * 0.6, -Math.cos(a) * 0.6, 0.55 + 0.3 * random()];
  mesh.fan([plus(at, u), plus(at, v), plus(at, [-u[0], -u[1], -u[2]]), plus(at, [-v[0], -v[1], -v[2]])], n, material);
}

function plantTrees(plan: StreetPlan, random: Random): Mesh[] {
  const trees: Mesh[] = [];
  if (random() < 0.25) return trees;
  const leaves = pick(random, [LEAVES.slice(0, 3), LEAVES.slice(1, 4), LEAVES.slice(2, 6)]);
  const spacing = between(random, 8, 14);
  for (let x = between(random, 4, 10); x < 75; x += spacing * between(random, 0.85, 1.2))
    trees.push(tree(random, [x, plan.roadM + 0.5, 0.1], leaves));
  return trees;
}

function tree(random: Random, foot: Vec3, leaves: readonly Material[]): Mesh {
  const mesh = new MeshBuilder();
  const trunkM = between(random, 2.4, 3.2);
  const bark: Material = { albedo: [0.09, 0.07, 0.055], mirror: 0, grain: 0.7 };
  const radius = between(random, 0.1, 0.17);
  const lean = between(random, -0.15, 0.15);
  const crown = plus(foot, [lean, 0, trunkM]);
  mesh.limb(foot, crown, radius, radius * 0.7, bark, 0, 8);
  const blobs = Array.from({ length: 9 }, (): { at: Vec3; r: number } => ({
    at: plus(crown, [between(random, -1.5, 1.5), between(random, -1.3, 1.3), between(random, 0.5, 3.6)]),
    r: between(random, 0.8, 1.35),
  }));
  for (const { at, r } of blobs) {
    mesh.limb(plus(crown, [0, 0, -0.3]), at, radius * 0.45, 0.02, bark, 0, 6);
    for (let n = 0; n < 300; n++) {
      const a = random() * 2 * Math.PI;
      const z = random() * 2 - 1;
      const d = r * (0.55 + 0.5 * random() ** 0.5);
      const flat = Math.sqrt(1 - z * z);
      addLeaf(
        mesh,
        plus(at, [d * flat * Math.cos(a), d * flat * Math.sin(a), d * z * 0.85]),
        between(random, 0.09, 0.17),
        random,
        dimmed(leaves, random, z),
      );
    }
  }
  return mesh.finish();
}

/** Leaves below and within are darker. Few tones, so that the palette stays small. */
function dimmed(leaves: readonly Material[], random: Random, z: number): Material {
  return pick(random, leaves.slice(0, z < -0.3 ? 1 : leaves.length));
}
