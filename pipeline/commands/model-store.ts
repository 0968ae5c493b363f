import cliProgress from 'cli-progress';
import { Command } from 'commander';
import { addModel } from '../model-store/add-model.js';
import { describeModel, type ModelDescription, storedModel, storedModelNames } from '../model-store/store.js';
import { defaultModelFile, shippedModelFiles } from '../settings.js';

/** `maskcast model add <file|url> [--sha256 …] [--name …] [--data …] [--json]` */
export function modelAddCommand(): Command {
  return new Command('add')
    .description('bring an ONNX model into the data folder; then its name stands wherever a model file may')
    .argument('<file|url>', 'ONNX file, or http:// or https:// address of one')
    .option('--sha256 <digest>', 'refuse the file unless this is its SHA-256')
    .option('--name <name>', "name to give it (left out: the file's own)")
    .option('--data <folder>', 'data folder', 'maskcast-data')
    .option('--json', 'print one JSON object')
    .action(async (from: string, options: { sha256?: string; name?: string; data: string; json?: boolean }) => {
      const bar = process.stderr.isTTY
        ? new cliProgress.SingleBar({
            stream: process.stderr,
            clearOnComplete: true,
            format: '{bar} {value}/{total} MB',
          })
        : undefined;
      const inMegabytes = (bytes: number): number => Math.round(bytes / 1e4) / 100;
      bar?.start(1, 0);
      try {
        const added = await addModel(from, {
          ...options,
          reserved: new Set(shippedModelFiles().keys()),
          onProgress: (bytes, total) => {
            bar?.setTotal(inMegabytes(total ?? bytes));
            bar?.update(inMegabytes(bytes));
          },
        });
        bar?.stop();
        process.stdout.write(options.json ? `${JSON.stringify(added)}\n` : `${describe(added)}\n`);
      } finally {
        bar?.stop();
      }
    });
}

/** `maskcast model list [--data …] [--json]` */
export function modelListCommand(): Command {
  return new Command('list')
    .description('show the models that come with maskcast and those of the data folder')
    .option('--data <folder>', 'data folder', 'maskcast-data')
    .option('--json', 'print one JSON object')
    .action(async ({ data, json }: { data: string; json?: boolean }) => {
      const standard = defaultModelFile();
      const files = new Set([
        ...(standard ? [standard] : []),
        ...shippedModelFiles().values(),
        ...storedModelNames(data).map((name) => storedModel(data, name)),
      ]);
      const models: (Listed | Damaged)[] = [];
      for (const file of files) {
        models.push(
          await describeModel(file).then(
            (description) => ({ ...description, default: file === standard }),
            // One bad file must not hide the others.
            (cause: unknown) => ({
              file,
              default: file === standard,
              fault: cause instanceof Error ? cause.message : String(cause),
            }),
          ),
        );
      }
      if (json) process.stdout.write(`${JSON.stringify({ models })}\n`);
      else
        process.stdout.write(
          models.length
            ? `${models.map(line).join('\n')}\n`
            : `no models; bring one with: maskcast model add FILE|URL\n`,
        );
    });
}

type Listed = ModelDescription & { readonly default: boolean };
interface Damaged {
  readonly file: string;
  readonly default: boolean;
  readonly fault: string;
}

const line = (model: Listed | Damaged): string =>
  'fault' in model
    ? `${model.file}: ${model.fault.split('\n')[0]}`
    : `${describe(model)}${model.default ? '\n  taken when none is named' : ''}`;

function describe({ name, adapter, classes, input, masks, bytes, sha256 }: ModelDescription): string {
  const some = classes.length > 6 ? `${classes.slice(0, 3).join(', ')}, … (${classes.length})` : classes.join(', ');
  return [
    `${name}: ${adapter}, ${masks ? 'boxes and masks' : 'boxes'}, input ${input.width}x${input.height} ${input.fit}, ${(bytes / 1e6).toFixed(1)} MB`,
    `  classes ${some}`,
    `  sha256 ${sha256}`,
  ].join('\n');
}
