import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createLog } from '../../../pipeline/log.js';
import { startRtspServer } from '../../../pipeline/rtsp-server/server.js';
import { openSource } from '../../../pipeline/sources/source.js';
import { collect, optionsFor } from './collect.js';

/** A disk that does not take segments must cost the analysis nothing. */
let folder: string;
let scene: string;
const FRAMES = 120;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'maskcast-disk-'));
  scene = join(folder, 'scene.mp4');
  // Noise, so that a small disk is soon full.
  const input = ['-f', 'lavfi', '-i', `testsrc=s=320x180:r=10:d=${FRAMES / 10},noise=alls=60:allf=t`];
  const codec = ['-c:v', 'libx264', '-preset', 'ultrafast', '-crf', '18', '-g', '10', '-pix_fmt', 'yuv420p'];
  execFileSync('ffmpeg', ['-v', 'error', '-nostdin', ...input, ...codec, scene]);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('a file gives every frame though the folder for segments cannot be made', async () => {
  const blocked = join(folder, 'blocked');
  writeFileSync(blocked, 'not a folder');
  const { frames, segments, warnings, error } = await collect(scene, {
    record: { folder: join(blocked, 'gate'), segmentS: 2 },
  });
  expect(error).toBeUndefined();
  expect(frames).toHaveLength(FRAMES);
  expect(segments).toEqual([]);
  expect(warnings).toEqual([expect.stringMatching(/^nothing is recorded for now: .*; the analysis goes on$/)]);
});

test('a file gives every frame once, in one epoch, though the disk fills up in the middle', async (context) => {
  const disk = join(folder, 'small');
  mkdirSync(disk);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk], { stdio: 'ignore' });
  } catch {
    console.warn('SKIPPED: a tiny file system cannot be mounted by this user');
    return context.skip();
  }
  try {
    const { frames, segments, warnings, stats, error } = await collect(scene, {
      record: { folder: disk, segmentS: 1 },
    });
    expect(error).toBeUndefined();
    expect(frames.map(({ index }) => index)).toEqual(Array.from({ length: FRAMES }, (_, index) => index));
    for (const [index, { pts, epoch }] of frames.entries()) {
      expect(epoch).toBe(0);
      expect(pts).toBeCloseTo(index / 10, 3);
    }
    expect(stats).toMatchObject({ frames: FRAMES, delivered: FRAMES, dropped: 0, decodeErrors: 0 });
    expect(segments.length).toBeGreaterThan(0);
    expect(warnings).toEqual(['nothing is recorded for now: the disk is full; the analysis goes on']);
  } finally {
    execFileSync('umount', [disk]);
  }
});

test('a live camera goes on without recording and records again once the disk is back', async () => {
  const server = await startRtspServer({ mounts: { cam: { file: scene } }, log: createLog('silent') });
  const place = join(folder, 'away');
  writeFileSync(place, 'not a folder');
  const source = openSource(
    optionsFor(server.url('cam'), { record: { folder: join(place, 'gate'), segmentS: 1 }, recordRetryMs: 200 }),
  );
  let frames = 0;
  let segments = 0;
  source.messages.subscribe((message) => {
    if (message.kind === 'frame') {
      frames++;
      message.frame.release();
    } else if (message.kind === 'segment') segments++;
  });
  const until = async (done: () => boolean): Promise<void> => {
    for (let waited = 0; !done(); waited += 20) {
      if (waited > 20_000) throw new Error('waited in vain');
      await sleep(20);
    }
  };
  await until(() => frames > 10);
  expect(segments).toBe(0);
  rmSync(place);
  await until(() => segments > 0);
  await source.stop();
  await server.stop();
});
