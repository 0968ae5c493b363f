import { describe, expect, it } from 'vitest';
import { absent, CLIPS, panErrors, thinned, thumbnailsOf, toldOf } from './real-clips.js';

if (absent.length > 0) console.warn(`SKIPPED: ${absent.join(', ')} absent, so no camera is watched on real pictures`);

/** The first seconds only; real-clips.slow.ts takes the whole clips. */
describe.skipIf(absent.length > 0)('the beginnings of real clips', () => {
  it('are of cameras that stand: no motion, no cut, at full rate and at five pictures a second', async () => {
    for (const clip of CLIPS) {
      const pictures = await thumbnailsOf(clip, 60);
      for (const series of [pictures, thinned(pictures, Math.round(clip.fps / 5))]) {
        expect({ clip: clip.name, ...toldOf(series) }).toEqual({ clip: clip.name, moved: [], cuts: [] });
      }
    }
  });

  it('one after the other have one cut, at the first picture of the second', async () => {
    const [shop, visits] = await Promise.all(
      CLIPS.slice(0, 2).map((clip) => thumbnailsOf(clip, 20, { source: { width: 640, height: 360 } })),
    );
    expect(toldOf([...shop!, ...visits!])).toEqual({ moved: [], cuts: [20] });
    expect(toldOf([...visits!, ...shop!])).toEqual({ moved: [], cuts: [20] });
  });

  it('through a window that swings over them tell its motion', async () => {
    const [errors] = await panErrors(CLIPS[4], 60, [1]);
    const { pairs, told, cuts, errorsPx, cellPx } = errors!;
    expect(cuts).toBe(0);
    expect(told).toBeGreaterThan(0.9 * pairs);
    expect(errorsPx[told >> 1]).toBeLessThan(cellPx / 10);
    expect(errorsPx[told - 1]).toBeLessThan(cellPx / 2);
  });
});
