import type { Daylight } from './light.js';
import { ramp } from './noise.js';
import { between, partSeed, pick, type Random, seededRandom, wholeBetween } from './random.js';
import type { Vec3 } from './vector.js';

/**
 * The street as numbers, from a seed: where the camera hangs, how wide the road is, who comes along when. Metres and
 * seconds; x runs along the street away from the camera, y across it away from the camera's side, z up; the kerb of the
 * near pavement is y = 0. Everything repeats after `periodS`, so a video of that length plays round and round.
 */
export interface StreetPlan {
  readonly seed: number;
  readonly periodS: number;
  readonly daylight: Daylight;
  readonly roadM: number;
  readonly nearPavementM: number;
  readonly farPavementM: number;
  /** Where people cross, x. */
  readonly zebraX: number;
  readonly view: View;
  readonly lines: readonly GroundLine[];
  readonly actors: readonly Actor[];
}

export interface View {
  readonly at: Vec3;
  readonly forward: Vec3;
  /** Focal length as a share of the picture's width. */
  readonly focal: number;
  /** The picture is turned left to right, as if traffic kept to the other side. */
  readonly mirror: boolean;
}

/** A line on the ground that figures cross. */
export interface GroundLine {
  readonly name: string;
  readonly from: Point;
  readonly to: Point;
}

/** x, y on the ground, m. */
export type Point = readonly [number, number];

/** COCO names of what moves in the street. */
export const STREET_CLASSES = ['person', 'bicycle', 'car', 'motorcycle', 'bus', 'truck'] as const;
export type StreetClass = (typeof STREET_CLASSES)[number];

export type ActorKind = 'walker' | 'cyclist' | 'motorcyclist' | 'car' | 'bus' | 'truck' | 'bicycle' | 'motorcycle';

/** Somebody or something that goes along a path at a steady speed, again and again, or stands. */
export interface Actor {
  readonly kind: ActorKind;
  /** What it looks like comes from this. */
  readonly seed: number;
  /** Corners of its path; one corner: it stands. */
  readonly path: readonly Point[];
  /** m/s, 0 when it stands. */
  readonly speed: number;
  /** When it begins its path for the first time, 0…periodS. */
  readonly startS: number;
  /** Where it looks when it stands, radians. */
  readonly heading: number;
}

/** What stands for each kind of actor in pictures, in drawing order. */
export const FIGURES_OF: Readonly<Record<ActorKind, readonly StreetClass[]>> = {
  walker: ['person'],
  cyclist: ['bicycle', 'person'],
  motorcyclist: ['motorcycle', 'person'],
  car: ['car'],
  bus: ['bus'],
  truck: ['truck'],
  bicycle: ['bicycle'],
  motorcycle: ['motorcycle'],
};

/** Room that each kind takes: half its length and half its width, m. */
const ROOM: Readonly<Record<ActorKind, readonly [number, number]>> = {
  walker: [0.28, 0.28],
  cyclist: [0.9, 0.35],
  bicycle: [0.9, 0.3],
  motorcyclist: [1, 0.4],
  motorcycle: [1, 0.4],
  car: [2.3, 0.95],
  bus: [5.9, 1.3],
  truck: [4.2, 1.3],
};

/** Where vehicles and cyclists keep, y. Traffic away from the camera is on its own side. */
const LANE = { cycle: 0.75, away: 3.1, towards: 6.2, cycleTowards: 7.55, parking: 9.05 } as const;
/** x where actors come from and go to: behind the camera, and where they are a few points high. */
const NEAR_END = -16;
const FAR_END = 85;

/** Height of the ground: pavements lie a kerb above the road, with a short ramp where one steps up. */
export function groundAt(plan: Pick<StreetPlan, 'roadM'>, y: number): number {
  return 0.12 * (1 - ramp(-0.08, 0.08, y) * (1 - ramp(plan.roadM - 0.08, plan.roadM + 0.08, y)));
}

export interface PlanOptions {
  readonly seed: number;
  /** Seconds after which everything repeats. */
  readonly periodS: number;
  /** Left out: by the seed. */
  readonly daylight?: Daylight;
}

export function planStreet({ seed, periodS, daylight }: PlanOptions): StreetPlan {
  const random = seededRandom(partSeed(seed, 0));
  const roadM = 10.3;
  const nearPavementM = between(random, 3.8, 5);
  const farPavementM = between(random, 3.4, 4.6);
  const yaw = between(random, 0.2, 0.95);
  const pitch = between(random, 0.13, 0.26);
  const zebraX = between(random, 11, 17);
  const ground = {
    seed,
    periodS,
    daylight: daylight ?? pick(random, ['day', 'day', 'day', 'cloudy', 'cloudy', 'dusk'] as const),
    roadM,
    nearPavementM,
    farPavementM,
    zebraX,
    view: {
      at: [0, between(random, -nearPavementM + 0.4, -0.8), between(random, 2.9, 5)] as Vec3,
      forward: [Math.cos(yaw), Math.sin(yaw), -Math.tan(pitch)] as Vec3,
      focal: between(random, 0.75, 1.2),
      mirror: random() < 0.5,
    },
    lines: [
      { name: 'across', from: [zebraX - 3, -nearPavementM], to: [zebraX - 3, roadM + farPavementM] },
      {
        name: 'middle',
        from: [zebraX - 4, (LANE.away + LANE.towards) / 2],
        to: [zebraX + 8, (LANE.away + LANE.towards) / 2],
      },
    ] as const,
  };
  return { ...ground, actors: castActors(ground, seededRandom(partSeed(seed, 1))) };
}

/** Sends candidates onto the street and keeps those that run into nobody. */
function castActors(ground: Omit<StreetPlan, 'actors'>, random: Random): Actor[] {
  const { roadM, nearPavementM, farPavementM, zebraX, periodS } = ground;
  const cast: Actor[] = [];
  const trails: Trail[] = [];
  let parts = 2;
  const send = (wanted: number, make: () => Omit<Actor, 'seed' | 'startS'>): void => {
    for (let n = 0; n < wanted; n++) {
      for (let attempt = 0; attempt < 25; attempt++) {
        const actor = { ...make(), seed: partSeed(ground.seed, parts++), startS: random() * periodS };
        const trail = trailOf(actor, periodS);
        if (trails.some((other) => meets(trail, other))) continue;
        cast.push(actor);
        trails.push(trail);
        break;
      }
    }
  };
  const stand = (kind: ActorKind, at: Point, heading: number): Omit<Actor, 'seed' | 'startS'> => ({
    kind,
    path: [at],
    speed: 0,
    heading,
  });
  const go = (kind: ActorKind, speed: number, path: readonly Point[]): Omit<Actor, 'seed' | 'startS'> => ({
    kind,
    path,
    speed,
    heading: 0,
  });
  const road = (kind: ActorKind, speed: number, away: boolean, aside: number): Omit<Actor, 'seed' | 'startS'> => {
    const y = (away ? LANE.away : LANE.towards) + aside;
    return go(
      kind,
      speed,
      away
        ? [
            [NEAR_END, y],
            [FAR_END, y],
          ]
        : [
            [FAR_END, y],
            [NEAR_END, y],
          ],
    );
  };
  const wall = roadM + farPavementM;
  const nearLane = (): number => between(random, -nearPavementM + 0.8, -0.7);
  const farLane = (): number => between(random, roadM + 0.95, wall - 0.7);
  const walk = (): number => (random() < 0.07 ? between(random, 2.4, 3) : between(random, 0.95, 1.65));

  send(wholeBetween(random, 2, 5), () =>
    stand('car', [between(random, 4, 48), LANE.parking], random() < 0.8 ? Math.PI : 0),
  );
  send(wholeBetween(random, 1, 3), () =>
    stand(
      'bicycle',
      [between(random, 5, 30), random() < 0.6 ? wall - 0.5 : -nearPavementM + 0.5],
      between(random, -0.2, 0.2) + (random() < 0.5 ? Math.PI : 0),
    ),
  );
  send(wholeBetween(random, 0, 2), () =>
    stand('motorcycle', [between(random, 6, 26), LANE.parking + 0.5], Math.PI / 2 + between(random, -0.3, 0.3)),
  );
  send(wholeBetween(random, 2, 5), () =>
    stand(
      'walker',
      [between(random, 7, 30), random() < 0.5 ? wall - between(random, 0.4, 0.9) : roadM + between(random, 0.7, 1.1)],
      between(random, -Math.PI, Math.PI),
    ),
  );
  for (let pairs = wholeBetween(random, 0, 2); pairs > 0; pairs--) {
    const at: Point = [between(random, 7, 26), random() < 0.65 ? between(random, roadM + 1, wall - 0.8) : nearLane()];
    const turn = between(random, -Math.PI, Math.PI);
    for (const side of [0, Math.PI]) {
      send(1, () =>
        stand(
          'walker',
          [at[0] + 0.42 * Math.cos(turn + side), at[1] + 0.42 * Math.sin(turn + side)],
          turn + side + Math.PI,
        ),
      );
    }
  }
  send(wholeBetween(random, 3, 6), () => {
    const x = zebraX + between(random, -1.5, 1.5);
    const [near, far] = [nearLane(), farLane()];
    const from: Point = [random() < 0.5 ? NEAR_END : 60, near];
    const to: Point =
      random() < 0.4 ? [zebraX + between(random, 4, 25), wall + 0.9] : [random() < 0.5 ? NEAR_END : 70, far];
    const path: Point[] =
      to[1] > wall ? [from, [x, near], [x, far], [to[0], far], to] : [from, [x, near], [x, far], to];
    return go('walker', walk(), random() < 0.5 ? path : path.reverse());
  });
  send(wholeBetween(random, 0, 1), () =>
    road(pick(random, ['bus', 'bus', 'truck'] as const), between(random, 5.5, 8), random() < 0.4, 0),
  );
  send(random() < 0.6 ? 1 : 0, () => road('truck', between(random, 6, 8.5), random() < 0.5, 0));
  const lanes = [between(random, 6.5, 10), between(random, 6.5, 10)] as const;
  send(wholeBetween(random, 3, 6), () => {
    const away = random() < 0.5;
    return road('car', lanes[away ? 0 : 1], away, 0);
  });
  send(wholeBetween(random, 1, 3), () =>
    road('motorcyclist', between(random, 6.5, 10), random() < 0.5, between(random, -0.5, 0.5)),
  );
  send(wholeBetween(random, 3, 6), () => {
    const away = random() < 0.5;
    return go(
      'cyclist',
      between(random, 3.4, 5.8),
      away
        ? [
            [NEAR_END, LANE.cycle],
            [FAR_END, LANE.cycle],
          ]
        : [
            [FAR_END, LANE.cycleTowards],
            [NEAR_END, LANE.cycleTowards],
          ],
    );
  });
  send(wholeBetween(random, 3, 6), () => {
    const y = nearLane();
    return go(
      'walker',
      walk(),
      random() < 0.5
        ? [
            [NEAR_END, y],
            [70, y],
          ]
        : [
            [70, y],
            [NEAR_END, y],
          ],
    );
  });
  send(wholeBetween(random, 5, 9), () => {
    const y = farLane();
    const ends: [Point, Point] = [
      [NEAR_END, y],
      [70, y],
    ];
    const door = between(random, 5, 35);
    if (random() < 0.3)
      return go(
        'walker',
        walk(),
        random() < 0.5 ? [[door, wall + 0.9], [door, y], ends[1]] : [ends[0], [door, y], [door, wall + 0.9]],
      );
    return go('walker', walk(), random() < 0.5 ? ends : [ends[1], ends[0]]);
  });
  return cast;
}

/** Length of a path, m. */
export function pathLength(path: readonly Point[]): number {
  let sum = 0;
  for (let k = 1; k < path.length; k++) sum += Math.hypot(path[k]![0] - path[k - 1]![0], path[k]![1] - path[k - 1]![1]);
  return sum;
}

/** The point `metres` along a path. */
export function pointAlong(path: readonly Point[], metres: number): Point {
  let left = metres;
  for (let k = 1; k < path.length; k++) {
    const [ax, ay] = path[k - 1]!;
    const [bx, by] = path[k]!;
    const step = Math.hypot(bx - ax, by - ay);
    if (left <= step || k === path.length - 1) {
      const s = step > 0 ? Math.min(1, Math.max(0, left / step)) : 0;
      return [ax + (bx - ax) * s, ay + (by - ay) * s];
    }
    left -= step;
  }
  return path[0]!;
}

/** Where an actor looks `metres` along its path: round corners it turns over half a metre before and after. */
export function headingAlong({ path, heading }: Actor, metres: number): number {
  if (path.length < 2) return heading;
  const total = pathLength(path);
  const [ax, ay] = pointAlong(path, Math.max(0, Math.min(metres - 0.5, total - 0.6)));
  const [bx, by] = pointAlong(path, Math.min(total, Math.max(metres + 0.5, 0.6)));
  return Math.atan2(by - ay, bx - ax);
}

/** Passes of an actor that touch 0 ≤ t < periodS: the time each begins. An actor that stands has one, from the beginning. */
export function passesOf(actor: Actor, periodS: number): number[] {
  if (actor.path.length < 2) return [0];
  const durationS = pathLength(actor.path) / actor.speed;
  const starts: number[] = [];
  for (
    let start = actor.startS - periodS * Math.ceil((actor.startS + durationS) / periodS);
    start < periodS;
    start += periodS
  ) {
    if (start + durationS > 0) starts.push(start);
  }
  return starts;
}

/** Discs that cover an actor at every tenth of a second: `[ticks][discs · (x, y)]`, all with one radius. */
interface Trail {
  readonly radius: number;
  readonly ticks: readonly Float32Array[];
}

const TICK_S = 0.2;

function trailOf(actor: Actor, periodS: number): Trail {
  const [halfLength, radius] = ROOM[actor.kind];
  const discs = Math.max(1, Math.ceil((halfLength - radius) / radius) * 2 + 1);
  const passes = passesOf(actor, periodS);
  const total = pathLength(actor.path);
  const ticks = Array.from({ length: Math.ceil(periodS / TICK_S) }, (_, tick) => {
    const points: number[] = [];
    for (const start of passes) {
      const metres = (tick * TICK_S - start) * actor.speed;
      if (actor.path.length > 1 && (metres < 0 || metres > total)) continue;
      const [x, y] = pointAlong(actor.path, metres);
      const heading = headingAlong(actor, metres);
      for (let d = 0; d < discs; d++) {
        const along = discs === 1 ? 0 : (d / (discs - 1) - 0.5) * 2 * (halfLength - radius);
        points.push(x + along * Math.cos(heading), y + along * Math.sin(heading));
      }
    }
    return Float32Array.from(points);
  });
  return { radius, ticks };
}

function meets(a: Trail, b: Trail): boolean {
  const least = (a.radius + b.radius) ** 2;
  return a.ticks.some((points, tick) => {
    const others = b.ticks[tick]!;
    for (let i = 0; i < points.length; i += 2) {
      for (let j = 0; j < others.length; j += 2) {
        if ((points[i]! - others[j]!) ** 2 + (points[i + 1]! - others[j + 1]!) ** 2 < least) return true;
      }
    }
    return false;
  });
}
