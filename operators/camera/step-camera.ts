import type { Affine } from '../geometry/affine.js';
import type { Thumbnail } from '../types.js';
import { refineShift, refineTurn } from './refine.js';
import { likenessOf, REGIONS, voteOf } from './regions.js';
import { layoutLikeness, type Pyramid, searchShift, searchTurn } from './search.js';
import { AT_REST, interpolate, reachOf, type Similarity } from './similarity.js';
import { halve, type Structure, structureOf } from './structure.js';

/** Pictures of fewer cells than this along a side tell too little. */
const LEAST_SIDE = 16;
/** Spread of brightness (grey levels) below which a picture shows nothing: black, white, a lens cap. */
const BLANK = 2;
/** Change per cell, as a share of its edges, that a shift of a sixth of a cell would make: below it nothing has moved. */
const LEAST_CHANGE = 0.1;
/** Where this share of the regions shows the same, the right place is found, or next to it. */
const MOSTLY = 0.7;
/** A difference this large (in spreads of the surroundings) counts a quarter once the place is known: it moves by itself. */
const STRAY = 0.2;
/** A motion of less than this at the corner of the picture is none, in cells: 3 pixels of a picture 1920 wide. */
const LEAST_MOTION = 0.15;
/** Votes that a motion needs: heard of all regions, for it of those heard; and may have against it. */
const LEAST_HEARD = 0.5;
const LEAST_AGREE = 0.6;
const MOST_REFUSE = 0.25;
/** So many cells beside a motion lie its rivals: a road whose edges all run one way does not tell a shift along them. */
const ASIDE = 1;
/**
 * A cut: at least a third of the regions have something in them before and after, no more than one of them shows the same (a
 * burnt-in clock may), on the mean they agree as by chance (pictures of different places up to 0.3, of one place from 0.5 on) …
 */
const LEAST_STRUCTURED = 1 / 3;
const MOST_SAME = 1;
const MOST_MEAN = 0.25;
/** … and light and dark lie elsewhere, however they are shifted: 0.1 to 0.6 for different places, more in the fastest pans. */
const MOST_LAYOUT = 0.52;

/** The last picture that showed something. Treat as opaque. */
export interface CameraState {
  readonly thumbnail: Thumbnail;
  readonly structure?: Structure;
}

export interface CameraStep {
  /** Undefined until a picture showed something. */
  readonly state: CameraState | undefined;
  /** How the picture moved since the one in the state, in source pixels; absent where it did not, or nobody can tell. */
  readonly motion?: Affine;
  /** The picture has nothing to do with the one before. */
  readonly cut: boolean;
}

/**
 * Compares a camera's picture with the one before. Pure. What most pictures need is cheap: equal ones are told by one look at
 * the brightness, a standing camera by one refinement from rest; only else it is searched.
 *
 * Told is a motion that the picture bears out all over: 24 regions vote on it, against no motion and against those that go a cell
 * further along either axis. So neither a lorry that fills half the picture nor waving trees move the camera, and nothing is told
 * along a road whose edges all run one way. A blank picture is passed over, and the next one compared with what was before it.
 */
export function stepCamera(before: CameraState | undefined, thumbnail: Thumbnail): CameraStep {
  if (isBlank(thumbnail)) return { state: before, cut: false };
  if (!before || !isComparable(before.thumbnail, thumbnail)) return { state: { thumbnail }, cut: false };
  if (isUnchanged(before.thumbnail, thumbnail)) return { state: { thumbnail }, cut: false };

  const a = before.structure ?? structureOf(before.thumbnail.luma, before.thumbnail);
  const b = structureOf(thumbnail.luma, thumbnail);
  const state = { thumbnail, structure: b };
  const near = refineTurn(a, b, AT_REST, 3) ?? AT_REST;
  const broughtBack = interpolate(b, near);
  const { structured, same } = likenessOf(a, broughtBack);
  const isFound = same >= MOSTLY * structured;
  const reach = reachOf(near, a);
  // Somebody walks past a camera that stands: the most frequent case of those that come as far as this.
  const isAtRest = reach < LEAST_MOTION || (reach < ASIDE && !isBorneOut(a, broughtBack, b.values));
  if (isFound && isAtRest) return { state, cut: false };

  const pyramids = isFound ? undefined : ([pyramidOf(before.thumbnail, a), pyramidOf(thumbnail, b)] as const);
  const rough = pyramids ? searchShift(...pyramids) : { ...near, re: 1, im: 0 };
  const shift = refineShift(a, b, rough, STRAY, 2) ?? rough;
  const turned = pyramids ? searchTurn(...pyramids, shift) : near;
  const motion = turned && isBorneOut(a, sparse(b, turned), sparse(b, shift)) ? turned : shift;
  if (isTrusted(a, b, motion)) return { state, motion: inSource(motion, thumbnail), cut: false };
  const cut = !isFound && isElsewhere(a, b, shift) && layoutLikeness(before.thumbnail, thumbnail) <= MOST_LAYOUT;
  return { state, cut };
}

function isBlank({ luma }: Thumbnail): boolean {
  let [sum, squares] = [0, 0];
  for (let at = 0; at < luma.length; at++) {
    sum += luma[at]!;
    squares += luma[at]! ** 2;
  }
  const mean = sum / luma.length;
  return !(squares / luma.length - mean ** 2 > BLANK ** 2);
}

const isComparable = (a: Thumbnail, b: Thumbnail): boolean =>
  a.width === b.width && a.height === b.height && Math.min(a.width, a.height) >= LEAST_SIDE;

function isUnchanged({ luma: a }: Thumbnail, { luma: b, width }: Thumbnail): boolean {
  let [change, edges] = [0, 0];
  for (let at = 0; at < b.length - width; at++) {
    change += Math.abs(b[at]! - a[at]!);
    edges += Math.abs(b[at + 1]! - b[at]!) + Math.abs(b[at + width]! - b[at]!);
  }
  return change <= LEAST_CHANGE * edges;
}

function pyramidOf(thumbnail: Thumbnail, fine: Structure): Pyramid {
  const middle = halve(thumbnail.luma, thumbnail);
  const coarse = halve(middle.luma, middle);
  return [fine, structureOf(middle.luma, middle), structureOf(coarse.luma, coarse)];
}

/** True when the regions bear out that the picture moved, and that it moved there and not a little further along either axis. */
function isTrusted(a: Structure, b: Structure, motion: Similarity): boolean {
  if (reachOf(motion, a) < LEAST_MOTION) return false;
  const moved = sparse(b, motion);
  const { shiftX, shiftY } = motion;
  const rivals = [
    AT_REST,
    { ...motion, shiftX: shiftX - ASIDE },
    { ...motion, shiftX: shiftX + ASIDE },
    { ...motion, shiftY: shiftY - ASIDE },
    { ...motion, shiftY: shiftY + ASIDE },
  ];
  return rivals.every((rival) => isBorneOut(a, moved, rival === AT_REST ? b.values : sparse(b, rival)));
}

/** Every other row is enough to vote on. */
const sparse = (later: Structure, motion: Similarity): Float32Array => interpolate(later, motion, 2);

function isBorneOut(a: Structure, moved: Float32Array, rival: Float32Array): boolean {
  const { heard, agree, refuse } = voteOf(a, moved, rival);
  return heard >= LEAST_HEARD * REGIONS && agree >= LEAST_AGREE * heard && refuse <= MOST_REFUSE * heard;
}

/** True when next to nothing shows the same, neither where it was nor where the best shift puts it. */
function isElsewhere(a: Structure, b: Structure, shift: Similarity): boolean {
  const asItWas = likenessOf(a, b.values);
  const shifted = likenessOf(a, interpolate(b, shift));
  return (
    asItWas.structured >= LEAST_STRUCTURED * REGIONS &&
    [asItWas, shifted].every(({ same, mean }) => same <= MOST_SAME && mean <= MOST_MEAN)
  );
}

/** From cells about the middle of the thumbnail to source pixels from the corner of the frame. */
function inSource({ shiftX, shiftY, re, im }: Similarity, { width, height, cellWidth, cellHeight }: Thumbnail): Affine {
  const middleX = (width / 2) * cellWidth;
  const middleY = (height / 2) * cellHeight;
  const across = -im * (cellWidth / cellHeight);
  const down = im * (cellHeight / cellWidth);
  return [
    re,
    across,
    middleX + shiftX * cellWidth - re * middleX - across * middleY,
    down,
    re,
    middleY + shiftY * cellHeight - down * middleX - re * middleY,
  ];
}
