import { HATCH, SALOON, SUV } from './car-forms.js';
import { dim, glass, type Material, metal, paint, plastic, type Rgb, rubber, srgb } from './material.js';
import { type Mesh, MeshBuilder } from './mesh.js';
import { between, pick, type Random } from './random.js';
import type { Vec3 } from './vector.js';

/** Cars, buses, trucks: rigid bodies over the origin that look along x. */

export type VehicleKind = 'car' | 'bus' | 'truck';

/** Length and width in metres, for the room it takes. */
export interface VehicleShape {
  readonly mesh: Mesh;
  readonly lengthM: number;
  readonly widthM: number;
}

export function randomVehicle(kind: VehicleKind, random: Random, lamps: boolean): VehicleShape {
  if (kind === 'bus') return bus(random, lamps);
  if (kind === 'truck') return truck(random, lamps);
  return car(random, lamps);
}

const CAR_COLOURS = [
  '#e8e8e6',
  '#e8e8e6',
  '#c3c6c9',
  '#a3a7ab',
  '#6f7479',
  '#3a3d41',
  '#15171a',
  '#15171a',
  '#7c1216',
  '#a81c1e',
  '#17335f',
  '#27568f',
  '#2f4a3a',
  '#8a7f6c',
  '#c9bfa8',
  '#b8541f',
];
const headlight = (on: boolean): Material => ({
  albedo: [0.75, 0.76, 0.78],
  mirror: 0.3,
  glow: on ? [4, 3.7, 3] : [0.12, 0.12, 0.12],
});
const rearlight = (on: boolean): Material => ({
  albedo: [0.4, 0.012, 0.012],
  mirror: 0.12,
  glow: on ? [1.3, 0.05, 0.03] : [0.05, 0.002, 0.002],
});
const plate: Material = { albedo: [0.75, 0.75, 0.72], mirror: 0.03 };

function car(random: Random, lamps: boolean): VehicleShape {
  const form = pick(random, [SALOON, SALOON, HATCH, HATCH, SUV]);
  const body = paint(dim(srgb(pick(random, CAR_COLOURS)), between(random, 0.85, 1)));
  const { length, half, stations } = form;
  const mesh = new MeshBuilder();
  const rings = stations.map(([along, wide, sill, belt, roof]): Vec3[] => {
    const x = (along - 0.5) * length;
    const w = wide * half;
    const top = w * (0.93 - 0.2 * Math.min(1, Math.max(0, (roof - belt) / 0.5)));
    const side: [number, number][] = [
      [0, sill],
      [w * 0.86, sill],
      [w * 0.975, sill + 0.1],
      [w, sill + (belt - sill) * 0.42],
      [w * 0.99, sill + (belt - sill) * 0.75],
      [w * 0.965, belt - 0.035],
      [w * 0.93, belt],
      [top * 1.02, Math.max(belt + 0.004, roof - 0.07)],
      [top * 0.93, roof - 0.012],
      [top * 0.5, roof + 0.008],
    ];
    const centre: [number, number] = [0, roof + 0.014];
    const around = [
      ...side,
      centre,
      ...side
        .slice(1)
        .reverse()
        .map(([y, z]): [number, number] => [-y, z]),
    ];
    return around.map(([y, z]): Vec3 => [x, y, z]);
  });
  const sides = rings[0]!.length;
  const [windowStart, windowEnd] = form.windows;
  mesh.loft(
    rings,
    (i, k) => {
      const mirrored = k < sides / 2 ? k : sides - 1 - k;
      const [from, , , beltA, roofA] = stations[i]!;
      const [to, , , beltB, roofB] = stations[i + 1]!;
      if (mirrored === 0 || mirrored === 1) return plastic;
      const slope = roofB - roofA;
      const house = Math.max(roofA - beltA, roofB - beltB) > 0.2;
      if (mirrored === 6 && house && from >= windowStart && to <= windowEnd + 0.03 && to - from > 0.03) return glass;
      if (mirrored >= 8 && house && Math.abs(slope) > 0.2) return glass;
      if (mirrored === 4 && to > 0.97) return headlight(lamps);
      if (mirrored === 3 && to > 0.97 && form === SUV) return headlight(lamps);
      if ((mirrored === 4 || mirrored === 5) && from < 0.01) return rearlight(lamps);
      return body;
    },
    { crease: 0.72, caps: [body, plastic] },
  );
  const nose = stations.at(-1)!;
  const front = length / 2;
  mesh.block([front - 0.02, -0.26, nose[2] + 0.06], [front + 0.012, 0.26, nose[2] + 0.16], plate);
  mesh.block(
    [front - 0.12, -half * 0.5, nose[3] - 0.02],
    [front - 0.002, half * 0.5, nose[3] + 0.035],
    metal([0.09, 0.09, 0.095]),
  );
  mesh.block([-front - 0.012, -0.26, stations[0]![2] + 0.16], [-front + 0.02, 0.26, stations[0]![2] + 0.27], plate);
  mesh.block(
    [-front + 0.015, -half * 0.8, stations[0]![2] - 0.08],
    [-front + 0.1, half * 0.8, stations[0]![2] + 0.04],
    plastic,
  );
  for (const side of [1, -1]) {
    mesh.ellipsoid(
      [(form.windows[1] - 0.535) * length, side * (half + 0.1), stations[8]![3] + 0.08],
      [
        [0.07, 0, 0],
        [0, 0.1, 0],
        [0, 0, 0.07],
      ],
      body,
      6,
      8,
    );
    const low = stations[7]![3] - 0.14;
    for (const door of [0.36, 0.53]) {
      mesh.block(
        [(door - 0.5) * length, side * half * 0.985 - 0.02, low],
        [(door - 0.5) * length + 0.17, side * half * 0.985 + 0.025, low + 0.025],
        metal(dim(body.albedo, 0.6)),
      );
    }
    for (const axle of form.axles)
      addWheel(mesh, [(axle - 0.5) * length, side * half, form.wheel], side, form.wheel, 0.2);
  }
  return { mesh: mesh.finish(), lengthM: length, widthM: half * 2 };
}

/** A wheel whose outer face is flush with `centre`, in its dark arch. */
function addWheel(mesh: MeshBuilder, centre: Vec3, side: number, radius: number, width: number): void {
  const out: Vec3 = [0, side, 0];
  const [x, y, z] = centre;
  const arch: Material = { albedo: [0.006, 0.006, 0.006], mirror: 0 };
  const rim = metal([0.3, 0.3, 0.31]);
  const gap: Material = { albedo: [0.02, 0.02, 0.02], mirror: 0.02 };
  mesh.disc([x, y + side * 0.006, z + 0.02], out, radius * 1.2, 0, arch, 24);
  const face = y + side * 0.03;
  const ring = (at: number, r: number): Vec3[] =>
    Array.from({ length: 24 }, (_, k): Vec3 => {
      const a = (k / 24) * 2 * Math.PI;
      return [x + r * Math.cos(a), at, z + r * Math.sin(a)];
    });
  mesh.loft([ring(face - side * width, radius), ring(face - side * 0.03, radius), ring(face, radius * 0.94)], rubber);
  mesh.disc([x, face, z], out, radius * 0.945, radius * 0.68, rubber, 24);
  mesh.disc([x, face - side * 0.004, z], out, radius * 0.69, radius * 0.6, rim, 24);
  mesh.disc([x, face - side * 0.012, z], out, radius * 0.62, radius * 0.14, (k) => (k % 4 < 2 ? rim : gap), 20);
  mesh.disc([x, face, z], out, radius * 0.16, 0, rim, 10);
}

/** Sections of a box-like body: half width and height around; x rear to front. */
function boxRings(
  xs: readonly (readonly [x: number, shrink: number])[],
  half: number,
  heights: readonly number[],
): Vec3[][] {
  return xs.map(([x, shrink]) => {
    const w = half * shrink;
    const last = heights.length - 1;
    const side = heights.map((z, k): [number, number] => [
      k === last ? w * 0.82 : k === last - 1 ? w * 0.985 : w,
      k === last ? z - (1 - shrink) * 0.8 : z,
    ]);
    const around = [
      ...side,
      [0, side[last]![1] + 0.03] as [number, number],
      ...[...side].reverse().map(([y, z]): [number, number] => [-y, z]),
      [0, heights[0]!] as [number, number],
    ];
    return around.map(([y, z]): Vec3 => [x, y, z]);
  });
}

function bus(random: Random, lamps: boolean): VehicleShape {
  const length = between(random, 9.5, 11.8);
  const half = 1.26;
  const colour = srgb(pick(random, ['#b3202a', '#d9d9d6', '#2a5b9c', '#d8a527', '#2f7a55', '#e4e2dc']));
  const body = paint(colour);
  const band = paint(random() < 0.5 ? dim(colour, 0.35) : srgb('#e0e0dc'));
  const inside: Material = lamps ? { ...glass, glow: [0.34, 0.31, 0.24] } : glass;
  const mesh = new MeshBuilder();
  const rear = -length / 2;
  const front = length / 2;
  const xs: [number, number][] = [
    [rear, 0.93],
    [rear + 0.08, 0.99],
    [rear + 0.5, 1],
  ];
  const bays = Math.round((length - 2.2) / 1.5);
  const bay = (length - 2.2) / bays;
  for (let k = 0; k < bays; k++) xs.push([rear + 0.5 + k * bay + 0.08, 1], [rear + 0.5 + (k + 1) * bay, 1]);
  xs.push([front - 1.55, 1], [front - 0.5, 1], [front - 0.42, 1], [front - 0.1, 0.985], [front, 0.92]);
  const heights = [0.32, 0.5, 1.15, 1.28, 2.45, 2.6, 2.98, 3.1];
  mesh.loft(
    boxRings(xs, half, heights),
    (i, k) => {
      const sides = heights.length * 2 + 2;
      const m = k < heights.length ? k : sides - 3 - k;
      const wide = xs[i + 1]![0] - xs[i]![0];
      if (k === sides - 1 || k === sides - 2) return plastic;
      if (m === 3 && wide > 0.5) return inside;
      if ((m === 1 || m === 2) && i === xs.length - 5 && k < heights.length) return inside;
      if (m === 0) return plastic;
      return m === 1 || m === 4 ? band : body;
    },
    { crease: 0.8, caps: [body, body] },
  );
  const x = front + 0.012;
  mesh.fan(
    [
      [x, -1.08, 1.05],
      [x, 1.08, 1.05],
      [x, 1.04, 2.45],
      [x, -1.04, 2.45],
    ],
    [1, 0, 0],
    inside,
  );
  mesh.fan(
    [
      [x, -0.9, 2.56],
      [x, 0.9, 2.56],
      [x, 0.9, 2.88],
      [x, -0.9, 2.88],
    ],
    [1, 0, 0],
    plastic,
  );
  for (let letter = 0; letter < 9; letter++) {
    if (letter === 2) continue;
    const y = -0.7 + letter * 0.16;
    mesh.fan(
      [
        [x + 0.004, y, 2.63],
        [x + 0.004, y + 0.1, 2.63],
        [x + 0.004, y + 0.1, 2.82],
        [x + 0.004, y, 2.82],
      ],
      [1, 0, 0],
      { albedo: [0.5, 0.3, 0.05], mirror: 0, glow: [0.7, 0.33, 0.04] },
    );
  }
  const behind = rear - 0.012;
  mesh.fan(
    [
      [behind, -0.95, 1.6],
      [behind, 0.95, 1.6],
      [behind, 0.92, 2.5],
      [behind, -0.92, 2.5],
    ],
    [-1, 0, 0],
    inside,
  );
  for (const side of [1, -1]) {
    const light = (at: number, low: number, high: number, y: number, normal: number, material: Material): void => {
      mesh.fan(
        [
          [at, side * y, low],
          [at, side * (y + 0.22), low],
          [at, side * (y + 0.22), high],
          [at, side * y, high],
        ],
        [normal, 0, 0],
        material,
      );
    };
    light(x, 0.6, 0.82, 0.75, 1, headlight(lamps));
    light(behind, 0.7, 1.15, 0.85, -1, rearlight(lamps));
    mesh.block([front + 0.05, side * 1.36 - 0.08, 1.9], [front + 0.14, side * 1.36 + 0.08, 2.35], plastic);
    mesh.limb([front - 0.1, side * 1.15, 2.55], [front + 0.1, side * 1.36, 2.33], 0.025, 0.025, plastic);
    for (const axle of [rear + 2.6, front - 2.5]) addWheel(mesh, [axle, side * half, 0.48], side, 0.48, 0.3);
  }
  mesh.block([front - 0.02, -1.1, 0.35], [front + 0.05, 1.1, 0.55], plastic);
  mesh.block([front + 0.03, -0.26, 0.42], [front + 0.06, 0.26, 0.53], plate);
  return { mesh: mesh.finish(), lengthM: length, widthM: half * 2 };
}

function truck(random: Random, lamps: boolean): VehicleShape {
  const load = between(random, 4.2, 6.2);
  const length = load + 2.2;
  const half = 1.2;
  const colour: Rgb = srgb(pick(random, ['#e6e6e4', '#e6e6e4', '#1f4a86', '#a81f22', '#d9b43a', '#3c7a4c']));
  const cab = paint(colour);
  const side0: Material = {
    albedo: random() < 0.6 ? [0.72, 0.72, 0.7] : dim(colour, 0.9),
    mirror: 0.03,
    grain: 0.12,
    grainPerM: 1.5,
  };
  const sign: Material = {
    albedo: srgb(pick(random, ['#1f4a86', '#a81f22', '#2a7a4a', '#d07a1c', '#222222'])),
    mirror: 0.03,
  };
  const mesh = new MeshBuilder();
  const front = length / 2;
  const rear = -length / 2;
  const top = between(random, 3.1, 3.6);
  mesh.block([rear, -half, 1.0], [rear + load, half, top], side0);
  mesh.block([rear - 0.01, -half - 0.02, 0.96], [rear + load + 0.01, half + 0.02, 1.06], metal([0.18, 0.18, 0.18]));
  mesh.block(
    [rear - 0.015, -half - 0.015, top - 0.08],
    [rear + load + 0.01, half + 0.015, top + 0.02],
    metal([0.3, 0.3, 0.3]),
  );
  for (const x of [-0.02, 0])
    mesh.block([rear - 0.02, x - 0.01, 1.1], [rear, x + 0.02, top - 0.1], metal([0.2, 0.2, 0.2]));
  mesh.block([rear + 0.1, -0.5, 0.62], [front - 0.5, 0.5, 0.95], plastic);
  mesh.block([rear + 0.02, -half * 0.95, 0.5], [rear + 0.12, half * 0.95, 0.66], plastic);
  const back = rear + load + 0.18;
  const xs = [back, back + 0.25, back + 0.3, back + 1.25, front - 0.35, front - 0.05, front];
  const lift = [2.62, 2.66, 2.66, 2.66, 2.55, 1.55, 1.5];
  const rings = xs.map((x, i): Vec3[] => {
    const w = half * 0.97 * (i === 6 ? 0.95 : 1);
    const roof = lift[i]!;
    const belt = 1.5;
    const t = w * (roof > 2 ? 0.92 : 0.98);
    const around: [number, number][] = [
      [0, 0.45],
      [w, 0.45],
      [w, 0.95],
      [w, belt],
      [t, Math.max(belt + 0.005, roof - 0.22)],
      [t * 0.93, roof],
      [0, roof + 0.03],
    ];
    return [
      ...around,
      ...around
        .slice(1, -1)
        .reverse()
        .map(([y, z]): [number, number] => [-y, z]),
    ].map(([y, z]): Vec3 => [x, y, z]);
  });
  mesh.loft(
    rings,
    (i, k) => {
      const m = k < 6 ? k : 11 - k;
      if (m === 0) return plastic;
      if (m === 3 && (i === 2 || i === 3)) return glass;
      if (m === 5 && i === 4) return glass;
      return cab;
    },
    { crease: 0.8, caps: [cab, cab] },
  );
  mesh.block([front - 0.03, -half * 0.9, 0.45], [front + 0.06, half * 0.9, 0.75], plastic);
  mesh.block([front - 0.01, -half * 0.55, 0.95], [front + 0.02, half * 0.55, 1.35], plastic);
  mesh.block([front + 0.05, -0.26, 0.52], [front + 0.075, 0.26, 0.63], plate);
  for (const side of [1, -1]) {
    const y = side * (half + 0.004);
    const low = 1.4 + random() * 0.3;
    for (let letter = 0; letter < 6; letter++) {
      const x0 = rear + 0.7 + letter * 0.55;
      if (letter === 3 || x0 + 0.4 > rear + load) continue;
      mesh.fan(
        [
          [x0, y, low],
          [x0 + 0.38, y, low],
          [x0 + 0.38, y, low + 0.6],
          [x0, y, low + 0.6],
        ],
        [0, side, 0],
        sign,
      );
    }
    mesh.block([front - 0.02, side * 0.85 - 0.15, 0.8], [front + 0.03, side * 0.85 + 0.15, 0.98], headlight(lamps));
    mesh.block([rear - 0.03, side * 0.9 - 0.14, 0.7], [rear, side * 0.9 + 0.14, 0.86], rearlight(lamps));
    mesh.block([front - 0.35, side * 1.34 - 0.07, 1.7], [front - 0.25, side * 1.34 + 0.07, 2.2], plastic);
    for (const axle of [rear + 1.3, front - 0.95]) addWheel(mesh, [axle, side * half * 0.99, 0.46], side, 0.46, 0.3);
  }
  return { mesh: mesh.finish(), lengthM: length, widthM: half * 2 };
}
