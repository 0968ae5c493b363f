import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Worker } from 'node:worker_threads';
import { pino } from 'pino';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { InputError } from '../../../config/errors.js';
import { type Detector, type DetectorOptions, openDetector, WorkerLost } from '../../../pipeline/inference/pool.js';
import { greyMeter } from '../../models/adapters/tiny-model.js';
import { greyFrame } from './grey-frame.js';

const folder = mkdtempSync(join(tmpdir(), 'maskcast-pool-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = (name: string, bytes: Buffer): string => {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
};
const single = file('single.onnx', greyMeter(1));
const dynamic = file('dynamic.onnx', greyMeter('N'));
const slow = file('slow.onnx', greyMeter(1, 20));

let lines: { level: number; msg: string }[];
let threads: Worker[];
let opened: Detector[];
// Node tells of each new thread: how a drill gets at the real ones.
const onWorker = (worker: Worker): void => {
  threads.push(worker);
};
beforeEach(() => {
  lines = [];
  threads = [];
  opened = [];
  process.on('worker', onWorker);
});
afterEach(async () => {
  process.off('worker', onWorker);
  await Promise.all(opened.map((detector) => detector.close()));
});

async function open(options: Partial<DetectorOptions> & { file: string }): Promise<Detector> {
  const log = pino({ level: 'debug', base: null }, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const detector = await openDetector({
    provider: 'cpu',
    workers: 1,
    threads: 1,
    batch: 'auto',
    minScore: 0,
    log,
    ...options,
  });
  opened.push(detector);
  return detector;
}

const scores = async (detector: Detector, greys: readonly number[]): Promise<number[]> => {
  const { detections } = await detector.detect(greys.map((grey) => greyFrame(grey)));
  return detections.map((list) => list[0]!.score);
};

describe('openDetector', () => {
  it('says what it loaded', async () => {
    const detector = await open({ file: single, workers: 2 });
    expect(detector.info).toEqual({
      file: single,
      name: 'single.onnx',
      adapter: 'yolo',
      labels: ['grey'],
      input: { width: 32, height: 32, fit: 'letterbox-center', fill: 114 },
      masks: false,
      provider: 'cpu',
      maxBatch: 2,
      digest: createHash('sha256').update(readFileSync(single)).digest('hex'),
      workers: 2,
      threads: 1,
    });
    expect(detector.idle).toBe(2);
  });

  it('gives the boxes in source pixels with label and score', async () => {
    const detector = await open({ file: single });
    const { detections } = await detector.detect([greyFrame(51)]);
    expect(detections).toHaveLength(1);
    expect(detections[0]).toHaveLength(1);
    expect(detections[0]![0]).toEqual({ label: 'grey', score: expect.closeTo(0.2, 5), box: [12, 8, 20, 24] });
  });

  it('a batch gives what its frames give one by one', async () => {
    const detector = await open({ file: dynamic, batch: 4 });
    expect(detector.info.maxBatch).toBe(4);
    const greys = [10, 200, 90, 255];
    const together = await scores(detector, greys);
    const alone: number[] = [];
    for (const grey of greys) alone.push(...(await scores(detector, [grey])));
    expect(together).toEqual(alone);
    expect(together.map((score) => Math.round(255 * score))).toEqual(greys);
  });

  it('runs more frames than a run takes on all workers and keeps their order', async () => {
    const detector = await open({ file: single, workers: 2 });
    const greys = [255, 1, 128, 64, 200, 30, 7];
    const found = await scores(detector, greys);
    expect(found.map((score) => Math.round(255 * score))).toEqual(greys);
    expect(detector.stats()).toEqual({ batches: 1, frames: 7, failed: 0, lost: 0, waiting: 0 });
  });

  it('gives thumbnails with the detections where they are asked for, one a frame in its order', async () => {
    const without = await open({ file: single });
    expect(await without.detect([greyFrame(7)])).not.toHaveProperty('thumbnails');
    const detector = await open({ file: single, workers: 2, thumbnails: true });
    const { detections, thumbnails } = await detector.detect([greyFrame(51), greyFrame(200), greyFrame(9)]);
    expect(detections).toHaveLength(3);
    expect(thumbnails!.map(({ luma }) => luma[0])).toEqual([51, 200, 9]);
    const { source } = greyFrame(1);
    for (const { width, height, cellWidth, cellHeight } of thumbnails!) {
      expect([width * cellWidth, height * cellHeight]).toEqual([source.width, source.height]);
    }
  });

  it('no frames are no work', async () => {
    const detector = await open({ file: single });
    expect((await detector.detect([])).detections).toEqual([]);
  });

  it('says that a batch size does not fit the model and goes on', async () => {
    await open({ file: single, batch: 8 });
    expect(lines.map(({ msg }) => msg)).toContain('the model takes 1 frame(s) a run; batch 8 is passed over');
  });

  it('waiting for a worker is told apart from working', async () => {
    const detector = await open({ file: slow });
    const first = detector.detect([greyFrame(1)]);
    const second = detector.detect([greyFrame(2)]);
    expect(detector.idle).toBe(0);
    expect(detector.stats().waiting).toBe(1);
    const [a, b] = await Promise.all([first, second]);
    expect(a.waitMs).toBeLessThan(a.detectMs);
    expect(b.waitMs).toBeGreaterThan(0.9 * a.detectMs);
    expect(b.detectMs).toBeGreaterThan(0);
  });

  it('a frame of the wrong size fails alone', async () => {
    const detector = await open({ file: single });
    await expect(detector.detect([greyFrame(1, 16)])).rejects.toThrow(
      'inference failed: frame has 768 bytes; the model takes 32x32 rgb24: 3072',
    );
    expect(await scores(detector, [255])).toEqual([1]);
    expect(detector.stats()).toMatchObject({ failed: 1, lost: 0 });
  });

  it('a file that is not there is the fault of the user and leaves no thread behind', async () => {
    const failure = await open({ file: join(folder, 'none.onnx') }).catch((cause: unknown) => cause);
    expect(failure).toBeInstanceOf(InputError);
    expect(String(failure)).toContain('there is no such file');
    expect(threads).toHaveLength(1);
    if (threads[0]!.threadId !== -1) await once(threads[0]!, 'exit');
  });
});

describe('when a worker dies', () => {
  it('its batch is lost, a new worker takes over', async () => {
    const detector = await open({ file: single, thumbnails: true });
    // A message that its program does not know is an uncaught error in the thread.
    threads[0]!.postMessage({ kind: 'drill' });
    const failure = await detector.detect([greyFrame(1), greyFrame(2)]).catch((cause: unknown) => cause);
    expect(failure).toBeInstanceOf(WorkerLost);
    expect(String(failure)).toContain('message of unknown kind');
    const { detections, thumbnails } = await detector.detect([greyFrame(51)]);
    expect(detections[0]![0]!.score).toBeCloseTo(0.2, 5);
    expect(thumbnails!.map(({ luma }) => luma[0])).toEqual([51]);
    expect(threads).toHaveLength(2);
    expect(detector.stats()).toMatchObject({ lost: 1, failed: 1 });
    expect(lines.some(({ level, msg }) => level === 50 && msg.includes('an inference thread died'))).toBe(true);
  });

  it('while idle, nothing is lost', async () => {
    const detector = await open({ file: single, workers: 2 });
    await threads[0]!.terminate();
    expect(await scores(detector, [255, 255, 255])).toEqual([1, 1, 1]);
    expect(detector.stats()).toMatchObject({ lost: 1, failed: 0 });
  });

  it('closing does not wait for its replacement', async () => {
    const detector = await open({ file: single });
    await threads[0]!.terminate();
    await detector.close();
    expect(threads).toHaveLength(1);
  });
});

describe('close', () => {
  it('lets the run under way end, refuses what waits and what comes later', async () => {
    const detector = await open({ file: slow });
    const running = detector.detect([greyFrame(255)]);
    const waiting = detector.detect([greyFrame(255)]).catch((cause: unknown) => cause);
    await detector.close();
    expect((await running).detections[0]![0]!.score).toBe(1);
    expect(String(await waiting)).toBe('Error: the detector is closed');
    await expect(detector.detect([greyFrame(255)])).rejects.toThrow('the detector is closed');
    await detector.close();
    expect(threads[0]!.threadId).toBe(-1);
  });

  it('in the middle of a run the process ends by itself, with code 0 and without a word', async () => {
    const program = `
      import { openDetector } from ${JSON.stringify(new URL('../../../dist/pipeline/inference/pool.js', import.meta.url).href)};
      import { createLog } from ${JSON.stringify(new URL('../../../dist/pipeline/log.js', import.meta.url).href)};
      const detector = await openDetector({ file: ${JSON.stringify(slow)}, provider: 'cpu', workers: 2, threads: 1, batch: 1, minScore: 0, log: createLog('silent') });
      const pixels = new Uint8Array(new SharedArrayBuffer(3072));
      const frame = { pixels, source: { width: 32, height: 32 }, placement: { scaleX: 1, scaleY: 1, offsetX: 0, offsetY: 0 } };
      const runs = [detector.detect([frame]), detector.detect([frame])];
      await new Promise((resolve) => setTimeout(resolve, 20));
      await detector.close();
      await Promise.all(runs);
      console.log('both ran');
    `;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      cwd: fileURLToPath(new URL('../../..', import.meta.url)),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const [code] = await once(child, 'close');
    expect([code, said]).toEqual([0, 'both ran\n']);
  });
});
