import { dim, type Material, metal, plastic } from './material.js';
import { circle, type MeshBuilder } from './mesh.js';
import type { PersonLook } from './person-look.js';
import { type ArmHabit, backOf, type Pose } from './pose.js';
import { blend, cross, minus, plus, times, unit, type Vec3 } from './vector.js';

/** Adds a dressed body in a pose. */
export function addPerson(mesh: MeshBuilder, look: PersonLook, pose: Pose): void {
  const h = look.build.height;
  const girth = look.build.girth;
  addTorso(mesh, look, pose);
  for (const k of [0, 1] as const) {
    const [hip, knee, ankle, toe] = [pose.hips[k], pose.knees[k], pose.ankles[k], pose.toes[k]];
    const bare = look.legs === 'trousers' ? look.legwear : look.skin;
    const loose = look.legs === 'trousers' ? 1.12 : 1;
    mesh.limb(
      hip,
      knee,
      0.05 * h * girth * loose,
      0.034 * h * loose,
      look.legs === 'skirt' ? look.skin : look.legwear,
      0.006 * h,
    );
    mesh.limb(knee, ankle, 0.032 * h * loose, (look.legs === 'trousers' ? 0.027 : 0.019) * h, bare, 0.007 * h);
    addShoe(mesh, look, knee, ankle, toe);
    const [shoulder, elbow, wrist] = [pose.shoulders[k], pose.elbows[k], pose.wrists[k]];
    const thick = look.sleeves === 'long' ? look.bulk * 1.12 : 1;
    if (look.sleeves === 'short') {
      mesh.limb(shoulder, blend(shoulder, elbow, 0.62), 0.033 * h * look.bulk, 0.03 * h * look.bulk, look.top);
      mesh.limb(blend(shoulder, elbow, 0.4), elbow, 0.026 * h, 0.022 * h, look.skin);
    } else mesh.limb(shoulder, elbow, 0.032 * h * thick, 0.026 * h * thick, look.top);
    mesh.limb(
      elbow,
      wrist,
      0.023 * h * thick,
      0.017 * h * thick,
      look.sleeves === 'long' ? look.top : look.skin,
      0.002 * h,
    );
    addHand(mesh, look, elbow, wrist, look.arms[k]);
  }
  addHead(mesh, look, pose);
  addBag(mesh, look, pose);
}

function addTorso(mesh: MeshBuilder, look: PersonLook, { pelvis, neck, shoulders, hips, knees }: Pose): void {
  const h = look.build.height;
  const { girth } = look.build;
  const spine = minus(neck, pelvis);
  const up = unit(spine);
  const left = unit(minus(shoulders[0], shoulders[1]));
  const hipLine: Vec3 = [0, 1, 0];
  /** `along` the spine (0 pelvis, 1 neck), half depth and half width as shares of height. */
  const ring = (along: number, depth: number, width: number, shift = 0): Vec3[] => {
    const side = unit(blend(hipLine, left, Math.min(1, Math.max(0, along))));
    const front = unit(cross(side, up));
    const centre = plus(plus(pelvis, times(spine, along)), times(front, shift * h));
    const wide = width * h * (0.5 + 0.5 * girth) * look.bulk;
    const deep = depth * h * girth * look.bulk;
    // Squarer than an ellipse: shoulders and coats are.
    return circle(centre, times(front, deep), times(side, wide), 14).map((point) => {
      const d = minus(point, centre);
      const a = Math.atan2(
        d[0] * side[0] + d[1] * side[1] + d[2] * side[2],
        d[0] * front[0] + d[1] * front[1] + d[2] * front[2],
      );
      return plus(centre, times(d, 1 + 0.1 * Math.sin(2 * a) ** 2));
    });
  };
  const hem = -look.hem / 0.305;
  const cinch = look.bulk < 1.1 ? 0.9 : 1;
  if (look.hem > 0.12) {
    const stride = Math.abs(knees[0][0] - knees[1][0]) / h;
    mesh.loft(
      [
        ring(hem, 0.07 + stride * 0.35, 0.1),
        ring(hem * 0.5, 0.068 + stride * 0.15, 0.1),
        ring(0.02, 0.066, 0.097),
        ring(0.25, 0.06, 0.088),
      ],
      { ...look.top, twoSided: true },
    );
  }
  const start = Math.max(hem, -0.25);
  mesh.loft(
    [
      ring(start, 0.058, 0.09),
      ring(0, 0.064, 0.098),
      ring(0.2, 0.06 * cinch, 0.093 * cinch),
      ring(0.4, 0.062 * cinch, 0.09 * cinch),
      ring(0.62, 0.068, 0.103),
      ring(0.78, 0.064, 0.108),
      ring(0.88, 0.054, 0.1),
      ring(0.95, 0.043, 0.072),
      ring(1.01, 0.032, 0.04),
    ],
    look.top,
    { caps: [look.top, look.top] },
  );
  // Seat of the trousers, which joins the legs.
  mesh.ellipsoid(
    plus(blend(hips[0], hips[1], 0.5), [0, 0, 0.012 * h]),
    [
      [0.062 * h * girth, 0, 0],
      [0, 0.094 * h * (0.5 + 0.5 * girth), 0],
      [0, 0, 0.06 * h],
    ],
    look.legwear,
  );
  if (look.legs === 'skirt') {
    const stride = Math.abs(knees[0][0] - knees[1][0]) / h;
    mesh.loft(
      [
        ring(-0.78, 0.075 + stride * 0.4, 0.105),
        ring(-0.4, 0.07 + stride * 0.2, 0.1),
        ring(-0.05, 0.064, 0.095),
        ring(0.12, 0.058, 0.086),
      ],
      { ...look.legwear, twoSided: true },
    );
  }
}

function addShoe(mesh: MeshBuilder, look: PersonLook, knee: Vec3, ankle: Vec3, toe: Vec3): void {
  const h = look.build.height;
  const ahead = unit(minus(toe, ankle));
  const side: Vec3 = [0, 1, 0];
  const heel = plus(ankle, times(unit(minus(ankle, knee)), 0.022 * h));
  const centre = blend(plus(heel, times(ahead, -0.02 * h)), toe, 0.5);
  const up = unit(cross(ahead, side));
  mesh.ellipsoid(centre, [times(ahead, 0.083 * h), times(side, 0.028 * h), times(up, 0.026 * h)], look.shoes, 6, 10);
  mesh.limb(plus(ankle, times(unit(minus(knee, ankle)), 0.015 * h)), heel, 0.023 * h, 0.026 * h, look.shoes);
}

function addHand(mesh: MeshBuilder, look: PersonLook, elbow: Vec3, wrist: Vec3, habit: ArmHabit): void {
  const h = look.build.height;
  const ahead = unit(minus(wrist, elbow));
  if (habit === 'pocket') return;
  mesh.limb(wrist, plus(wrist, times(ahead, 0.06 * h)), 0.016 * h, 0.017 * h, look.skin, 0.003 * h, 7);
  if (habit === 'phone') {
    const at = plus(plus(wrist, times(ahead, 0.065 * h)), [0, 0, 0.02]);
    mesh.box(
      at,
      [
        [0.008, 0, 0.004],
        [0, 0.036, 0],
        [-0.03, 0, 0.06],
      ],
      plastic,
    );
  }
}

function addHead(mesh: MeshBuilder, look: PersonLook, { neck, head, gaze }: Pose): void {
  const h = look.build.height ** 0.55 * 1.76 ** 0.45; // children have large heads
  const front: Vec3 = [Math.cos(gaze), Math.sin(gaze), 0];
  const left: Vec3 = [-Math.sin(gaze), Math.cos(gaze), 0];
  const up: Vec3 = [0, 0, 1];
  mesh.limb(
    plus(neck, [-0.008 * h, 0, -0.02 * h]),
    plus(head, [-0.012 * h, 0, -0.02 * h]),
    0.033 * h,
    0.031 * h,
    look.skin,
  );
  const dark: Material = { albedo: dim(look.skin.albedo, 0.35), mirror: 0.02 };
  const lips: Material = {
    albedo: [look.skin.albedo[0] * 0.8, look.skin.albedo[1] * 0.5, look.skin.albedo[2] * 0.5],
    mirror: 0.03,
  };
  mesh.ellipsoid(
    head,
    [times(front, 0.054 * h), times(left, 0.043 * h), times(up, 0.066 * h)],
    ([x, y, z]) => {
      if (x > 0.6 && Math.abs(Math.abs(y) - 0.38) < 0.2 && z > 0.04 && z < 0.24) return dark;
      if (x > 0.6 && Math.abs(y) < 0.24 && z < -0.42 && z > -0.62) return lips;
      return look.skin;
    },
    16,
    22,
  );
  mesh.ellipsoid(
    plus(head, plus(times(front, 0.052 * h), [0, 0, -0.004 * h])),
    [times(front, 0.013 * h), times(left, 0.009 * h), times(up, 0.017 * h)],
    look.skin,
    5,
    6,
  );
  if (look.hat === 'full-helmet') {
    const visor: Material = { albedo: [0.01, 0.01, 0.012], mirror: 0.15 };
    mesh.ellipsoid(
      plus(head, [0, 0, 0.004 * h]),
      [times(front, 0.078 * h), times(left, 0.068 * h), times(up, 0.082 * h)],
      ([x, y, z]) => (x > 0.35 && Math.abs(y) < 0.85 && z > -0.2 && z < 0.42 ? visor : look.hatColour),
      14,
      20,
    );
    return;
  }
  // Hair and hats: a shell over the head, of which only the covered part is drawn.
  const shell = (grow: number, covers: (d: Vec3) => boolean, material: Material, lift: number): void => {
    mesh.ellipsoid(
      plus(head, plus(times(front, -0.006 * h), [0, 0, lift * h])),
      [times(front, 0.054 * h * grow), times(left, 0.043 * h * grow), times(up, 0.066 * h * grow)],
      (d) => (covers(d) ? material : undefined),
      14,
      22,
    );
  };
  const hairline = ([x, y, z]: Vec3): boolean =>
    x > 0.25 ? z > 0.52 + 0.1 * Math.cos(6 * y) : x > -0.25 ? z > 0.02 : z > -0.55;
  shell(1.1, hairline, look.hair, 0.004);
  if (look.longHair) {
    const back = (z: number, depth: number, width: number): Vec3[] =>
      circle(
        plus(head, plus(times(front, -0.03 * h), [0, 0, z * h])),
        times(front, depth * h),
        times(left, width * h),
        12,
      );
    mesh.loft(
      [back(-0.13, 0.014, 0.04), back(-0.07, 0.024, 0.05), back(-0.01, 0.034, 0.049), back(0.04, 0.03, 0.042)],
      look.hair,
      { caps: [look.hair, look.hair] },
    );
  }
  if (look.hat === 'cap' || look.hat === 'woolly' || look.hat === 'helmet') {
    const low = look.hat === 'woolly' ? 0.12 : 0.3;
    shell(look.hat === 'helmet' ? 1.28 : 1.17, ([, , z]) => z > low, look.hatColour, 0.008);
    if (look.hat === 'cap') {
      const brim = circle(
        plus(head, plus(times(front, 0.062 * h), [0, 0, 0.028 * h])),
        times(front, 0.042 * h),
        times(left, 0.042 * h),
        12,
      );
      mesh.fan(brim, up, look.hatColour);
      mesh.fan(
        brim.map((p) => plus(p, [0, 0, -0.004])),
        [0, 0, -1],
        look.hatColour,
      );
    }
  }
}

function addBag(mesh: MeshBuilder, look: PersonLook, pose: Pose): void {
  const h = look.build.height;
  const up = unit(minus(pose.neck, pose.pelvis));
  const left: Vec3 = [0, 1, 0];
  const front = unit(cross(left, up));
  if (look.bag === 'backpack') {
    const centre = plus(backOf(pose), times(front, -0.105 * h * look.build.girth * look.bulk));
    const ring = (z: number, f: number): Vec3[] =>
      circle(plus(centre, times(up, z * h)), times(front, 0.05 * h * f), times(left, 0.085 * h * f), 12);
    mesh.loft([ring(-0.13, 0.6), ring(-0.12, 0.95), ring(0, 1.05), ring(0.09, 0.95), ring(0.12, 0.5)], look.bagColour, {
      caps: [look.bagColour, look.bagColour],
    });
    for (const side of [1, -1]) {
      const s = plus(pose.shoulders[side === 1 ? 0 : 1], [0, -side * 0.045 * h, 0.03 * h]);
      mesh.limb(
        plus(s, times(front, 0.02 * h)),
        plus(plus(s, times(up, -0.15 * h)), times(front, 0.062 * h)),
        0.013 * h,
        0.011 * h,
        look.bagColour,
      );
    }
  } else if (look.bag === 'shoulder') {
    const hip = plus(pose.hips[0], [0.01, 0.07 * h * look.build.girth, 0.02 * h]);
    mesh.box(
      hip,
      [
        [0.085 * h, 0, 0.01],
        [0, 0.028 * h, 0],
        [-0.006, 0, 0.062 * h],
      ],
      look.bagColour,
    );
    mesh.limb(
      plus(hip, [0, 0, 0.06 * h]),
      plus(pose.shoulders[1], [0.04 * h, 0.05 * h, 0.03 * h]),
      0.008 * h,
      0.008 * h,
      look.bagColour,
    );
  } else if (look.bag === 'hand') {
    const wrist = pose.wrists[1];
    mesh.box(
      plus(wrist, [0.01, -0.01, -0.17 * h]),
      [
        [0.08 * h, 0, 0],
        [0, 0.03 * h, 0],
        [0, 0, 0.07 * h],
      ],
      look.bagColour,
    );
    mesh.limb(
      plus(wrist, [0.04 * h, 0, -0.1 * h]),
      plus(wrist, [0, 0, -0.05 * h]),
      0.005 * h,
      0.005 * h,
      metal([0.1, 0.08, 0.06]),
    );
  }
}
