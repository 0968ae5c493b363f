import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startEncodePictures } from '../../pipeline/ffmpeg/media-jobs.js';
import { planStreet } from '../../pipeline/street/plan.js';
import { openPainter } from '../../pipeline/street/street-picture.js';
import { runCli } from '../support/cli.js';
import { writeSquareDetector } from '../support/square-detector.js';

/**
 * A drill: in the middle of a video one drawn street takes the place of another, as when an operator switches cameras, and
 * where the one thing to follow was, there is one again.
 */
const SIZE = { width: 320, height: 240 };
const [FPS, BEFORE, AFTER] = [10, 15, 15];
const SIDE = 40;
const folder = mkdtempSync(join(tmpdir(), 'maskcast-cut-'));
const file = (name: string): string => join(folder, name);

beforeAll(async () => {
  await writeSquareDetector(file('square.onnx'), SIZE);
  // Darker than the square, which is what the detector of the test knows.
  const streets = [4, 7].map((seed) =>
    openPainter(planStreet({ seed, periodS: 10, daylight: 'day' }), SIZE)
      .paint(1, 0)
      .pixels.map((value) => value * 0.6),
  );
  const encode = startEncodePictures(file('two-streets.mp4'), SIZE, FPS);
  for (let number = 0; number < BEFORE + AFTER; number++) {
    const picture = Uint8Array.from(streets[number < BEFORE ? 0 : 1]!);
    for (let y = 100; y < 100 + SIDE; y++) {
      const start = 3 * (y * SIZE.width + 60 + 4 * number);
      picture.fill(215, start, start + 3 * SIDE);
    }
    encode.stdin.write(picture);
  }
  encode.stdin.end();
  await encode.done;
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs the video; each event as its id, first and last second, and the ids of each frame. */
async function watch(cameraMotion: 'auto' | 'off'): Promise<{ events: unknown[]; ids: string[][]; tracks: number }> {
  const config = {
    mqtt: { embedded: { port: 0 } },
    model: { file: file('square.onnx'), workers: 1, threads: 1 },
    tracker: { cameraMotion },
    data: file(`data-${cameraMotion}`),
    log: 'warn',
    cameras: { cam: { source: file('two-streets.mp4'), record: false } },
  };
  writeFileSync(file(`${cameraMotion}.yaml`), JSON.stringify(config));
  const { code, stdout, stderr } = await runCli(['run', file(`${cameraMotion}.yaml`), '--print', '--json']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).not.toContain('thumbnail');
  const lines = stdout.trim().split('\n');
  const messages = lines.slice(0, -1).map((line) => JSON.parse(line));
  const of = (topic: string) =>
    messages.filter((message) => message.topic === `maskcast/cam/${topic}`).map(({ payload }) => payload);
  const second = (time: string): number => (Date.parse(time) - Date.parse(of('tracks')[0].time)) / 1000;
  const number = (id: string): string => id.split('-').at(-1)!;
  return {
    events: of('events')
      .filter(({ type }) => type !== 'update')
      .map(({ type, event, start, end }) => ({
        type,
        id: number(event),
        from: second(start),
        ...(end && { to: second(end) }),
      })),
    ids: of('tracks').map(({ instances }) => instances.map(({ id }: { id: string }) => number(id))),
    tracks: JSON.parse(lines.at(-1)!).cameras.cam.tracks,
  };
}

describe('a hard cut in a run', () => {
  it('ends what was tracked with the last picture before it, once, and begins anew with the first after it', async () => {
    const { events, ids, tracks } = await watch('auto');
    const last = (BEFORE + AFTER - 1) / FPS;
    expect(events).toEqual([
      { type: 'start', id: '1', from: 0 },
      { type: 'end', id: '1', from: 0, to: (BEFORE - 1) / FPS },
      { type: 'start', id: '2', from: BEFORE / FPS },
      { type: 'end', id: '2', from: BEFORE / FPS, to: last },
    ]);
    expect(tracks).toBe(2);
    // A new track is confirmed by its third detection.
    const shown = (count: number, id: string): string[][] => [[], [], ...Array(count - 2).fill([id])];
    expect(ids).toEqual([...shown(BEFORE, '1'), ...shown(AFTER, '2')]);
  });

  it('is not looked for when cameraMotion is off: one track goes through', async () => {
    const { events, tracks } = await watch('off');
    expect(events).toEqual([
      { type: 'start', id: '1', from: 0 },
      { type: 'end', id: '1', from: 0, to: (BEFORE + AFTER - 1) / FPS },
    ]);
    expect(tracks).toBe(1);
  });
});
