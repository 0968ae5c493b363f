import { describe, expect, it } from 'vitest';
import { boxIou } from '../../../operators/geometry/box.js';
import { countSwitches, MASK_SCENES, type MaskScene } from './mask-scenes.js';
import { at, frames, maskOf, run } from './scene.js';

/** Changes of id over scenes of several seeds. */
function sum(scene: MaskScene, fps: number, seeds: number, maskCue: boolean): number {
  let switches = 0;
  for (let seed = 1; seed <= seeds; seed++) switches += countSwitches(scene, seed, fps, maskCue);
  return switches;
}

describe('the mask cue', () => {
  // All scenes, 12 seeds, at 5, 10 and 25 fps: 91 switches without, 56 with. What is left is nearly all `meeting` at 5 and
  // 10 fps, where the farther body is a sliver for a second and its mask no longer resembles it.
  it('saves switches where bodies cross, meet and pass what is parked', () => {
    const cases = [
      ['crossing', 5, 12],
      ['meeting', 25, 4],
      ['parked', 10, 6],
    ] as const;
    const total = (maskCue: boolean): number =>
      cases.reduce((all, [scene, fps, seeds]) => all + sum(scene, fps, seeds, maskCue), 0);
    const [off, on] = [total(false), total(true)];
    expect(off).toBeGreaterThan(8);
    expect(on).toBeLessThan(off / 4);
  });

  it('makes no scene worse', () => {
    for (const scene of MASK_SCENES) expect(sum(scene, 10, 6, true)).toBeLessThanOrEqual(sum(scene, 10, 6, false));
  });

  it('gives out the mask of the frame with the very box it came with, and none while lost', () => {
    const disc = (x: number) => {
      const detection = at(x, 300);
      const mask = maskOf(detection.box, (px, py) => Math.hypot(px - x, py - 300) < 20);
      return { ...detection, ...(mask && { mask }) };
    };
    const scene = frames(20, (index) => (index < 15 ? [disc(300 + 4 * index)] : []));
    const { steps } = run(scene);
    const instance = steps[10]!.instances[0]!;
    expect(instance.mask).toBe(scene[10]![0]!.mask);
    expect(boxIou(instance.box, scene[10]![0]!.box)).toBe(1);
    expect(steps[19]!.instances[0]!).not.toHaveProperty('mask');
  });
});
