import { blend, cross, length, minus, plus, times, unit, type Vec3 } from './vector.js';

/** Sizes of a body, m. */
export interface Build {
  readonly height: number;
  /** 1 is usual; wider or slimmer. */
  readonly girth: number;
}

type Pair = readonly [left: Vec3, right: Vec3];

/**
 * Joints of a figure that looks along x, feet about the origin, left is +y; metres.
 */
export interface Pose {
  readonly pelvis: Vec3;
  readonly neck: Vec3;
  readonly head: Vec3;
  /** Turn of the head to the left, radians. */
  readonly gaze: number;
  readonly shoulders: Pair;
  readonly elbows: Pair;
  readonly wrists: Pair;
  readonly hips: Pair;
  readonly knees: Pair;
  readonly ankles: Pair;
  readonly toes: Pair;
}

/** What arms do apart from swinging. */
export type ArmHabit = 'swing' | 'phone' | 'pocket' | 'carry' | 'folded' | 'strap';

const degrees = (d: number): number => (d * Math.PI) / 180;
/** From `from`, `length` metres along a direction in the plane of walking: angle 0 hangs down, positive forward. */
const hang = (from: Vec3, length: number, angle: number, outward = 0): Vec3 => [
  from[0] + length * Math.sin(angle) * Math.cos(outward),
  from[1] + length * Math.sin(outward),
  from[2] - length * Math.cos(angle) * Math.cos(outward),
];

/** Length of two steps at a speed (m/s): longer legs and more haste make longer ones (Grieve 1968, rounded). */
export const strideOf = ({ height }: Build, speed: number): number =>
  0.83 * height * Math.max(0.4, speed / 1.35) ** 0.45;

/**
 * One moment of walking or running.
 *
 * @param phase  0…1 of a stride
 * @param speed  m/s; 0 stands
 */
export function walkingPose(
  build: Build,
  phase: number,
  speed: number,
  habits: readonly [ArmHabit, ArmHabit],
  gaze = 0,
): Pose {
  const h = build.height;
  const run = Math.min(1, Math.max(0, (speed - 2) / 1.2));
  const stretch = Math.min(1, speed / 1.3);
  const swing = degrees((22 + 14 * run) * stretch);
  const legs = [0, 0.5].map((shift) => {
    const t = (phase + shift) * 2 * Math.PI;
    const thigh = swing * Math.sin(t) + degrees(3 + 6 * run) * stretch;
    const lift = Math.max(0, Math.cos(t + 0.35)) ** 1.6;
    const knee = degrees(5 + (50 + 40 * run) * lift * stretch + 8 * run);
    return { thigh, shank: thigh - knee, lift };
  });
  const lean = degrees(3 + 7 * run) * stretch;
  const hipWidth = 0.052 * h * build.girth;
  const place = (pelvisZ: number): { hips: Vec3[]; knees: Vec3[]; ankles: Vec3[]; toes: Vec3[] } => {
    const hips = [1, -1].map((side): Vec3 => [0, side * hipWidth, pelvisZ - 0.02 * h]);
    const knees = hips.map((hip, k) => hang(hip, 0.245 * h, legs[k]!.thigh));
    const ankles = knees.map((knee, k) => hang(knee, 0.245 * h, legs[k]!.shank));
    const toes = ankles.map((ankle, k): Vec3 => {
      // The foot lies flat while it carries and hangs from the ankle while it swings.
      const pitch =
        legs[k]!.shank * 0.75 * (0.25 + 0.75 * legs[k]!.lift) + (legs[k]!.shank > 0 ? legs[k]!.shank * 0.4 : 0);
      return [
        ankle[0] + 0.115 * h * Math.cos(pitch),
        ankle[1] + (k === 0 ? 0.015 : -0.015) * h,
        ankle[2] - 0.028 * h + 0.115 * h * Math.sin(pitch),
      ];
    });
    return { hips, knees, ankles, toes };
  };
  const trial = place(0);
  const lowest = Math.min(...trial.ankles.map((a) => a[2] - 0.042 * h), ...trial.toes.map((toe) => toe[2] - 0.014 * h));
  const legsDown = place(-lowest);
  const pelvis: Vec3 = [0, 0, -lowest];
  const neck = hang(pelvis, -0.305 * h, -lean);
  const twist = 0.1 * stretch * Math.sin(phase * 2 * Math.PI);
  const shoulderHalf = 0.106 * h * (0.6 + 0.4 * build.girth);
  const shoulders = [1, -1].map(
    (side): Vec3 => [neck[0] - side * twist * shoulderHalf - 0.005 * h, side * shoulderHalf, neck[2] - 0.045 * h],
  );
  const arms = shoulders.map((shoulder, k) =>
    armOf(
      build,
      shoulder,
      k === 0 ? 1 : -1,
      habits[k]!,
      swing * (1 + 0.3 * run) * Math.sin((phase + (k === 0 ? 0.5 : 0)) * 2 * Math.PI),
      run,
    ),
  );
  return {
    pelvis,
    neck,
    head: plus(neck, [0.012 * h + 0.05 * h * Math.sin(lean), 0, 0.088 * h]),
    gaze,
    shoulders: pair(shoulders),
    elbows: pair(arms.map(({ elbow }) => elbow)),
    wrists: pair(arms.map(({ wrist }) => wrist)),
    hips: pair(legsDown.hips),
    knees: pair(legsDown.knees),
    ankles: pair(legsDown.ankles),
    toes: pair(legsDown.toes),
  };
}

function armOf(
  { height: h }: Build,
  shoulder: Vec3,
  side: 1 | -1,
  habit: ArmHabit,
  swing: number,
  run: number,
): { elbow: Vec3; wrist: Vec3 } {
  const upper = 0.172 * h;
  const lower = 0.157 * h;
  const out = side * degrees(9);
  const arm = (upperAngle: number, bend: number, inward: number): { elbow: Vec3; wrist: Vec3 } => {
    const elbow = hang(shoulder, upper, upperAngle, out);
    return { elbow, wrist: hang(elbow, lower, upperAngle + bend, side * inward) };
  };
  switch (habit) {
    case 'phone':
      return arm(degrees(18), degrees(100), degrees(-28));
    case 'pocket':
      return arm(degrees(-14), degrees(32), degrees(-6));
    case 'carry':
      return arm(degrees(2) + swing * 0.25, degrees(6), degrees(2));
    case 'folded':
      return arm(degrees(14), degrees(80), degrees(-62));
    case 'strap':
      return arm(degrees(5), degrees(135), degrees(-12));
    case 'swing':
      return arm(swing, degrees(14 + 65 * run) + Math.max(0, swing) * 0.7, degrees(1));
  }
}

/** The joint between two others, `first` and `second` metres away from them, bent towards `towards` (law of cosines). */
export function bend(from: Vec3, to: Vec3, first: number, second: number, towards: Vec3): Vec3 {
  const span = minus(to, from);
  const d = Math.min(length(span), (first + second) * 0.999);
  const along = (first * first - second * second + d * d) / (2 * d);
  const off = Math.sqrt(Math.max(0, first * first - along * along));
  const axis = unit(span);
  const side = unit(cross(cross(axis, towards), axis));
  return plus(from, plus(times(axis, along), times(side, off)));
}

/** Where the seat, hands and feet of somebody on two wheels are, for a figure over the middle of the wheels; m. */
export interface Seating {
  readonly seat: Vec3;
  /** Left grip; the right one mirrors it. */
  readonly grip: Vec3;
  readonly feet: Pair;
  /** Lean of the back, radians forward. */
  readonly lean: number;
}

/** Somebody on a bicycle or motorcycle. */
export function seatedPose(build: Build, { seat, grip, feet, lean }: Seating, gaze = 0): Pose {
  const h = build.height;
  const pelvis: Vec3 = [seat[0], 0, seat[2] + 0.055 * h];
  const neck = hang(pelvis, -0.305 * h, -lean);
  const shoulderHalf = 0.106 * h * (0.6 + 0.4 * build.girth);
  const shoulders = [1, -1].map((side): Vec3 => [neck[0] + 0.01 * h, side * shoulderHalf, neck[2] - 0.045 * h]);
  const wrists = [1, -1].map((side): Vec3 => [grip[0] - 0.06, side * grip[1], grip[2] + 0.04]);
  const hips = [1, -1].map((side): Vec3 => [pelvis[0], side * 0.052 * h * build.girth, pelvis[2] - 0.02 * h]);
  const ankles = feet.map((foot): Vec3 => [foot[0] - 0.06 * h, foot[1], foot[2] + 0.06 * h]);
  return {
    pelvis,
    neck,
    head: plus(neck, [0.03 * h, 0, 0.085 * h]),
    gaze,
    shoulders: pair(shoulders),
    elbows: pair(
      shoulders.map((s, k) => bend(s, wrists[k]!, 0.172 * h, 0.157 * h, [-0.2, k === 0 ? 0.7 : -0.7, -0.6])),
    ),
    wrists: pair(wrists),
    hips: pair(hips),
    knees: pair(hips.map((hip, k) => bend(hip, ankles[k]!, 0.245 * h, 0.245 * h, [1, k === 0 ? 0.12 : -0.12, 0.3]))),
    ankles: pair(ankles),
    toes: pair(feet.map((foot): Vec3 => [foot[0] + 0.06 * h, foot[1], foot[2]])),
  };
}

/** Middle of the back between the shoulders. */
export const backOf = ({ pelvis, neck }: Pose): Vec3 => blend(pelvis, neck, 0.68);

const pair = (two: readonly Vec3[]): Pair => [two[0]!, two[1]!];
