import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CameraStatus, Frame, Segment } from '../../../operators/types.js';
import { type RtspServer, startRtspServer } from '../../../pipeline/rtsp-server/server.js';
import { openSource, type Source } from '../../../pipeline/sources/source.js';
import { optionsFor, segmentTimes } from './collect.js';
import { startLiveServer } from './live-server.js';

const silent = pino({ level: 'silent' });
let folder: string;
let file: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'maskcast-live-'));
  file = join(folder, 'scene.mp4');
  const input = ['-f', 'lavfi', '-i', 'testsrc=s=320x180:r=10:d=6'];
  const codec = ['-c:v', 'libx264', '-preset', 'veryfast', '-g', '10', '-bf', '0', '-pix_fmt', 'yuv420p'];
  execFileSync('ffmpeg', ['-v', 'error', '-nostdin', ...input, ...codec, file]);
});
afterAll(() => rmSync(folder, { recursive: true }));

const serve = (more: Partial<Parameters<typeof startRtspServer>[0]> = {}): Promise<RtspServer> =>
  startRtspServer({ mounts: { cam: { file } }, log: silent, ...more });

/** A source that runs, and what came of it so far. */
function watch(source: Source) {
  const seen = {
    frames: [] as Omit<Frame, 'release' | 'pixels'>[],
    arrivals: [] as number[],
    segments: [] as Segment[],
    statuses: [] as CameraStatus[],
    buffers: new Set<unknown>(),
    ended: false,
  };
  source.messages.subscribe({
    next: (message) => {
      if (message.kind === 'status') seen.statuses.push(message.status);
      else if (message.kind === 'segment') seen.segments.push(message.segment);
      else {
        seen.buffers.add(message.frame.pixels.buffer);
        message.frame.release();
        const { pixels: _pixels, release: _release, ...frame } = message.frame;
        seen.frames.push(frame);
        seen.arrivals.push(performance.now());
      }
    },
    complete: () => {
      seen.ended = true;
    },
  });
  return seen;
}

async function until(what: () => boolean, withinMs: number): Promise<number> {
  const start = performance.now();
  while (!what()) {
    if (performance.now() - start > withinMs) throw new Error(`not within ${withinMs} ms: ${what}`);
    await sleep(20);
  }
  return performance.now() - start;
}

function processesWith(text: string): number[] {
  return readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid) && Number(pid) !== process.pid)
    .map(Number)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(text);
      } catch {
        return false; // it has just ended
      }
    });
}

describe('an RTSP camera', () => {
  test('comes back within 5 s of a cut and of a stall; another camera never notices', async () => {
    const [server, other] = await Promise.all([serve(), serve()]);
    const record = { folder: join(folder, 'drill'), segmentS: 2 };
    const source = openSource(optionsFor(server.url('cam'), { record, poolFrames: 3, config: { stallAfter: 1 } }));
    // A machine busy with other tests may hold up anybody for a second.
    const quiet = openSource(optionsFor(other.url('cam'), { config: { stallAfter: 4 } }));
    const seen = watch(source);
    const calm = watch(quiet);
    await until(() => seen.frames.length > 25 && calm.frames.length > 5, 15_000);

    server.drop();
    await until(() => seen.statuses.at(-1)?.state === 'reconnecting', 5_000);
    await until(() => seen.frames.at(-1)?.epoch === 1, 5_000);
    await until(() => seen.frames.filter(({ epoch }) => epoch === 1).length > 10, 5_000);

    server.stall(true);
    await until(() => seen.statuses.at(-1)?.state === 'reconnecting', 6_000);
    expect(seen.statuses.at(-1)?.reason).toMatch(/no picture for 1 s/);
    server.stall(false);
    await until(() => seen.frames.at(-1)?.epoch === 2, 5_000);

    await Promise.all([source.stop(), quiet.stop()]);
    expect(seen.ended).toBe(true);
    expect(calm.statuses.map(({ state }) => state).filter((state) => state !== 'live')).toEqual([
      'connecting',
      'ended',
    ]);
    const gaps = calm.arrivals.slice(1).map((at, i) => at - calm.arrivals[i]!);
    expect(Math.max(...gaps)).toBeLessThan(3_000);
    // Memory stays flat: three places over three connections.
    expect(seen.buffers.size).toBeLessThanOrEqual(3);
    // Each frame lies in a segment of its own connection, at its own time.
    for (const epoch of [0, 1, 2]) {
      const times = segmentTimes(seen.segments.filter((segment) => segment.epoch === epoch));
      const frames = seen.frames.filter((frame) => frame.epoch === epoch);
      const lost = frames.filter(({ pts }) => !times.some((time) => Math.abs(time - pts) <= 0.001));
      // The stalled ffmpeg was interrupted in a read: what it had not yet written is gone, a moment before the stall.
      const allowed = epoch === 1 ? frames.at(-1)!.pts - 0.25 : Number.POSITIVE_INFINITY;
      expect(lost.filter(({ pts }) => pts < allowed)).toEqual([]);
      for (const [i, { pts }] of frames.entries()) if (i > 0) expect(pts - frames[i - 1]!.pts).toBeCloseTo(0.1, 2);
    }
    // UTC of a frame is about its arrival.
    for (const { time } of seen.frames.slice(10, 20)) expect(Math.abs(time - Date.now())).toBeLessThan(60_000);
    await Promise.all([server.stop(), other.stop()]);
  });

  test('over UDP', async () => {
    const server = await serve();
    const source = openSource(optionsFor(server.url('cam'), { config: { transport: 'udp' } }));
    const seen = watch(source);
    await until(() => seen.frames.length > 5, 15_000);
    await source.stop();
    await server.stop();
  });

  test('with a wrong password says so, tries on, and the password is nowhere', async () => {
    const server = await serve({ auth: { scheme: 'digest', user: 'admin', password: 'right' } });
    const warnings: string[] = [];
    const url = server.url('cam').replace('rtsp://', 'rtsp://admin:top-secret@');
    const source = openSource(optionsFor(url, {}, warnings));
    const seen = watch(source);
    await until(() => seen.statuses.at(-1)?.state === 'reconnecting', 10_000);
    expect(seen.statuses.at(-1)?.reason).toBe('the camera refused user name or password');
    await source.stop();
    expect(JSON.stringify([seen.statuses, warnings])).not.toMatch(/top-secret|admin/);
    await server.stop();
  });

  test('that is not there yet is found when it comes', async () => {
    const probe = createServer().listen(0, '127.0.0.1');
    await once(probe, 'listening');
    const address = probe.address();
    const port = typeof address === 'object' && address ? address.port : 0;
    probe.close();
    const source = openSource(optionsFor(`rtsp://127.0.0.1:${port}/cam`));
    const seen = watch(source);
    await until(() => seen.statuses.at(-1)?.state === 'reconnecting', 5_000);
    expect(seen.statuses.at(-1)?.reason).toMatch(/connection refused/);
    await sleep(1_500);
    const server = await serve({ port });
    await until(() => seen.frames.length > 0, 5_000);
    await source.stop();
    await server.stop();
  });

  test('of a host that does not exist', async () => {
    const source = openSource(optionsFor('rtsp://no-such-camera.invalid/cam'));
    const seen = watch(source);
    await until(() => seen.statuses.at(-1)?.state === 'reconnecting', 12_000);
    expect(seen.statuses.at(-1)?.reason).toMatch(/no such host/);
    await source.stop();
  });

  test('leaves no ffmpeg when we are killed, also when it is silent', async (ctx) => {
    const compiled = fileURLToPath(new URL('../../../dist/pipeline/sources/source.js', import.meta.url));
    if (!existsSync(compiled)) {
      console.warn('SKIPPED: dist/ is not there; run npm run build');
      return ctx.skip();
    }
    const server = await serve();
    const url = server.url('cam');
    const program = `
      import { openSource } from ${JSON.stringify(compiled)};
      import { cameraSchema } from ${JSON.stringify(compiled.replace('pipeline/sources/source.js', 'config/schema.js'))};
      import { createLog } from ${JSON.stringify(compiled.replace('sources/source.js', 'log.js'))};
      openSource({ camera: 'a', config: cameraSchema.parse({ source: process.argv[1], stallAfter: 600 }), log: createLog('silent'),
        input: { width: 64, height: 64, fit: 'stretch', fill: 0 } }).messages.subscribe((m) => {
          if (m.kind !== 'frame') return;
          m.frame.release();
          process.stdout.write('frame\\n');
        });`;
    const ours = spawn(process.execPath, ['--input-type=module', '-e', program, url], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(ours.stdout, 'data');
    server.stall(true);
    await sleep(500);
    expect(processesWith(url).filter((pid) => pid !== ours.pid)).toHaveLength(1);
    ours.kill('SIGKILL');
    await until(() => processesWith(url).length === 0, 5_000);
    await server.stop();
  });
});

describe('a camera over HTTP', () => {
  test('Motion JPEG gets its times at arrival, and comes back', async () => {
    const camera = await startLiveServer('mjpeg');
    const record = { folder: join(folder, 'mjpeg'), segmentS: 1 };
    const source = openSource(optionsFor(camera.url, { record, config: { stallAfter: 1 } }));
    const seen = watch(source);
    await until(() => seen.frames.length > 15, 10_000);
    const span = seen.frames[15]!.pts - seen.frames[0]!.pts;
    expect(span).toBeGreaterThan(1);
    expect(span).toBeLessThan(2.5);
    camera.drop();
    await until(() => seen.frames.at(-1)?.epoch === 1, 5_000);
    await source.stop();
    const times = segmentTimes(seen.segments.filter(({ epoch }) => epoch === 0));
    const first = seen.frames.filter(({ epoch }) => epoch === 0);
    expect(first.filter(({ pts }) => !times.some((time) => Math.abs(time - pts) <= 0.001))).toEqual([]);
    await camera.close();
  });
});

test('hardware decoding that is not there falls back to software with one line in the log', async () => {
  const warnings: string[] = [];
  const source = openSource(optionsFor(file, { config: { hardware: 'cuda' } }, warnings));
  const seen = watch(source);
  await until(() => seen.ended, 20_000);
  expect(seen.frames).toHaveLength(60);
  expect(warnings).toEqual([expect.stringMatching(/hardware decoding \(cuda\) does not work .*software/)]);
});
