import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { stepCamera } from '../../../operators/camera/step-camera.js';
import type { Thumbnail } from '../../../operators/types.js';
import { seeded } from '../tracking/scene.js';
import {
  absent,
  CLIPS,
  damagedClip,
  panErrors,
  pictureThumbnails,
  thinned,
  thumbnailsOf,
  toldOf,
} from './real-clips.js';
import { changed } from './world.js';

if (absent.length > 0) console.warn(`SKIPPED: ${absent.join(', ')} absent, so no camera is watched on real pictures`);

describe.skipIf(absent.length > 0)('whole clips', { timeout: 30 * 60_000 }, () => {
  const decoded = new Map<string, Thumbnail[]>();

  it.each(CLIPS)('$name: its camera stands, at full rate and at five pictures a second', async (clip) => {
    const pictures = await thumbnailsOf(clip, undefined, { source: { width: 640, height: 360 } });
    decoded.set(clip.name, pictures);
    for (const step of [1, Math.round(clip.fps / 5)]) {
      const series = thinned(pictures, step);
      const startMs = performance.now();
      const { moved, cuts } = toldOf(series);
      const meanMs = (performance.now() - startMs) / series.length;
      console.log(
        `${clip.name}, every ${step}: ${series.length} pictures, ${moved.length} motions, ${cuts.length} cuts, ${meanMs.toFixed(3)} ms each`,
      );
      expect({ moved, cuts }).toEqual({ moved: [], cuts: [] });
    }
  });

  it('one after another have one cut, at the right picture, or none where they happen to be alike', () => {
    let found = 0;
    const missed: string[] = [];
    for (const [first, before] of decoded) {
      for (const [second, after] of decoded) {
        if (first === second) continue;
        const { cuts } = toldOf([...before.slice(-20), ...after.slice(0, 20)]);
        if (cuts.length === 0) missed.push(`${first} → ${second}`);
        else expect(cuts, `${first} → ${second}`).toEqual([Math.min(20, before.length)]);
        if (cuts.length > 0) found++;
      }
    }
    console.log(`${found} of ${found + missed.length} cuts found; missed: ${missed.join(', ')}`);
    expect(found).toBeGreaterThanOrEqual(20);
  });

  const random = seeded(1);
  const noise = (spread: number): number =>
    spread * Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  /** What befalls a picture; of a cell's brightness and its place, 0…1. */
  const BEFALLS: Readonly<Record<string, (value: number, x: number, y: number) => number>> = {
    'half as bright': (value) => value / 2,
    'an eighth as bright, and noise': (value) => value / 8 + noise(1),
    'three times as bright': (value) => 3 * value,
    'brighter by 60': (value) => value + 60,
    'gamma 0.45': (value) => 255 * (value / 255) ** 0.45,
    'light from one side': (value, x) => value * (0.2 + 1.2 * x),
    'a lamp': (value, x, y) => value * (0.3 + 1.5 * Math.exp(-(((x - 0.3) / 0.11) ** 2 + ((y - 0.3) / 0.2) ** 2))),
    'noise of 6 grey levels': (value) => value + noise(6),
    'half grey': (value, _x, y) => (y > 0.5 ? 128 : value),
    'four fifths grey': (value, _x, y) => (y > 0.2 ? 128 : value),
    black: () => 5 + noise(0.3),
  };

  it.each(Object.entries(BEFALLS))('%s: neither motion nor cut', (_name, befall) => {
    for (const pictures of decoded.values()) {
      for (let n = 0; n < 40; n++) {
        const at = Math.floor((n * (pictures.length - 3)) / 40);
        const before = pictures[at]!;
        const { width, height } = before;
        const after = changed(pictures[at + 2]!, (value, x, y) => befall(value, (x + 0.5) / width, (y + 0.5) / height));
        expect(stepCamera({ thumbnail: before }, after)).toMatchObject({ cut: false });
        expect(stepCamera({ thumbnail: after }, before)).toMatchObject({ cut: false });
        expect(stepCamera({ thumbnail: before }, after)).not.toHaveProperty('motion');
      }
    }
  });

  it('unrelated pictures are cuts nine times out of ten, and what hides part of a picture is none', async () => {
    const pictures = await pictureThumbnails();
    const unrelated = pictures.map((before, n) =>
      stepCamera({ thumbnail: before }, pictures[(n + 137) % pictures.length]!),
    );
    const cuts = unrelated.filter(({ cut }) => cut).length;
    console.log(`${cuts} of ${pictures.length} pairs of unrelated pictures are cuts`);
    expect(unrelated.every(({ motion }) => !motion)).toBe(true);
    expect(cuts).toBeGreaterThan(0.9 * pictures.length);
    for (const share of [0.6, 0.8, 0.9]) {
      let [wrong, pairs] = [0, 0];
      for (const clip of decoded.values()) {
        for (let n = 0; n < 40; n++) {
          const at = Math.floor((n * (clip.length - 3)) / 40);
          const lorry = pictures[(n * 7) % pictures.length]!;
          const hidden = changed(clip[at + 2]!, (value, x, y) =>
            x < share * lorry.width ? lorry.luma[y * lorry.width + x]! : value,
          );
          pairs += 2;
          if (stepCamera({ thumbnail: clip[at]! }, hidden).cut) wrong++;
          if (stepCamera({ thumbnail: hidden }, clip[at]!).cut) wrong++;
        }
      }
      console.log(`another picture in ${share} of the frame at once: ${wrong} cuts in ${pairs}`);
      if (share === 0.6) expect(wrong).toBe(0);
    }
  });

  it.each([
    ['every tenth picture but keyframes', 'if(mod(n,50)*not(mod(n,10)),500,0)'],
    ['three pictures in a row', 'if(lt(abs(mod(n,50)-21),2),200,0)'],
    ['the keyframe', 'if(mod(n,50),0,2000)'],
    ['everything', '20000'],
  ])('a stream with bytes lost in %s', async (lost, amount) => {
    const folder = mkdtempSync(join(tmpdir(), 'maskcast-damaged-'));
    try {
      let [pairs, wrong, motions] = [0, 0, 0];
      for (const clip of CLIPS) {
        const file = damagedClip(clip, join(folder, 'damaged.mkv'), amount);
        const { moved, cuts } = toldOf(await thumbnailsOf(clip, undefined, { file }));
        console.log(
          `${clip.name}, bytes lost in ${lost}: cuts ${cuts.join(' ')}; motions of ${moved.map((cells) => cells.toFixed(1)).join(' ')} cells`,
        );
        pairs += 199;
        wrong += cuts.length;
        motions += moved.length;
      }
      console.log(`bytes lost in ${lost}: ${wrong} cuts and ${motions} motions in ${pairs}`);
      expect(wrong).toBeLessThan(0.01 * pairs);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it.each(CLIPS)('$name through a window that swings over it', async (clip) => {
    const steps = [1, 3, 6];
    for (const [index, errors] of (await panErrors(clip, 400, steps)).entries()) {
      const { pairs, told, cuts, errorsPx, cellPx } = errors;
      const cells = (share: number): string => (errorsPx[Math.floor(share * told)]! / cellPx).toFixed(3);
      console.log(
        `${clip.name}, ${steps[index]} apart: told ${told} of ${pairs}, ${cuts} cuts, off by ${cells(0.5)} of a cell (median), ${cells(0.9)} (p90), ${cells(0.99)} (p99); a cell is ${cellPx.toFixed(1)} px`,
      );
      expect(cuts).toBe(0);
      expect(errorsPx[told >> 1]).toBeLessThan(0.2 * cellPx);
      // Of the road hardly anything is told, and one thing wrong: its edges run along it, and what crosses them is cars.
      expect(errorsPx[Math.floor(0.9 * told)]).toBeLessThan(cellPx / 2);
    }
  });
});
