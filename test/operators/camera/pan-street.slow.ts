import { expect, it } from 'vitest';
import { countSequence, figuresOf } from '../../../models/eval/mot/figures.js';
import type { MotRow } from '../../../models/eval/mot/rows.js';
import { type CameraState, stepCamera } from '../../../operators/camera/step-camera.js';
import { makeThumbnail } from '../../../operators/camera/thumbnail.js';
import { shiftBy } from '../../../operators/geometry/affine.js';
import { createTracker, stepTracker, type TrackerFrame } from '../../../operators/tracking/step-tracker.js';
import type { BoxXyxy, Detection, Thumbnail } from '../../../operators/types.js';
import { planStreet } from '../../../pipeline/street/plan.js';
import { openPainter } from '../../../pipeline/street/street-picture.js';
import { seeded } from '../tracking/scene.js';

/** A street is drawn wide and seen through a window that moves over it: a camera that pans, with the truth moved along. */
const STREET = { width: 960, height: 540 };
const WINDOW = { width: 640, height: 360 };
const SECONDS = 20;
const FPS = 10;
const SEEDS = [501, 502, 503];

type Corner = readonly [number, number];
const smooth = (t: number): number => t * t * (3 - 2 * t);
const ramp = (t: number, from: number, to: number): number =>
  smooth(Math.max(0, Math.min(1, (t - from) / (to - from))));
/** Upper left corner of the window at a second, before rounding to whole pixels. */
const MOVES: Readonly<Record<string, (t: number, random: () => number) => Corner>> = {
  'stands still': () => [160, 90],
  'pans and stops, four times': (t) => [
    320 * (ramp(t, 2, 4) - ramp(t, 7, 8.5) + ramp(t, 12, 13) - ramp(t, 16, 18)),
    180 * (ramp(t, 7, 8.5) - ramp(t, 16, 18)),
  ],
  'jerks every two seconds': (t) => {
    const jerk = Math.floor(t / 2);
    const place = seeded(jerk + 77);
    return jerk === 0 ? [160, 90] : [320 * place(), 180 * place()];
  },
  'shakes on its pole': (t, random) => [
    160 + 30 * Math.sin(9 * t) + 16 * (random() - 0.5),
    90 + 18 * Math.sin(7 * t + 1) + 10 * (random() - 0.5),
  ],
};

interface Seen {
  readonly thumbnail: Thumbnail;
  readonly corner: Corner;
  readonly truth: readonly { readonly id: number; readonly label: string; readonly box: BoxXyxy }[];
}

/** All windows of one street, which is drawn once. */
function watch(seed: number): Map<string, Seen[]> {
  const painter = openPainter(planStreet({ seed, periodS: SECONDS }), STREET);
  const random = seeded(seed);
  const moves = new Map(Object.keys(MOVES).map((move) => [move, [] as Seen[]]));
  for (let number = 0; number < SECONDS * FPS; number++) {
    const { pixels, seen } = painter.paint(number / FPS, number);
    for (const [move, path] of Object.entries(MOVES)) {
      const [x, y] = path(number / FPS, random);
      const corner = [
        Math.round(Math.max(0, Math.min(STREET.width - WINDOW.width, x))),
        Math.round(Math.max(0, Math.min(STREET.height - WINDOW.height, y))),
      ] as const;
      const placement = { scaleX: 1, scaleY: 1, offsetX: corner[0], offsetY: corner[1] };
      const truth = seen.flatMap(({ id, label, box, area, fullArea }) => {
        const inView = windowed(box, corner);
        return inView && area >= 0.3 * fullArea ? [{ id, label, box: inView }] : [];
      });
      moves.get(move)!.push({ thumbnail: makeThumbnail(pixels, STREET.width, placement, WINDOW), corner, truth });
    }
  }
  return moves;
}

/** The part of a box inside the window, in its pixels; undefined when less than half of it or too little to see. */
function windowed([x1, y1, x2, y2]: BoxXyxy, [left, top]: Corner): BoxXyxy | undefined {
  const box: BoxXyxy = [
    Math.max(0, x1 - left),
    Math.max(0, y1 - top),
    Math.min(WINDOW.width, x2 - left),
    Math.min(WINDOW.height, y2 - top),
  ];
  const [width, height] = [box[2] - box[0], box[3] - box[1]];
  return width > 0 && height >= 16 && width * height >= 0.5 * (x2 - x1) * (y2 - y1) ? box : undefined;
}

/** What a middling detector makes of the truth: one in eight missed, sides off by some hundredths. */
function detect(truth: Seen['truth'], random: () => number): Detection[] {
  return truth.flatMap(({ label, box }) => {
    const off = (side: number): number => side * 0.06 * (random() + random() - 1);
    const [width, height] = [box[2] - box[0], box[3] - box[1]];
    const noisy = box.map((side, k) => side + off(k % 2 ? height : width)) as unknown as BoxXyxy; // four sides in, four out
    return random() < 1 / 8 ? [] : [{ label, score: 0.55 + 0.4 * random(), box: noisy }];
  });
}

const WAYS = ['off', 'boxes', 'pictures', 'truth'] as const;

interface Outcome {
  readonly idf1: number;
  readonly switches: number;
  readonly cuts: number;
}

function track(frames: readonly Seen[], way: (typeof WAYS)[number], seed: number): Outcome {
  const random = seeded(seed);
  let tracker = createTracker({ cameraMotion: way === 'off' ? 'off' : 'auto', smoothing: 0 }, 'x');
  let camera: CameraState | undefined;
  let cuts = 0;
  const [results, truths]: [MotRow[], MotRow[]] = [[], []];
  const row = (frame: number, id: number, [x1, y1, x2, y2]: BoxXyxy): MotRow => ({
    ...{ frame: frame + 1, id, left: x1, top: y1, width: x2 - x1, height: y2 - y1, value: 1 },
  });
  for (const [index, { thumbnail, corner, truth }] of frames.entries()) {
    const told: Pick<TrackerFrame, 'cameraMotion' | 'cut'>[] = [];
    if (way === 'pictures') {
      const { state, motion, cut } = stepCamera(camera, thumbnail);
      camera = state;
      told.push({ ...(motion && { cameraMotion: motion }), cut });
      if (cut) cuts++;
    }
    const before = frames[index - 1];
    if (way === 'truth' && before) {
      told.push({ cameraMotion: shiftBy(before.corner[0] - corner[0], before.corner[1] - corner[1]) });
    }
    const step = stepTracker(tracker, {
      epoch: 0,
      pts: index / FPS,
      source: WINDOW,
      detections: detect(truth, random),
      ...told[0],
    });
    tracker = step.state;
    for (const { id, box } of truth) truths.push(row(index, id, box));
    for (const { id, box, state } of step.instances) {
      if (state !== 'lost') results.push(row(index, Number(id.slice(2)), box));
    }
  }
  const sequence = { name: 'street', layout: 'MOT15', frames: frames.length, rows: truths } as const;
  const { IDF1, IDSW } = figuresOf(countSequence(sequence, results, 'street', 'trackeval'));
  return { idf1: IDF1, switches: IDSW, cuts };
}

it('a drawn street through a window that moves keeps more of its identities with the pictures than by its boxes', {
  timeout: 30 * 60_000,
}, () => {
  const streets = SEEDS.map((seed) => ({ seed, moves: watch(seed) }));
  const table = new Map<string, Outcome>();
  for (const move of Object.keys(MOVES)) {
    const cells = WAYS.map((way) => {
      const runs = streets.map(({ seed, moves }) => track(moves.get(move)!, way, seed));
      const sum = (pick: (run: Outcome) => number): number => runs.reduce((all, run) => all + pick(run), 0);
      const mean = { idf1: sum((run) => run.idf1) / runs.length, switches: sum((run) => run.switches) };
      table.set(`${move} ${way}`, { ...mean, cuts: sum((run) => run.cuts) });
      return `${mean.idf1.toFixed(1)} / ${mean.switches}`;
    });
    console.log(`| ${move} | ${cells.join(' | ')} | cuts ${table.get(`${move} pictures`)!.cuts}`);
  }
  for (const move of Object.keys(MOVES)) {
    const [boxes, pictures] = ['boxes', 'pictures'].map((way) => table.get(`${move} ${way}`)!);
    expect(pictures!.cuts).toBe(0);
    expect(pictures!.idf1).toBeGreaterThan(boxes!.idf1 + (move === 'stands still' ? -0.5 : 10));
  }
});
