import { stat } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import cliProgress from 'cli-progress';
import { Command } from 'commander';
import { concatMap, filter, from, lastValueFrom, mergeMap } from 'rxjs';
import { InputError } from '../../config/errors.js';
import { checkConfig } from '../../config/load.js';
import type { Detection, Frame, Size } from '../../operators/types.js';
import { frameFromImage } from '../inference/frame-from-image.js';
import { type Detector, openDetector } from '../inference/pool.js';
import { createLog, type Log } from '../log.js';
import { modelFile } from '../settings.js';
import { openSource } from '../sources/source.js';

/** One picture of the result; `frame` and `pts` only for pictures of a video. */
interface Picture extends Size {
  readonly file: string;
  readonly frame?: number;
  readonly pts?: number;
  readonly instances: readonly Detection[];
}

/** `maskcast detect IMAGE|VIDEO… [--model FILE] [--min-score n] [--json]`: what the detector sees, without tracking. */
export function detectCommand(): Command {
  return new Command('detect')
    .description('run the detector on pictures and videos and print what it finds')
    .argument('<file...>', 'pictures (JPEG, PNG, WebP, …) or videos')
    .option('-m, --model <file>', 'detector (ONNX)')
    .option('--min-score <score>', 'leave out instances below this score', '0.5')
    .option('--json', 'print one JSON object')
    .action(async (files: string[], options: { model?: string; minScore: string; json?: boolean }) => {
      const minScore = Number(options.minScore);
      if (!(minScore >= 0 && minScore <= 1))
        throw new InputError(`--min-score is "${options.minScore}"; it must be a number from 0 to 1`);
      for (const file of files) await mustExist(file);
      const log = createLog('warn');
      const defaults = checkConfig({});
      const detector = await openDetector({
        ...defaults.model,
        dataFolder: defaults.data,
        file: modelFile(options.model),
        minScore,
        log,
      });
      const bar =
        process.stderr.isTTY && files.length > 1
          ? new cliProgress.SingleBar({ stream: process.stderr, clearOnComplete: true })
          : undefined;
      try {
        bar?.start(files.length, 0);
        const images: Picture[] = [];
        for (const file of files) {
          for await (const picture of pictures(file, detector, log)) {
            if (options.json) images.push(picture);
            else process.stdout.write(`${describe(picture)}\n`);
          }
          bar?.increment();
        }
        if (options.json) process.stdout.write(`${JSON.stringify({ images })}\n`);
      } finally {
        bar?.stop();
        await detector.close();
      }
    });
}

async function mustExist(file: string): Promise<void> {
  await stat(file).catch((cause: NodeJS.ErrnoException) => {
    throw new InputError(`${file}: cannot be read (${cause.code}); name a picture or a video file`, { cause });
  });
}

const PICTURES = new Set(['.jpg', '.jpeg', '.png', '.webp', '.tif', '.tiff', '.bmp', '.avif']);

async function* pictures(file: string, detector: Detector, log: Log): AsyncGenerator<Picture> {
  if (PICTURES.has(extname(file).toLowerCase())) {
    yield await detectOne(file, await frameFromImage(file, detector.info.input), detector, false);
    return;
  }
  const config = checkConfig({ cameras: { video: { source: file, record: false, live: false } } }).cameras.video!;
  const source = openSource({ camera: 'video', config, input: detector.info.input, log });
  const found: Picture[] = [];
  const whole = lastValueFrom(
    source.messages.pipe(
      filter((message) => message.kind === 'frame'),
      concatMap(({ frame }) => from(detectOne(file, frame, detector, true))),
      mergeMap((picture) => {
        found.push(picture);
        return [];
      }),
    ),
    { defaultValue: undefined },
  );
  await whole;
  yield* found;
}

async function detectOne(file: string, frame: Frame, detector: Detector, isVideo: boolean): Promise<Picture> {
  try {
    const { detections } = await detector.detect([frame]);
    const { width, height } = frame.source;
    return {
      file,
      width,
      height,
      ...(isVideo && { frame: frame.index, pts: frame.pts }),
      instances: detections[0] ?? [],
    };
  } finally {
    frame.release();
  }
}

function describe({ file, frame, instances }: Picture): string {
  const found = instances.map(
    ({ label, score, box }) => `${label} ${score.toFixed(2)} [${box.map((side) => side.toFixed(0)).join(', ')}]`,
  );
  return `${basename(file)}${frame === undefined ? '' : `#${frame}`}: ${found.length ? found.join('; ') : 'nothing'}`;
}
