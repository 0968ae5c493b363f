import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { countDecodedFrames, probeClip } from '../../../pipeline/ffmpeg/media-jobs.js';
import { createLog } from '../../../pipeline/log.js';
import { readH264 } from '../../../pipeline/rtsp-server/read-h264.js';
import type { StreetTruth } from '../../../pipeline/street/street-truth.js';
import { cachedStreetVideo, truthFile } from '../../../pipeline/street/street-video.js';

const STREET = { seed: 4, width: 192, height: 108, fps: 4, seconds: 3 } as const;

describe('a drawn video', () => {
  let folder = '';
  let video = '';
  let drawn = 0;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'maskcast-street-'));
    const draw = (): Promise<string> => cachedStreetVideo(folder, STREET, () => drawn++);
    video = await draw();
    // The second time it is there.
    expect(await draw()).toBe(video);
    // Seconds on an idle machine.
  }, 300_000);
  afterAll(() => rm(folder, { recursive: true }));

  it('is drawn once, whole, and lies beside its ground truth', async () => {
    expect(drawn).toBe(12);
    expect((await readdir(folder)).sort()).toEqual(
      [truthFile(video), video].map((file) => file.slice(folder.length + 1)).sort(),
    );
    expect(await countDecodedFrames(video)).toBe(12);
    const { size, codec, timesS } = await probeClip(video);
    expect({ size, codec }).toEqual({ size: { width: 192, height: 108 }, codec: 'h264' });
    timesS.forEach((t, number) => expect(t).toBeCloseTo(number / 4, 6));
  });

  it('has a truth for every picture and the lines as the camera sees them', async () => {
    const truth = JSON.parse(await readFile(truthFile(video), 'utf8')) as StreetTruth;
    expect(truth).toMatchObject({ schema: 1, ...STREET });
    expect(truth.frames.map(({ t }) => t)).toEqual(Array.from({ length: 12 }, (_, number) => number / 4));
    for (const { figures } of truth.frames) {
      for (const { visible, box, mask } of figures) {
        expect(visible).toBeGreaterThanOrEqual(0);
        expect(visible).toBeLessThanOrEqual(1);
        expect(mask.size).toEqual([box[3] - box[1], box[2] - box[0]]);
      }
    }
    expect(truth.lines.map(({ name }) => name)).toEqual(['across', 'middle']);
    const names = new Set(truth.lines.map(({ name }) => name));
    for (const { line, t, direction } of truth.crossings) {
      expect(names.has(line) && t >= 0 && t < 3 && ['in', 'out'].includes(direction)).toBe(true);
    }
  });

  it('can be served by our RTSP server without being encoded again, and entered at every second', async () => {
    const track = await readH264(video, createLog('silent'));
    const keys = track.units.filter(({ key }) => key);
    expect(track.units).toHaveLength(12);
    expect(keys).toHaveLength(3);
  });
});
