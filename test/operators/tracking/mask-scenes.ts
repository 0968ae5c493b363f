import type { Detection } from '../../../operators/types.js';
import { frames, maskOf, run, seeded } from './scene.js';

/** A body on the picture plane; the nearer one hides the farther. */
interface Body {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  /** Leaning of the body: its masks are slanted, so that two crossing bodies have other pixels in the same box. */
  readonly lean: number;
}

const isInside = ({ x, y, width, height, lean }: Body, px: number, py: number): boolean => {
  const v = (py - y) / (height / 2);
  const u = (px - x - lean * v) / (width / 2);
  return u * u + v * v <= 1;
};

/** What a segmenting detector sees of bodies from near to far: visible pixels, their tight box, jitter. */
function look(
  bodies: readonly Body[],
  random: () => number,
  jitter: number,
): (Detection & { readonly body: number })[] {
  return bodies.flatMap((body, index) => {
    const nearer = bodies.slice(0, index);
    const shifted = { ...body, x: body.x + jitter * (random() - 0.5), y: body.y + jitter * (random() - 0.5) };
    const reach = body.width / 2 + Math.abs(body.lean);
    const area = [
      body.x - reach - 8,
      body.y - body.height / 2 - 8,
      body.x + reach + 8,
      body.y + body.height / 2 + 8,
    ] as const;
    const isSeen = (px: number, py: number): boolean =>
      isInside(shifted, px, py) && !nearer.some((other) => isInside(other, px, py));
    const box = tightBox(area, isSeen);
    if (!box || random() < 0.05) return [];
    const mask = maskOf(box, isSeen);
    return [{ label: 'person', score: 0.85 + 0.1 * random(), box, ...(mask && { mask }), body: index }];
  });
}

function tightBox(area: readonly [number, number, number, number], isSeen: (x: number, y: number) => boolean) {
  let [x1, y1, x2, y2, count] = [Infinity, Infinity, -Infinity, -Infinity, 0];
  for (let y = Math.floor(area[1]); y < area[3]; y++) {
    for (let x = Math.floor(area[0]); x < area[2]; x++) {
      if (!isSeen(x + 0.5, y + 0.5)) continue;
      count++;
      [x1, y1, x2, y2] = [Math.min(x1, x), Math.min(y1, y), Math.max(x2, x + 1), Math.max(y2, y + 1)];
    }
  }
  return count > 40 ? ([x1, y1, x2, y2] as const) : undefined;
}

/** Scenes of two or three bodies; `t` in seconds. */
const SCENES = {
  crossing: (random: () => number) => {
    const [speed, lean] = [70 + 40 * random(), 16 + 8 * random()];
    return (t: number): Body[] => [
      { x: 300 + speed * t, y: 300, width: 26, height: 100, lean },
      { x: 300 + speed * (4 - t), y: 296, width: 26, height: 98, lean: -lean },
    ];
  },
  meeting: (random: () => number) => {
    // They meet, stand close for a while, and part the way they came: motion says they should have passed.
    const [speed, lean] = [80 + 40 * random(), 14 + 6 * random()];
    const pace = (t: number): number => speed * Math.max(0, Math.abs(t - 2) - 0.5);
    return (t: number): Body[] => [
      { x: 392 - pace(t), y: 300, width: 26, height: 100, lean },
      { x: 408 + pace(t), y: 297, width: 26, height: 98, lean: -lean },
    ];
  },
  parked: (random: () => number) => {
    const speed = 120 + 60 * random();
    return (t: number): Body[] => [
      { x: 150 + speed * t, y: 305, width: 60, height: 96, lean: 18 },
      { x: 400, y: 300, width: 60, height: 90, lean: -18 },
    ];
  },
} as const;

export type MaskScene = keyof typeof SCENES;
export const MASK_SCENES = Object.keys(SCENES) as MaskScene[];

/**
 * Runs a scene of four seconds.
 *
 * @returns how often a body changed its id while it was seen
 */
export function countSwitches(scene: MaskScene, seed: number, fps: number, maskCue: boolean): number {
  const random = seeded(seed);
  const bodiesAt = SCENES[scene](random);
  const seen = frames(4 * fps, (index) => look(bodiesAt(index / fps), random, 3));
  const { steps } = run(seen, { maskCue }, { fps });
  const ids = new Map<number, string>();
  let switches = 0;
  steps.forEach(({ instances }, index) => {
    for (const { box, body } of seen[index]!) {
      const instance = instances.find((one) => one.state !== 'lost' && one.box.every((side, k) => side === box[k]));
      if (!instance) continue;
      if (ids.has(body) && ids.get(body) !== instance.id) switches++;
      ids.set(body, instance.id);
    }
  });
  return switches;
}
