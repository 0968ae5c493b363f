import { join } from 'node:path';
import cliProgress from 'cli-progress';
import { Command, InvalidArgumentError, Option } from 'commander';
import { InputError } from '../../config/errors.js';
import type { Size } from '../../operators/types.js';
import { createLog } from '../log.js';
import { modelFile } from '../settings.js';
import type { Daylight } from '../street/light.js';
import { SCORE_RULES, type StreetScore } from '../street/score-street.js';
import { writeStills } from '../street/stills.js';
import { truthFile, writeStreetVideo } from '../street/street-video.js';
import { watchStreet } from '../street/watch-street.js';

interface StreetOptions {
  readonly seed: number;
  readonly seconds: number;
  readonly fps: number;
  readonly size: Size;
  readonly light?: Daylight;
}

/** `maskcast street video | stills | score`: the drawn street with exact ground truth. */
export function streetCommand(): Command {
  return new Command('street')
    .description('streets that maskcast draws itself, with exact ground truth: for demonstration, tests and training')
    .addCommand(videoCommand())
    .addCommand(stillsCommand())
    .addCommand(scoreCommand());
}

const streetOptions = (command: Command): Command =>
  command
    .option('--seed <n>', 'which street; the same number always gives the same one', wholeNumber, 507)
    .option('--seconds <n>', 'length; the video leads on to its own beginning', wholeNumber, 20)
    .option('--fps <n>', 'pictures a second', wholeNumber, 12)
    .option('--size <WxH>', 'width and height in pixels, even', sizeOf, { width: 960, height: 540 })
    .addOption(new Option('--light <kind>', 'left out: by the seed').choices(['day', 'cloudy', 'dusk']));

const video = ({ seed, seconds, fps, size, light }: StreetOptions) => ({
  seed,
  seconds,
  fps,
  ...size,
  ...(light && { daylight: light }),
});

function videoCommand(): Command {
  return streetOptions(new Command('video'))
    .description('draw a street as an H.264 video and its ground truth beside it (.json)')
    .requiredOption('--out <file>', 'MP4 file to write')
    .option('--json', 'print one JSON object')
    .action(async ({ out, json, ...options }: StreetOptions & { out: string; json?: boolean }) => {
      if (!out.endsWith('.mp4')) throw new InputError(`--out is "${out}"; it must end in .mp4`);
      const truth = await withBar('pictures', (onFrame) => writeStreetVideo(out, video(options), onFrame));
      const figures = new Set(truth.frames.flatMap(({ figures: seen }) => seen.map(({ id }) => id))).size;
      const report = {
        file: out,
        truth: truthFile(out),
        frames: truth.frames.length,
        figures,
        crossings: truth.crossings.length,
      };
      process.stdout.write(
        json
          ? `${JSON.stringify(report)}\n`
          : `${out}: ${report.frames} pictures, ${figures} figures, ${report.crossings} line crossings; ground truth in ${report.truth}\n`,
      );
    });
}

function stillsCommand(): Command {
  return new Command('stills')
    .description('draw pictures of many streets with their masks in COCO format, for training')
    .requiredOption('--out <folder>', 'folder for images/ and instances.json')
    .option('--count <n>', 'pictures', wholeNumber, 100)
    .option('--first-seed <n>', 'seed of the first street; below 1000 are kept for tests', wholeNumber, 1000)
    .option('--per-street <n>', 'pictures of each street', wholeNumber, 3)
    .option('--size <WxH>', 'width and height in pixels (left out: several, as cameras have them)', sizeOf)
    .action(async (options: { out: string; count: number; firstSeed: number; perStreet: number; size?: Size }) => {
      await withBar('pictures', async (onStill) => {
        let done = 0;
        await writeStills({ ...options, folder: options.out, onStill: () => onStill(++done, options.count) });
      });
    });
}

function scoreCommand(): Command {
  return streetOptions(new Command('score'))
    .description('let a detector and the tracker watch a drawn street, and score them against what was drawn')
    .option('-m, --model <file>', 'detector: ONNX file, or name of a model in the data folder')
    .option('--data <folder>', 'data folder, where the drawn video is kept', 'maskcast-data')
    .option('--json', 'print one JSON object')
    .action(
      async ({ model, data, json, ...options }: StreetOptions & { model?: string; data: string; json?: boolean }) => {
        const file = modelFile(model, data);
        const score = await withBar('pictures drawn', (onDrawn) =>
          watchStreet({
            ...video(options),
            model: file,
            folder: join(data, 'street'),
            log: createLog('warn'),
            onDrawn,
          }),
        );
        process.stdout.write(
          json ? `${JSON.stringify({ model: file, rules: SCORE_RULES, ...score })}\n` : `${describeScore(score)}\n`,
        );
      },
    );
}

/** The figures of a score as text. */
export function describeScore(score: StreetScore): string {
  const percent = (part: number, of: number): string => (of > 0 ? `${((100 * part) / of).toFixed(1)} %` : '-');
  const { minHeightPx, minVisible, minIou, minScore } = SCORE_RULES;
  return [
    `${score.frames} pictures; figures at least ${minHeightPx} px high and ${minVisible * 100} % visible, found at IoU ${minIou} with score ${minScore}:`,
    `  all         ${score.found} of ${score.figures}, ${percent(score.found, score.figures)}`,
    ...Object.entries(score.byClass).map(
      ([label, { figures, found }]) => `  ${label.padEnd(11)} ${found} of ${figures}, ${percent(found, figures)}`,
    ),
    `false detections a picture ${score.falsePerFrame.toFixed(2)}`,
    `mean mask IoU ${score.maskIou === null ? '- (the model gives no masks)' : score.maskIou.toFixed(3)}`,
    `ids: ${score.tracked} figures followed, ${score.switches} switches, ${(100 * score.idShare).toFixed(1)} % of each one's pictures under its main id`,
  ].join('\n');
}

async function withBar<T>(
  unit: string,
  work: (onProgress: (done: number, all: number) => void) => Promise<T>,
): Promise<T> {
  const bar = process.stderr.isTTY
    ? new cliProgress.SingleBar({
        stream: process.stderr,
        clearOnComplete: true,
        format: `{bar} {value}/{total} ${unit} | {eta_formatted} left`,
      })
    : undefined;
  try {
    return await work((done, all) => {
      if (done === 1) bar?.start(all, 0);
      bar?.update(done);
    });
  } finally {
    bar?.stop();
  }
}

function wholeNumber(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('it must be a whole number from 1 on');
  return Number(text);
}

function sizeOf(text: string): Size {
  const match = /^(\d{2,4})x(\d{2,4})$/.exec(text);
  const size = { width: Number(match?.[1]), height: Number(match?.[2]) };
  // H.264 in 4:2:0 has even sides.
  if (!match || size.width % 2 || size.height % 2)
    throw new InvalidArgumentError('it must be width x height, both even, such as 960x540');
  return size;
}
