import cliProgress from 'cli-progress';
import { Command, InvalidArgumentError } from 'commander';
import type { Size } from '../../operators/types.js';
import { writeStills } from '../street/stills.js';

/** `maskcast street stills`: the drawn street as pictures and ground truth. */
export function streetCommand(): Command {
  return new Command('street')
    .description('the drawn street: pictures with exact ground truth')
    .addCommand(stillsCommand());
}

function stillsCommand(): Command {
  return new Command('stills')
    .description('write drawn pictures with masks in COCO format, for training')
    .requiredOption('--out <folder>', 'folder for images/ and instances.json')
    .option('--count <n>', 'pictures', wholeNumber, 100)
    .option('--first-seed <n>', 'seed of the first street; below 1000 are kept for tests', wholeNumber, 1000)
    .option('--per-street <n>', 'pictures of each street', wholeNumber, 3)
    .option('--size <WxH>', 'width and height in pixels (left out: several, as cameras have them)', sizeOf)
    .action(async (options: { out: string; count: number; firstSeed: number; perStreet: number; size?: Size }) => {
      const bar = process.stderr.isTTY
        ? new cliProgress.SingleBar({ stream: process.stderr, clearOnComplete: true })
        : undefined;
      bar?.start(options.count, 0);
      try {
        await writeStills({ ...options, folder: options.out, onStill: () => bar?.increment() });
      } finally {
        bar?.stop();
      }
    });
}

function wholeNumber(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('it must be a whole number from 1 on');
  return Number(text);
}

function sizeOf(text: string): Size {
  const match = /^(\d{2,4})x(\d{2,4})$/.exec(text);
  if (!match) throw new InvalidArgumentError('it must be width x height such as 960x540');
  return { width: Number(match[1]), height: Number(match[2]) };
}
