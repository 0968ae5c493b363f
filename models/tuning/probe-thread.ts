/**
 * Program of a thread inside a probe: one session, as an inference worker has it, that runs the same frames again and again.
 */
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import type { ModelFrame } from '../adapters/adapter.js';
import { type Model, openModel } from '../runtime/model.js';
import type { FromProbeThread, ProbeRequest, ToProbeThread } from './probe-messages.js';

if (isMainThread || !parentPort) throw new Error('probe-thread.js is started by probe-process.js');
const port = parentPort;
const say = (message: FromProbeThread): void => port.postMessage(message);

/** Detections that the pipeline keeps by default; fewer would make masks cheaper than they are. */
const MIN_SCORE = 0.1;

// workerData is untyped; probe-process.ts is its only sender.
const { file, provider, threads, batch } = workerData as ProbeRequest;
try {
  const notes: string[] = [];
  const note = (sentence: string): void => void notes.push(sentence);
  const model = await openModel({ file, provider, threads, batch, minScore: MIN_SCORE, note });
  const frames = pictures(model);
  const found = (await model.run(frames)).map(({ boxes, scores, classes }) => ({ boxes, scores, classes }));
  port.on('message', (message: ToProbeThread) => {
    void (message.kind === 'run' ? run(model, frames, message.runs) : model.release().then(() => port.close()));
  });
  say({ kind: 'ready', info: model.info, found, notes });
} catch (cause) {
  say({ kind: 'refused', message: cause instanceof Error ? cause.message : String(cause) });
  port.close();
}

async function run(model: Model, frames: readonly ModelFrame[], runs: number): Promise<void> {
  for (let i = 0; i < runs; i++) await model.run(frames);
  say({ kind: 'done' });
}

/** Slopes, edges and grain, the same at every start; another one for each frame of the batch. */
function pictures({ info }: Model): ModelFrame[] {
  const { width, height } = info.input;
  return Array.from({ length: info.fixedBatch ?? batch }, (_, n) => {
    const pixels = new Uint8Array(width * height * 3);
    let grain = n + 1;
    for (let y = 0, at = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const block = (Math.floor(x / 37) * 5 + Math.floor(y / 29) * 3 + n) % 7;
        for (let c = 0; c < 3; c++) {
          grain = (Math.imul(grain, 1_664_525) + 1_013_904_223) >>> 0;
          pixels[at++] = 20 + block * 30 + ((x + y * (c + 1)) % 24) + (grain >>> 29);
        }
      }
    }
    return {
      pixels,
      placement: { scaleX: 1, scaleY: 1, offsetX: 0, offsetY: 0 },
      source: { width, height },
    };
  });
}
