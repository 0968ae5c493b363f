import { dim, type Material, metal, paint, plastic, type Rgb, rubber, srgb } from './material.js';
import type { MeshBuilder } from './mesh.js';
import type { Seating } from './pose.js';
import { between, pick, type Random } from './random.js';
import { blend, plus, type Vec3 } from './vector.js';

/** Bicycle or motorcycle made of chance; it stands over the origin and looks along x. */
export interface BicycleLook {
  readonly frame: Material;
  /** Radius of the wheels, m. */
  readonly wheelM: number;
  readonly saddleM: number;
  readonly upright: boolean;
  readonly basket: boolean;
}

export interface MotorcycleLook {
  readonly body: Material;
  readonly scooter: boolean;
}

const COLOURS = ['#16181c', '#16181c', '#a3181c', '#1d4f91', '#dcdcda', '#2e6b3f', '#c9a227', '#5b6068', '#8fb8c9'];
const colour = (random: Random): Rgb => dim(srgb(pick(random, COLOURS)), between(random, 0.8, 1.1));

export const randomBicycle = (random: Random): BicycleLook => ({
  frame: paint(colour(random)),
  wheelM: between(random, 0.33, 0.35),
  saddleM: between(random, 0.92, 1),
  upright: random() < 0.6,
  basket: random() < 0.3,
});

export const randomMotorcycle = (random: Random): MotorcycleLook => ({
  body: paint(colour(random)),
  scooter: random() < 0.45,
});

const LEFT: Vec3 = [0, 1, 0];
const RIGHT: Vec3 = [0, -1, 0];

/**
 * Spokes: what lies behind shines through, yet the disc belongs to the bicycle, as people who outline bicycles for
 * COCO see it.
 */
const spokes: Material = { albedo: [0.16, 0.16, 0.17], mirror: 0.02, cover: 0.22, twoSided: true };

/** Seat, grips and pedals at a turn of the cranks (radians). */
export function bicycleSeating(look: BicycleLook, crank: number): Seating {
  const pedal = (angle: number, y: number): Vec3 => [-0.04 + 0.17 * Math.cos(angle), y, 0.3 + 0.17 * Math.sin(angle)];
  return {
    seat: [-0.24, 0, look.saddleM],
    grip: look.upright ? [0.26, 0.27, 1.08] : [0.42, 0.22, 0.98],
    feet: [pedal(-crank, 0.12), pedal(-crank + Math.PI, -0.12)],
    lean: look.upright ? 0.28 : 0.65,
  };
}

export function addBicycle(mesh: MeshBuilder, look: BicycleLook, crank: number): void {
  const { wheelM: r, frame } = look;
  const rear: Vec3 = [-0.52, 0, r];
  const front: Vec3 = [0.53, 0, r];
  const bottom: Vec3 = [-0.04, 0, 0.3];
  const seat: Vec3 = [-0.22, 0, look.saddleM - 0.08];
  const low: Vec3 = [0.35, 0, 0.66];
  const high: Vec3 = [0.3, 0, 0.86];
  const chrome = metal([0.35, 0.35, 0.36]);
  for (const hub of [rear, front]) {
    mesh.tyre(hub, LEFT, r - 0.018, 0.022, rubber);
    mesh.tyre(hub, LEFT, r - 0.045, 0.012, chrome);
    mesh.limb(plus(hub, [0, 0.05, 0]), plus(hub, [0, -0.05, 0]), 0.03, 0.03, chrome, 0, 6);
    mesh.disc(hub, LEFT, r - 0.04, 0.01, spokes);
  }
  const tube = (a: Vec3, b: Vec3, radius = 0.019, material = frame): void => {
    mesh.limb(a, b, radius, radius, material, 0, 7);
  };
  tube(bottom, low, 0.023);
  tube(blend(bottom, seat, 0.85), high, 0.02);
  tube(bottom, seat);
  tube(low, plus(high, [-0.02, 0, 0.06]), 0.022);
  for (const y of [0.05, -0.05]) {
    tube(plus(rear, [0, y, 0]), plus(bottom, [0, y * 0.6, 0]), 0.012);
    tube(plus(rear, [0, y, 0]), plus(blend(bottom, seat, 0.8), [0, y * 0.5, 0]), 0.011);
    tube(plus(front, [0, y, 0]), plus(low, [0, y * 0.7, 0]), 0.015);
  }
  const grip = bicycleSeating(look, 0).grip;
  const stem: Vec3 = [grip[0] + (look.upright ? 0.06 : -0.02), 0, grip[2] - 0.02];
  tube(high, stem, 0.016, chrome);
  for (const side of [1, -1]) {
    tube(stem, [grip[0], side * grip[1], grip[2]], 0.013, chrome);
    tube([grip[0], side * grip[1], grip[2]], [grip[0] - 0.12, side * (grip[1] + 0.02), grip[2] - 0.01], 0.018, plastic);
  }
  tube(seat, plus(seat, [-0.01, 0, 0.06]), 0.015, chrome);
  mesh.ellipsoid(
    plus(seat, [-0.01, 0, 0.085]),
    [
      [0.13, 0, 0],
      [0, 0.07, 0],
      [0, 0, 0.035],
    ],
    plastic,
    5,
    10,
  );
  mesh.disc(plus(bottom, [0, -0.06, 0]), RIGHT, 0.1, 0.07, { ...plastic, twoSided: true });
  for (const [side, turn] of [
    [1, 0],
    [-1, Math.PI],
  ] as const) {
    const at: Vec3 = [
      bottom[0] + 0.17 * Math.cos(-crank + turn),
      side * 0.09,
      bottom[2] + 0.17 * Math.sin(-crank + turn),
    ];
    tube(plus(bottom, [0, side * 0.08, 0]), at, 0.013, chrome);
    mesh.block(
      plus(at, [-0.045, side > 0 ? 0 : -0.09, -0.012]),
      plus(at, [0.045, side > 0 ? 0.09 : 0, 0.012]),
      plastic,
    );
  }
  if (look.basket) {
    const straw: Material = { albedo: [0.16, 0.11, 0.06], mirror: 0.02, grain: 0.8, grainPerM: 40 };
    mesh.block([0.42, -0.17, 0.82], [0.68, 0.17, 1.04], straw);
  }
}

/** Seat, grips and foot rests. */
export function motorcycleSeating(look: MotorcycleLook): Seating {
  return look.scooter
    ? {
        seat: [-0.28, 0, 0.76],
        grip: [0.38, 0.3, 1.02],
        feet: [
          [0.2, 0.14, 0.3],
          [0.2, -0.14, 0.3],
        ],
        lean: 0.12,
      }
    : {
        seat: [-0.25, 0, 0.8],
        grip: [0.38, 0.34, 1.03],
        feet: [
          [-0.12, 0.2, 0.36],
          [-0.12, -0.2, 0.36],
        ],
        lean: 0.32,
      };
}

export function addMotorcycle(mesh: MeshBuilder, look: MotorcycleLook): void {
  const r = look.scooter ? 0.25 : 0.31;
  const rear: Vec3 = [-0.62, 0, r];
  const front: Vec3 = [0.72, 0, r];
  const steel = metal([0.28, 0.28, 0.29]);
  const dark: Material = { albedo: [0.035, 0.035, 0.038], mirror: 0.06 };
  for (const hub of [rear, front]) {
    mesh.tyre(hub, LEFT, r - 0.055, 0.06, rubber, 22);
    for (const side of [LEFT, RIGHT]) {
      mesh.disc(plus(hub, [0, side[1] * 0.035, 0]), side, r - 0.09, 0, (k) => (k % 4 < 2 ? steel : dark), 20);
    }
  }
  const egg = (centre: Vec3, x: number, y: number, z: number, material: Material, tilt = 0): void => {
    const c = Math.cos(tilt);
    const s = Math.sin(tilt);
    mesh.ellipsoid(
      centre,
      [
        [x * c, 0, x * s],
        [0, y, 0],
        [-z * s, 0, z * c],
      ],
      material,
      8,
      12,
    );
  };
  if (look.scooter) {
    egg([-0.42, 0, 0.56], 0.46, 0.17, 0.2, look.body, 0.1);
    egg([-0.3, 0, 0.75], 0.4, 0.15, 0.07, plastic);
    mesh.block([-0.1, -0.16, 0.24], [0.42, 0.16, 0.32], dark);
    egg([0.46, 0, 0.66], 0.1, 0.22, 0.4, look.body, 0.2);
    egg([0.72, 0, 0.42], 0.26, 0.11, 0.14, look.body, -0.1);
  } else {
    egg([-0.02, 0, 0.5], 0.32, 0.16, 0.23, dark);
    egg([0.12, 0, 0.83], 0.32, 0.16, 0.15, look.body, 0.12);
    egg([-0.4, 0, 0.8], 0.42, 0.13, 0.075, plastic, -0.12);
    egg([-0.68, 0, 0.82], 0.22, 0.1, 0.09, look.body, -0.3);
    egg([0.72, 0, r + 0.2], 0.26, 0.08, 0.1, look.body);
    mesh.limb([0.05, -0.18, 0.3], [-0.75, -0.2, 0.42], 0.05, 0.07, steel);
    egg([0.52, 0, 0.9], 0.16, 0.18, 0.2, look.body, 0.4);
  }
  const bar: Vec3 = [0.46, 0, 1];
  for (const y of [0.09, -0.09]) mesh.limb(plus(front, [0, y, 0]), plus(bar, [0.02, y, -0.05]), 0.032, 0.034, steel);
  mesh.limb([-0.62, 0.1, r], [-0.05, 0.1, 0.4], 0.04, 0.05, dark);
  const { grip } = motorcycleSeating(look);
  for (const side of [1, -1]) {
    mesh.limb(bar, [grip[0], side * grip[1], grip[2]], 0.018, 0.022, plastic);
    mesh.limb([0.44, side * 0.2, 1.02], [0.42, side * 0.3, 1.2], 0.008, 0.008, plastic, 0, 6);
    egg([0.42, side * 0.31, 1.22], 0.02, 0.07, 0.045, plastic);
  }
  egg([0.62, 0, 0.92], 0.06, 0.1, 0.1, { albedo: [0.7, 0.7, 0.68], mirror: 0.2, glow: [0.5, 0.48, 0.4] });
  egg([-0.88, 0, 0.76], 0.05, 0.07, 0.04, { albedo: [0.5, 0.02, 0.02], mirror: 0.1, glow: [0.25, 0.01, 0.01] });
}
