import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { filter, lastValueFrom, tap } from 'rxjs';
import { checkConfig } from '../../config/load.js';
import type { Frame } from '../../operators/types.js';
import { openDetector } from '../../pipeline/inference/pool.js';
import { createLog } from '../../pipeline/log.js';
import { runPipeline } from '../../pipeline/run.js';
import { openSource } from '../../pipeline/sources/source.js';
import { type Bench, type BenchRow, median } from './harness.js';

const ROUNDS = 3;
const FRAMES = 200;

/**
 * What the pipeline costs: the same frames through the bare inference workers, and through everything (decoding, batching,
 * tracking, publishing on the embedded broker, segments on disk). Both in turn.
 */
export const bench: Bench = {
  about: `end to end against the bare inference workers, ${FRAMES} frames, ${ROUNDS} rounds in turn (about two minutes). Arguments: VIDEO MODEL`,
  async run(
    [video = '../shared/media/one-by-one-person-detection.mp4', model = '../shared/weights/yolox-nano.onnx'],
    say,
  ) {
    const folder = mkdtempSync(join(tmpdir(), 'maskcast-bench-'));
    const file = join(folder, 'video.mp4');
    execFileSync('ffmpeg', [
      '-v',
      'error',
      '-i',
      video,
      '-frames:v',
      String(FRAMES),
      '-c:v',
      'libx264',
      '-bf',
      '0',
      '-an',
      file,
    ]);
    const bare: number[] = [];
    const whole: number[] = [];
    const delays: number[] = [];
    try {
      for (let round = 0; round < ROUNDS; round++) {
        bare.push(await bareMs(file, model));
        const run = await wholeMs(file, model, join(folder, 'data'));
        whole.push(run.perFrameMs);
        delays.push(run.loopP99Ms);
        say(
          `round ${round + 1} of ${ROUNDS}: bare ${bare.at(-1)!.toFixed(1)} ms a frame, whole ${whole.at(-1)!.toFixed(1)} ms`,
        );
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
    const row = (variant: string, times: readonly number[], more: BenchRow['more'] = {}): BenchRow => ({
      case: 'a frame',
      variant,
      batch: 1,
      n: ROUNDS,
      medianMs: median(times),
      minMs: Math.min(...times),
      against: 'bare workers',
      ratio: median(bare) / median(times),
      more,
    });
    return [row('bare workers', bare), row('whole pipeline', whole, { 'event loop delay p99, ms': median(delays) })];
  },
};

const log = createLog('error');

/** Milliseconds a frame with the frames in memory and every worker busy. */
async function bareMs(file: string, model: string): Promise<number> {
  const detector = await openDetector({ ...checkConfig({}).model, file: model, log });
  const frames: Frame[] = [];
  const config = checkConfig({ cameras: { bench: { source: file } } }).cameras.bench!;
  const source = openSource({ camera: 'bench', config, input: detector.info.input, log });
  await lastValueFrom(
    source.messages.pipe(
      filter((message) => message.kind === 'frame'),
      tap(({ frame }) => {
        const pixels = new Uint8Array(new SharedArrayBuffer(frame.pixels.byteLength));
        pixels.set(frame.pixels);
        frames.push({ ...frame, pixels });
        frame.release();
      }),
    ),
  );
  const start = performance.now();
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < frames.length) await detector.detect([frames[next++]!]);
  };
  await Promise.all(Array.from({ length: detector.info.workers + 1 }, lane));
  const perFrameMs = (performance.now() - start) / frames.length;
  await detector.close();
  return perFrameMs;
}

/** Milliseconds a frame of the whole pipeline, from its first to its last `tracks` message. */
async function wholeMs(file: string, model: string, data: string): Promise<{ perFrameMs: number; loopP99Ms: number }> {
  const config = checkConfig({
    data,
    mqtt: { embedded: { port: 0 } },
    cameras: { bench: { source: file, labels: { 'no such class': 1 } } },
  });
  const delay = monitorEventLoopDelay({ resolution: 1 });
  let count = 0;
  let firstMs = 0;
  let lastMs = 0;
  await runPipeline({
    config: { ...config, model: { ...config.model, file: model } },
    log,
    tap: (topic) => {
      if (!topic.endsWith('/tracks')) return;
      lastMs = performance.now();
      if (count++ === 0) {
        firstMs = lastMs;
        delay.enable();
      }
    },
  });
  delay.disable();
  return { perFrameMs: (lastMs - firstMs) / (count - 1), loopP99Ms: delay.percentile(99) / 1e6 };
}
