import type { BoxXyxy, MaskRle, Size } from '../../operators/types.js';
import { lookAlong, NEAR_M, project } from './camera.js';
import { type Crossing, crossingsOf, figuresAt, figuresOf } from './figures.js';
import type { Daylight } from './light.js';
import { type GroundLine, groundAt, type StreetClass, type StreetPlan } from './plan.js';
import type { SeenFigure } from './silhouettes.js';
import { blend, type Vec3 } from './vector.js';

/** What is true of a drawn video: the JSON file beside it. Described in docs/street.md. */
export interface StreetTruth extends Size {
  readonly schema: 1;
  readonly seed: number;
  readonly fps: number;
  readonly seconds: number;
  readonly daylight: Daylight;
  readonly frames: readonly TruthFrame[];
  readonly lines: readonly TruthLine[];
  readonly crossings: readonly TruthCrossing[];
}

export interface TruthFrame {
  /** Seconds since the beginning. */
  readonly t: number;
  readonly figures: readonly TruthFigure[];
}

export interface TruthFigure {
  readonly id: number;
  readonly label: StreetClass;
  readonly box: BoxXyxy;
  readonly mask: MaskRle;
  /** Pixels seen ÷ pixels there would be with nothing before it, within the picture. */
  readonly visible: number;
  /** The picture's edge cuts it off. */
  readonly cut: boolean;
}

export interface TruthLine {
  readonly name: string;
  /** Its ends in pixels of the picture; they may lie outside. A part behind the camera is left away. */
  readonly from: readonly [number, number];
  readonly to: readonly [number, number];
}

export interface TruthCrossing extends Crossing {
  /** Where on the picture its foot point is then; undefined when outside. */
  readonly at?: readonly [number, number];
}

export function truthFigures(seen: readonly SeenFigure[]): TruthFigure[] {
  return seen.map(({ id, label, box, mask, area, fullArea, cut }) => ({
    id,
    label,
    box,
    mask,
    visible: Math.round((area / fullArea) * 1000) / 1000,
    cut,
  }));
}

/** Lines and crossings as the camera sees them. */
export function truthLines(plan: StreetPlan, size: Size): Pick<StreetTruth, 'lines' | 'crossings'> {
  const { at, forward, focal, mirror } = plan.view;
  const camera = lookAlong(at, forward, focal, size, mirror);
  const onGround = ([x, y]: readonly [number, number]): Vec3 => [x, y, groundAt(plan, y)];
  const figures = figuresOf(plan);
  const lines = plan.lines.flatMap(({ name, from, to }: GroundLine): TruthLine[] => {
    const steps = Array.from({ length: 201 }, (_, k) => project(camera, blend(onGround(from), onGround(to), k / 200)));
    const seen = steps.filter((point) => point !== undefined && point.depth > NEAR_M);
    const [first, last] = [seen[0], seen.at(-1)];
    return first && last ? [{ name, from: [first.x, first.y], to: [last.x, last.y] }] : [];
  });
  const crossings = crossingsOf(plan, figures).map((crossing): TruthCrossing => {
    const there = figuresAt(plan, figures, crossing.t).find(({ figure }) => figure.id === crossing.id);
    const foot = there && project(camera, onGround([there.place.x, there.place.y]));
    const inside = foot && foot.x >= 0 && foot.y >= 0 && foot.x < size.width && foot.y < size.height;
    return { ...crossing, ...(inside && { at: [foot.x, foot.y] as const }) };
  });
  return { lines, crossings };
}
