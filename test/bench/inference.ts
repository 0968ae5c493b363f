import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Frame } from '../../operators/types.js';
import { type Detector, openDetector } from '../../pipeline/inference/pool.js';
import { createLog } from '../../pipeline/log.js';
import { type Bench, interleave, type Variant } from './harness.js';

const FRAMES = 16;
const LAYOUTS = [
  { workers: 1, threads: 1 },
  { workers: 1, threads: 2 },
  { workers: 2, threads: 1 },
] as const;

/**
 * What the inference threads do when nothing else limits them: frames of noise wait in memory, as many calls as workers
 * and one more are under way. `more.fps` is the figure that end-to-end runs are held against.
 */
export const bench: Bench = {
  about: `inference threads alone, ${FRAMES} frames a run: [--model FILE]… [--rounds n]`,
  async run(args, say) {
    const rounds = Number(valuesOf(args, '--rounds')[0] ?? 7);
    const named = valuesOf(args, '--model');
    const files =
      named.length > 0 ? named : ['yolox-nano', 'picodet-s-416'].map(besideUs).filter((file) => existsSync(file));
    if (files.length === 0) throw new Error('no model: name one with --model FILE');
    const detectors: Detector[] = [];
    try {
      const variants: Variant[] = [];
      for (const file of files) {
        for (const layout of LAYOUTS) {
          const options = { file, ...layout, provider: 'cpu', batch: 'auto', minScore: 0.1 } as const;
          const detector = await openDetector({ ...options, log: createLog('silent') });
          detectors.push(detector);
          const frames = noise(detector);
          for (const batch of [1, 4]) {
            variants.push({
              case: `${detector.info.name} batch ${batch}`,
              variant: `${layout.workers} x ${layout.threads}`,
              batch,
              run: () => throughput(detector, frames, batch),
            });
          }
        }
      }
      const rows = await interleave(variants, { rounds, say });
      return rows.map((row) => ({ ...row, more: { fps: Number(((1000 * FRAMES) / row.medianMs).toFixed(1)) } }));
    } finally {
      await Promise.all(detectors.map((detector) => detector.close()));
    }
  },
};

async function throughput(detector: Detector, frames: readonly Frame[], batch: number): Promise<void> {
  let next = 0;
  const feed = async (): Promise<void> => {
    while (next < frames.length) {
      const from = next;
      next += batch;
      await detector.detect(frames.slice(from, from + batch));
    }
  };
  await Promise.all(Array.from({ length: detector.info.workers + 1 }, feed));
}

function noise({ info: { input } }: Detector): Frame[] {
  const bytes = input.width * input.height * 3;
  return Array.from({ length: FRAMES }, (_, index) => {
    const pixels = new Uint8Array(new SharedArrayBuffer(bytes));
    let state = index + 1;
    for (let i = 0; i < bytes; i++) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      pixels[i] = state >>> 24;
    }
    return {
      camera: 'noise',
      epoch: 0,
      index,
      pts: index,
      time: 0,
      receivedMs: 0,
      captureMs: 0,
      source: input,
      placement: { scaleX: 1, scaleY: 1, offsetX: 0, offsetY: 0 },
      droppable: false,
      pixels,
      release() {},
    };
  });
}

const besideUs = (name: string): string =>
  fileURLToPath(new URL(`../../../../shared/weights/${name}.onnx`, import.meta.url));

function valuesOf(args: readonly string[], flag: string): string[] {
  return args.flatMap((arg, i) => (arg === flag && args[i + 1] !== undefined ? [args[i + 1]!] : []));
}
