import {
  type Actor,
  FIGURES_OF,
  type GroundLine,
  groundAt,
  headingAlong,
  passesOf,
  pathLength,
  pointAlong,
  type StreetClass,
  type StreetPlan,
} from './plan.js';
import type { Place } from './raster.js';

/** One person or vehicle from its coming to its going. Ids count from 1 in order of coming and are never given twice. */
export interface Figure {
  readonly id: number;
  readonly label: StreetClass;
  readonly actor: Actor;
  /** When it began its path; below 0 for those that are on the way at the beginning. */
  readonly startS: number;
}

/** A figure at a moment. */
export interface FigureAt {
  readonly figure: Figure;
  readonly place: Place;
  /** Metres along its path. */
  readonly metres: number;
}

/** A figure's point on the ground passes a line. */
export interface Crossing {
  readonly line: string;
  readonly id: number;
  readonly label: StreetClass;
  /** Seconds from the beginning. */
  readonly t: number;
  /** `in`: from the left of the line, seen in the picture from its first end to its second, to the right. */
  readonly direction: 'in' | 'out';
}

/** All figures that are on the street at some time from 0 to the period. */
export function figuresOf(plan: StreetPlan): Figure[] {
  return plan.actors
    .flatMap((actor) =>
      passesOf(actor, plan.periodS).flatMap((startS) =>
        FIGURES_OF[actor.kind].map((label) => ({ label, actor, startS })),
      ),
    )
    .sort((a, b) => a.startS - b.startS)
    .map((figure, index) => ({ ...figure, id: index + 1 }));
}

/** Figures on the street `tS` seconds after the beginning. */
export function figuresAt(plan: StreetPlan, figures: readonly Figure[], tS: number): FigureAt[] {
  const now: FigureAt[] = [];
  for (const figure of figures) {
    const { actor, startS } = figure;
    const metres = (tS - startS) * actor.speed;
    if (actor.path.length > 1 && (metres < 0 || metres > pathLength(actor.path))) continue;
    const [x, y] = pointAlong(actor.path, metres);
    now.push({ figure, metres, place: { x, y, z: groundAt(plan, y), heading: headingAlong(actor, metres) } });
  }
  return now;
}

/** Every crossing of the plan's lines with 0 ≤ t < period, in order of time; from the corners of the paths alone. */
export function crossingsOf(plan: StreetPlan, figures: readonly Figure[]): Crossing[] {
  const found: Crossing[] = [];
  for (const line of plan.lines) {
    for (const { id, label, actor, startS } of figures) {
      let before = 0;
      for (let k = 1; k < actor.path.length; k++) {
        const meeting = meet(line, actor.path[k - 1]!, actor.path[k]!);
        const stepM = pathLength(actor.path.slice(k - 1, k + 1));
        if (meeting) {
          const t = startS + (before + meeting.share * stepM) / actor.speed;
          const rightward = meeting.rightward !== plan.view.mirror;
          if (t >= 0 && t < plan.periodS)
            found.push({ line: line.name, id, label, t, direction: rightward ? 'in' : 'out' });
        }
        before += stepM;
      }
    }
  }
  return found.sort((a, b) => a.t - b.t || a.id - b.id);
}

/** Where the way from `a` to `b` meets a line: share of the way, and whether it leads to the line's right. */
function meet(
  { from, to }: GroundLine,
  a: readonly [number, number],
  b: readonly [number, number],
): { share: number; rightward: boolean } | undefined {
  const [lx, ly] = [to[0] - from[0], to[1] - from[1]];
  /** Positive to the left of the line. */
  const side = ([x, y]: readonly [number, number]): number => lx * (y - from[1]) - ly * (x - from[0]);
  const [sa, sb] = [side(a), side(b)];
  if (sa >= 0 === sb >= 0) return undefined;
  const share = sa / (sa - sb);
  const x = a[0] + (b[0] - a[0]) * share;
  const y = a[1] + (b[1] - a[1]) * share;
  const along = ((x - from[0]) * lx + (y - from[1]) * ly) / (lx * lx + ly * ly);
  return along >= 0 && along <= 1 ? { share, rightward: sb < 0 } : undefined;
}
