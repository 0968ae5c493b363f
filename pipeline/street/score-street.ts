import { boxIou } from '../../operators/geometry/box.js';
import { maskIou } from '../../operators/masks/rle.js';
import type { Detection, Instance } from '../../operators/types.js';
import { STREET_CLASSES, type StreetClass } from './plan.js';
import type { TruthFigure, TruthFrame } from './street-truth.js';

/** What was found in one picture. */
export interface FoundFrame {
  readonly detections: readonly Detection[];
  /** Tracked instances; those that are only predicted count as not seen. */
  readonly instances: readonly Instance[];
}

export interface ScoreRules {
  /** Detections below this do not count. */
  readonly minScore: number;
  /** Figures lower than this are neither wanted nor counted as false when found, px. */
  readonly minHeightPx: number;
  /** … nor those of which less than this share is seen. */
  readonly minVisible: number;
  /** Overlap of boxes from which a figure is found. */
  readonly minIou: number;
}

export const SCORE_RULES: ScoreRules = { minScore: 0.3, minHeightPx: 24, minVisible: 0.5, minIou: 0.5 };

export interface StreetScore {
  readonly frames: number;
  /** Figures wanted, over all pictures, and how many of them were found with their class. */
  readonly figures: number;
  readonly found: number;
  readonly byClass: Readonly<Partial<Record<StreetClass, { readonly figures: number; readonly found: number }>>>;
  /** Detections that overlap no figure of any class at 0.3, per picture. */
  readonly falsePerFrame: number;
  /** Mean overlap of the masks of found figures; null when the model gives none. */
  readonly maskIou: number | null;
  /** Wanted figures that a track followed, and how often the track of one gave way to another. */
  readonly tracked: number;
  readonly switches: number;
  /** Share of a figure's tracked pictures that carry its most frequent id, mean over the figures. */
  readonly idShare: number;
}

/** Compares what was found with what was drawn, picture by picture. */
export function scoreStreet(
  truth: readonly TruthFrame[],
  found: readonly FoundFrame[],
  rules = SCORE_RULES,
): StreetScore {
  if (found.length !== truth.length)
    throw new RangeError(`${found.length} pictures were looked at, ${truth.length} were drawn`);
  const byClass: Partial<Record<StreetClass, { figures: number; found: number }>> = {};
  const ids = new Map<number, string[]>();
  let before: ReadonlyMap<number, string> = new Map();
  let [figures, hits, strays, overlaps, masks] = [0, 0, 0, 0, 0];
  for (const [index, { figures: drawn }] of truth.entries()) {
    const { detections, instances } = found[index]!;
    const wanted = drawn.filter(
      ({ box, visible }) => box[3] - box[1] >= rules.minHeightPx && visible >= rules.minVisible,
    );
    const sure = detections.filter(({ label, score }) => score >= rules.minScore && isStreetClass(label));
    const matches = match(drawn, sure, rules.minIou);
    for (const figure of wanted) {
      byClass[figure.label] ??= { figures: 0, found: 0 };
      const count = byClass[figure.label]!;
      const detection = matches.get(figure);
      count.figures++;
      figures++;
      if (!detection) continue;
      count.found++;
      hits++;
      if (!detection.mask) continue;
      masks++;
      overlaps += maskIou(detection.mask, figure.mask);
    }
    strays += sure.filter(({ box }) => !drawn.some((figure) => boxIou(figure.box, box) > 0.3)).length;
    const seen = instances.filter(({ state }) => state !== 'lost');
    const tracks = matchTracks(drawn, seen, before, rules.minIou);
    before = new Map([...tracks].map(([{ id }, track]) => [id, track.id]));
    for (const figure of wanted) {
      const track = tracks.get(figure);
      if (track) ids.set(figure.id, [...(ids.get(figure.id) ?? []), track.id]);
    }
  }
  const followed = [...ids.values()];
  return {
    frames: truth.length,
    figures,
    found: hits,
    byClass,
    falsePerFrame: truth.length > 0 ? strays / truth.length : 0,
    maskIou: masks > 0 ? overlaps / masks : null,
    tracked: followed.length,
    switches: followed.reduce((sum, list) => sum + list.filter((id, k) => k > 0 && id !== list[k - 1]).length, 0),
    idShare: followed.length > 0 ? followed.reduce((sum, list) => sum + share(list), 0) / followed.length : 0,
  };
}

/** Each thing found takes the figure of its class that it overlaps most, best score first. */
function match<T extends Detection | Instance>(
  drawn: readonly TruthFigure[],
  found: readonly T[],
  minIou: number,
): Map<TruthFigure, T> {
  const matches = new Map<TruthFigure, T>();
  for (const one of [...found].sort((a, b) => b.score - a.score)) {
    let best: TruthFigure | undefined;
    let most = minIou;
    for (const figure of drawn) {
      if (figure.label !== one.label || matches.has(figure)) continue;
      const overlap = boxIou(figure.box, one.box);
      if (overlap < most) continue;
      most = overlap;
      best = figure;
    }
    if (best) matches.set(best, one);
  }
  return matches;
}

/** A pair of the picture before holds while the two overlap (Bernardin & Stiefelhagen, CLEAR MOT, 2.1.2); the rest as `match`. */
function matchTracks(
  drawn: readonly TruthFigure[],
  tracks: readonly Instance[],
  before: ReadonlyMap<number, string>,
  minIou: number,
): Map<TruthFigure, Instance> {
  const held = new Map<TruthFigure, Instance>();
  for (const figure of drawn) {
    const track = tracks.find(({ id }) => id === before.get(figure.id));
    if (track?.label === figure.label && boxIou(figure.box, track.box) >= minIou) held.set(figure, track);
  }
  const taken = new Set(held.values());
  const fresh = match(
    drawn.filter((figure) => !held.has(figure)),
    tracks.filter((track) => !taken.has(track)),
    minIou,
  );
  return new Map([...held, ...fresh]);
}

const isStreetClass = (label: string): boolean => STREET_CLASSES.some((name) => name === label);

function share(list: readonly string[]): number {
  const counts = new Map<string, number>();
  for (const id of list) counts.set(id, (counts.get(id) ?? 0) + 1);
  return Math.max(...counts.values()) / list.length;
}
