import { describe, expect, it } from 'vitest';
import type { Thumbnail } from '../../../operators/types.js';
import { absent, CLIPS, panErrors, thinned, thumbnailsOf, toldOf } from './real-clips.js';

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
    expect(found).toBeGreaterThanOrEqual(24);
  });

  it.each(CLIPS)('$name through a window that swings over it', async (clip) => {
    const steps = [1, 3, 6];
    for (const [index, errors] of (await panErrors(clip, 400, steps)).entries()) {
      const { pairs, told, cuts, errorsPx, cellPx } = errors;
      const cells = (share: number): string => (errorsPx[Math.floor(share * told)]! / cellPx).toFixed(3);
      console.log(
        `${clip.name}, ${steps[index]} apart: told ${told} of ${pairs}, ${cuts} cuts, off by ${cells(0.5)} of a cell (median), ${cells(0.9)} (p90), ${cells(0.99)} (p99); a cell is ${cellPx.toFixed(1)} px`,
      );
      expect(cuts).toBeLessThanOrEqual(1);
      expect(errorsPx[told >> 1]).toBeLessThan(0.2 * cellPx);
      expect(errorsPx[told - 1]).toBeLessThan(cellPx);
    }
  });
});
