import { NO_EVENTS, stepEvents } from '../../../operators/events/step-events.js';
import { boxArea, boxIou, clipToBox } from '../../../operators/geometry/box.js';
import { createTracker, stepTracker } from '../../../operators/tracking/step-tracker.js';
import type { BoxXyxy, Detection } from '../../../operators/types.js';
import type { DetectedClip } from './real-detections.js';
import { seeded } from './scene.js';

const FPS = 5;
const VEHICLES = new Set(['car', 'truck', 'bus']);

/** Where the light blue car is parked in PETS09-S2L1, at its upper right, half a car from a white van. */
const PLACE: BoxXyxy = [732, 52, 767, 95];
/** Around both; nothing else drives there. */
const CORNER: BoxXyxy = [620, 0, 768, 125];

/** Detections of one passer-by, a step of 1/FPS each; undefined where the detector missed it. */
type Passage = readonly (Detection | undefined)[];

/** What a day was like for the parked car. */
export interface Day {
  /** Frames in which each id had a detection of the car. */
  readonly carIds: ReadonlyMap<string, number>;
  /** Start events whose box was a detection of the car. */
  readonly carEvents: number;
  /** Frames in which the car was not detected, or behind a passer-by. */
  readonly missed: number;
  /** Frames in which it was detected, but in no published instance. */
  readonly unpublished: number;
  /** Frames in which a passer-by carried an id of the car. */
  readonly stolen: number;
  readonly passages: number;
  readonly maxTracks: number;
}

/**
 * Hours in front of a parked car at 5 fps, put together from what a detector really said: stretches of 2 to 12 s of the detections in the
 * corner of PETS09-S2L1 where a car and a van stand, in any order, so that jitter, scores, classes and double boxes are those of the
 * detector; in front of the car the people of that clip and the cars of `traffic` pass, every 20 s on average, at the size that they would
 * have there, and hide it or cut its box. Neither detector misses the car of itself, so misses are added, as long as
 * those of the tracks in both clips really are, one a minute; for up to a minute every ten the light flickers: half of the detections are
 * missing, the others' scores anything down to a fifth; and over the day the light goes down to half the score and comes back.
 */
export function realParking(
  pets: DetectedClip,
  traffic: DetectedClip,
  { hours, seed }: { hours: number; seed: number },
): Day {
  const random = seeded(seed);
  const stride = Math.round(frameRate(pets) / FPS);
  const corner = pets.frames.map(({ detections }) =>
    detections.filter(({ label, box }) => VEHICLES.has(label) && isInside(box, CORNER)),
  );
  const walkers = waysOf(pets, (label) => label === 'person');
  const drivers = waysOf(traffic, (label) => VEHICLES.has(label));
  const [people, driving] = [passagesOf(walkers, 1.3), passagesOf(drivers, 1.1)];
  const gaps = [...walkers, ...drivers].flatMap(missLengths);
  if (people.length < 5 || driving.length < 5 || gaps.length < 5) {
    throw new Error(`${people.length} people, ${driving.length} cars, ${gaps.length} misses: too little for a day`);
  }

  const frameCount = Math.round(hours * 3600 * FPS);
  let state = createTracker({ smoothing: 0, clipToFrame: false }, 'gate-x');
  let events = NO_EVENTS;
  let [block, left, missedUntil, flickerUntil] = [0, 0, 0, 0];
  let passing: { passage: Passage; step: number } | undefined;
  const carIds = new Map<string, number>();
  let [carEvents, missed, unpublished, stolen, passages, maxTracks] = [0, 0, 0, 0, 0, 0];
  for (let index = 0; index < frameCount; index++) {
    const pts = index / FPS;
    if (left-- <= 0) {
      left = Math.floor(FPS * (2 + 10 * random()));
      block = Math.floor(random() * (corner.length - left * stride));
    } else block += stride;
    if (!passing && random() < 1 / (20 * FPS)) {
      const choice = random() < 0.7 ? people : driving;
      passing = { passage: choice[Math.floor(random() * choice.length)]!, step: 0 };
      passages++;
    }
    // The first minute is calm: somebody parks by day.
    if (pts > 60 && random() < 1 / (60 * FPS)) missedUntil = pts + gaps[Math.floor(random() * gaps.length)]! / FPS;
    if (pts > 60 && random() < 1 / (600 * FPS)) flickerUntil = pts + 60 * random();
    const light = 0.75 + 0.25 * Math.cos((2 * Math.PI * pts) / 86_400);
    const passer = passing?.passage[passing.step];
    const seen = corner[block]!.flatMap((detection): Detection[] => {
      const isFlickering = pts < flickerUntil;
      if (pts < missedUntil || (isFlickering && random() < 0.5)) return [];
      const score = detection.score * light * (isFlickering ? 0.2 + 0.8 * random() : 1);
      return behind({ ...detection, score }, passer);
    });
    if (passing && ++passing.step === passing.passage.length) passing = undefined;

    const step = stepTracker(state, {
      epoch: 0,
      pts,
      source: pets.source,
      detections: passer ? [...seen, passer] : seen,
    });
    state = step.state;
    maxTracks = Math.max(maxTracks, state.tracks.length);
    // Boxes are given out as they were detected, so an instance tells which detection it is.
    const cars = seen.filter(({ box }) => boxIou(box, PLACE) >= 0.5).map(({ box }) => box);
    const published = step.instances.filter((one) => one.state !== 'lost' && cars.includes(one.box));
    if (cars.length === 0) missed++;
    else if (published.length === 0) unpublished++;
    for (const { id } of published) carIds.set(id, (carIds.get(id) ?? 0) + 1);
    if (step.instances.some((one) => one.state !== 'lost' && one.box === passer?.box && carIds.has(one.id))) stolen++;
    const latency = { capture: 0, queue: 0, detect: 0, track: 0, total: 0 };
    const tracked = { camera: 'gate', epoch: 0, index, pts, time: pts * 1000, source: pets.source, latency, ...step };
    const next = stepEvents(events, tracked, {
      labels: { car: 0.5, truck: 0.5, bus: 0.5, person: 0.5 },
      minUpdateS: 1,
    });
    events = next.state;
    carEvents += next.events.filter(({ type, box }) => type === 'start' && cars.includes(box)).length;
  }
  return { carIds, carEvents, missed, unpublished, stolen, passages, maxTracks };
}

const frameRate = ({ frames }: DetectedClip): number => (frames.length - 1) / (frames.at(-1)!.pts - frames[0]!.pts);

const isInside = ([x1, y1, x2, y2]: BoxXyxy, [left, top, right, bottom]: BoxXyxy): boolean =>
  x1 >= left && x2 <= right && y1 >= top && y2 <= bottom;

/** What is left to see of a detection: all, a cut box of lower score, or nothing. */
function behind(detection: Detection, passer: Detection | undefined): Detection[] {
  const common = passer && clipToBox(passer.box, detection.box);
  if (!common) return [detection];
  const share = boxArea(common) / boxArea(detection.box);
  if (share > 0.6) return [];
  if (share < 0.2) return [detection];
  const [x1, y1, x2, y2] = detection.box;
  const box: BoxXyxy = common[0] - x1 > x2 - common[2] ? [x1, y1, common[0], y2] : [common[2], y1, x2, y2];
  return box[2] - box[0] < 2 ? [] : [{ ...detection, box, score: detection.score * (1 - share) }];
}

/** What a track of a clip was seen as, by step of 1/FPS. */
type Way = ReadonlyMap<number, Detection>;

/** All confirmed tracks of a clip. */
function waysOf({ frames, source }: DetectedClip, isWanted: (label: string) => boolean): Way[] {
  let state = createTracker({ smoothing: 0, clipToFrame: false }, 'x');
  const ways = new Map<string, Map<number, Detection>>();
  for (const { pts, detections } of frames) {
    const wanted = detections.filter(({ label }) => isWanted(label));
    const step = stepTracker(state, { epoch: 0, pts, source, detections: wanted });
    state = step.state;
    for (const { id, box, label, score, state: how } of step.instances) {
      if (how === 'lost') continue;
      const way = ways.get(id) ?? new Map<number, Detection>();
      ways.set(id, way.set(Math.round(pts * FPS), { label, score, box }));
    }
  }
  return [...ways.values()];
}

/**
 * Those that moved by two sides or more, taken to the parked car: so large that their median height is `heights` of the
 * car's, with the middle of their way right in front of it.
 */
function passagesOf(ways: readonly Way[], heights: number): Passage[] {
  return ways.flatMap((way): Passage[] => {
    const [first, last] = [Math.min(...way.keys()), Math.max(...way.keys())];
    const seen = [...way.values()];
    const tall = seen.map(({ box }) => box[3] - box[1]).sort((a, b) => a - b)[seen.length >> 1]!;
    const far = Math.abs(middle(way.get(first)!.box) - middle(way.get(last)!.box));
    if (far < 2 * tall) return [];
    const scale = (heights * (PLACE[3] - PLACE[1])) / tall;
    const centre = (middle(way.get(first)!.box) + middle(way.get(last)!.box)) / 2;
    const nearest = seen.toSorted((a, b) => Math.abs(middle(a.box) - centre) - Math.abs(middle(b.box) - centre))[0]!
      .box;
    const [dx, dy] = [middle(PLACE) - scale * centre, PLACE[3] + 4 - scale * nearest[3]];
    const taken = ({ box: [x1, y1, x2, y2], ...rest }: Detection): Detection => ({
      ...rest,
      box: [scale * x1 + dx, scale * y1 + dy, scale * x2 + dx, scale * y2 + dy],
    });
    return [
      Array.from({ length: last - first + 1 }, (_, step) => {
        const one = way.get(first + step);
        return one && taken(one);
      }),
    ];
  });
}

const middle = (box: BoxXyxy): number => (box[0] + box[2]) / 2;

/** Lengths of the misses of a track, in steps. */
function missLengths(way: Way): number[] {
  const steps = [...way.keys()].sort((a, b) => a - b);
  return steps.flatMap((step, nth) => (nth > 0 && step - steps[nth - 1]! > 1 ? [step - steps[nth - 1]! - 1] : []));
}
