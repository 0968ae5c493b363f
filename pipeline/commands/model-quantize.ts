import { readdir } from 'node:fs/promises';
import { extname, join } from 'node:path';
import cliProgress from 'cli-progress';
import { Command, InvalidArgumentError, Option } from 'commander';
import { InputError } from '../../config/errors.js';
import type { Adapter, FrameInstances, Tensors } from '../../models/adapters/adapter.js';
import { chooseAdapter } from '../../models/adapters/choose.js';
import { type Forms, withForms } from '../../models/kernels/forms.js';
import { readModel } from '../../models/onnx/decode.js';
import { writeModel } from '../../models/onnx/encode.js';
import type { OnnxModel, OnnxValue } from '../../models/onnx/model.js';
import { type Agreement, agreementOf } from '../../models/quantize/agreement.js';
import { checkInt8, type Int8Check } from '../../models/quantize/check.js';
import { toFloat16 } from '../../models/quantize/float16.js';
import { tooLargeForFloat16 } from '../../models/quantize/float16-range.js';
import { type QuantizeReport, quantizeModel } from '../../models/quantize/quantize.js';
import { FULL_PAIR } from '../../models/quantize/saturation.js';
import { WEIGHT_RANGES, type WeightRange } from '../../models/quantize/weight-scale.js';
import { exactPair } from '../../models/runtime/byte-sums.js';
import { openGraph } from '../../models/runtime/graph-session.js';
import { frameFromImage } from '../inference/frame-from-image.js';
import { formOption } from './form-option.js';

interface QuantizeFlags {
  readonly calibrate: string;
  readonly out: string;
  readonly images: number;
  readonly keepFloat?: readonly string[];
  readonly form?: Forms;
  readonly mixed?: boolean;
  readonly weights: WeightRange;
  readonly fullRange?: boolean;
  readonly mostError: number;
  readonly threads: number;
  readonly check?: boolean;
  readonly float16?: boolean;
  readonly json?: boolean;
}

/** Score from which on the two models' instances are compared. */
const AGREE_SCORE = 0.3;

/** `maskcast model quantize <in.onnx> --calibrate FOLDER --out FILE`: an int8 twin of a float model; with `--float16` a float16 twin. */
export function quantizeCommand(): Command {
  return new Command('quantize')
    .description('write an int8 twin of a model, calibrated on pictures')
    .argument('<file>', 'float ONNX file')
    .requiredOption('--calibrate <folder>', 'pictures like those the model will see; never those it is judged on')
    .requiredOption('--out <file>', 'ONNX file to write')
    .option('--images <n>', 'pictures to take from the folder, evenly', wholeNumber, 64)
    .addOption(formOption())
    .option('--mixed', 'leave the separated convolution in float')
    .option('--keep-float <pattern...>', 'layers to leave in float, by name: "rpn/*"')
    .addOption(
      new Option('--weights <range>', 'half: within ±64; paired: pairs that cannot overflow; full: ±127')
        .choices(WEIGHT_RANGES)
        .default('half'),
    )
    .option('--full-range', 'the same as --weights full: only for processors with VNNI, AMX or Arm')
    .option('--most-error <share>', 'relative error of a layer from which on it stays in float', share, 0.05)
    .option('--threads <n>', 'threads to calibrate with', wholeNumber, 2)
    .option('--check', 'list the operators that really run, and fail when a layer did not become int8')
    .addOption(
      new Option('--float16', 'write a float16 twin for GPUs instead').conflicts([
        'form',
        'mixed',
        'keepFloat',
        'fullRange',
        'check',
      ]),
    )
    .option('--json', 'print one JSON object')
    .action(async (file: string, flags: QuantizeFlags) => {
      if (flags.float16) return await writeFloat16(file, flags);
      const range = flags.fullRange ? 'full' : flags.weights;
      if (range === 'full' && (await exactPair()) < FULL_PAIR)
        process.stderr.write(
          'this processor cuts the sums of full-range weights: errors and agreement below are those of cut sums, and layers may stay float for them; quantize where the file will run\n',
        );
      const direct = readModel(file);
      const model = flags.form ? withForms(file, direct, flags.form) : direct;
      const adapter = adapterOf(file, model);
      const pictures = await picturesIn(flags.calibrate, flags.images);
      const feeds = async function* (): AsyncGenerator<Tensors> {
        for (const picture of pictures) yield adapter.makeFeeds([await frameFromImage(picture, adapter.input)]);
      };
      const bar = progressBar();
      try {
        bar?.start(pictures.length, 0, { part: '' });
        const made = await quantizeModel({
          model,
          feeds,
          threads: flags.threads,
          range,
          mostError: flags.mostError,
          ...(flags.keepFloat && { keepFloat: flags.keepFloat }),
          ...(flags.mixed && { mixed: true }),
          progress: (part, done) => bar?.update(done, { part }),
        });
        bar?.update(0, { part: 'agreement' });
        const agreement = await compare(model, made.model, pictures, adapter, flags.threads, () => bar?.increment());
        bar?.stop();
        const [picture] = pictures;
        const check = flags.check
          ? await checkInt8(
              made.model,
              adapter.makeFeeds([await frameFromImage(picture!, adapter.input)]),
              flags.threads,
            )
          : undefined;
        const bytes = await writeModel(flags.out, made.model);
        const report = { file: flags.out, bytes, ...made.report, agreement, ...(check && { check }) };
        process.stdout.write(
          flags.json ? `${JSON.stringify(report)}\n` : describe(flags.out, bytes, made.report, agreement, check),
        );
        if (check?.unexpected.length)
          throw new Error(
            `${check.unexpected.length} layers of ${flags.out} do not run in int8: ${check.unexpected.join(', ')}`,
          );
      } finally {
        bar?.stop();
      }
    });
}

/** Pictures say which numbers float16 would not hold, and whether the twin finds what the float32 model finds. */
async function writeFloat16(file: string, { calibrate, images, out, threads, json }: QuantizeFlags): Promise<void> {
  const model = readModel(file);
  const adapter = adapterOf(file, model);
  const pictures = await picturesIn(calibrate, images);
  const feeds = async function* (): AsyncGenerator<Tensors> {
    for (const picture of pictures) yield adapter.makeFeeds([await frameFromImage(picture, adapter.input)]);
  };
  const bar = progressBar();
  try {
    bar?.start(pictures.length, 0, { part: 'range' });
    const tooLarge = await tooLargeForFloat16(model, { feeds, threads, step: () => bar?.increment() });
    const made = toFloat16(model, (value) => tooLarge.has(value));
    bar?.update(0, { part: 'agreement' });
    const agreement = await compare(model, made.model, pictures, adapter, threads, () => bar?.increment());
    bar?.stop();
    const bytes = await writeModel(out, made.model);
    const { half, kept } = made.report;
    const reasons = [...kept].map(([layer, reason]) => `  float32 ${layer}: ${reason}`);
    process.stdout.write(
      json
        ? `${JSON.stringify({ file: out, bytes, pictures: pictures.length, half, kept: Object.fromEntries(kept), agreement })}\n`
        : `${[
            ...reasons,
            `${out}: ${(bytes / 1e6).toFixed(1)} MB; ${half.length} of ${half.length + kept.size} layers in float16, ${pictures.length} pictures`,
            found(agreement),
          ].join('\n')}\n`,
    );
  } finally {
    bar?.stop();
  }
}

const found = ({ instances, found: share, meanIou }: Agreement): string =>
  `of ${instances} instances of the float model at ${AGREE_SCORE} or above ${(100 * share).toFixed(1)} % are found again, mean IoU ${meanIou.toFixed(3)}`;

function adapterOf(file: string, { graph, metadata }: OnnxModel): Adapter {
  const constants = new Set(graph.initializers.map(({ name }) => name));
  const spec = ({ name, type, dims }: OnnxValue) => ({ name, type: type ?? 'other', shape: dims ?? [] });
  const inputs = graph.inputs.filter(({ name }) => !constants.has(name)).map(spec);
  return chooseAdapter(file, { inputs, outputs: graph.outputs.map(spec), metadata }, { minScore: AGREE_SCORE / 2 });
}

const PICTURES = new Set(['.jpg', '.jpeg', '.png', '.webp', '.tif', '.tiff', '.bmp', '.avif']);

/** At most `count` pictures of a folder, evenly over its sorted names. */
async function picturesIn(folder: string, count: number): Promise<string[]> {
  const names = await readdir(folder).catch((cause: NodeJS.ErrnoException) => {
    throw new InputError(`--calibrate ${folder}: cannot be read (${cause.code}); name a folder of pictures`, { cause });
  });
  const pictures = names.filter((name) => PICTURES.has(extname(name).toLowerCase())).toSorted();
  if (pictures.length === 0)
    throw new InputError(`--calibrate ${folder}: holds no picture; name a folder of JPEG or PNG files`);
  const wanted = Math.min(count, pictures.length);
  return Array.from({ length: wanted }, (_, i) => join(folder, pictures[Math.floor((i * pictures.length) / wanted)]!));
}

async function compare(
  float: OnnxModel,
  int8: OnnxModel,
  pictures: readonly string[],
  adapter: Adapter,
  threads: number,
  step: () => void,
): Promise<Agreement> {
  const found: FrameInstances[][] = [];
  for (const model of [float, int8]) {
    const session = await openGraph(model, { threads });
    try {
      const instances: FrameInstances[] = [];
      for (const picture of pictures) {
        const frame = await frameFromImage(picture, adapter.input);
        instances.push(...adapter.decode(await session.run(adapter.makeFeeds([frame])), [frame]));
        if (model === int8) step();
      }
      found.push(instances);
    } finally {
      await session.release();
    }
  }
  return agreementOf(found[0]!, found[1]!, AGREE_SCORE);
}

function progressBar(): cliProgress.SingleBar | undefined {
  if (!process.stderr.isTTY) return undefined;
  const format = '{bar} {value}/{total} pictures | {part} | {eta_formatted} left';
  return new cliProgress.SingleBar({ stream: process.stderr, clearOnComplete: true, format });
}

function describe(
  file: string,
  bytes: number,
  { layers, range, worstPair, pictures }: QuantizeReport,
  agreement: Agreement,
  check: Int8Check | undefined,
): string {
  const percent = (value: number | null): string => (value === null ? '-' : `${(100 * value).toFixed(1)} %`);
  const rows = layers.map(({ name, int8, kept, ownError, piledError }) => [
    name,
    int8 ? 'int8' : `float: ${kept}`,
    percent(ownError),
    percent(piledError),
  ]);
  const int8 = layers.filter((layer) => layer.int8).length;
  return `${[
    table([['layer', 'runs in', 'own error', 'piled up'], ...rows]),
    '',
    `${file}: ${(bytes / 1e6).toFixed(1)} MB; ${int8} of ${layers.length} layers in int8, weights ${range} (largest pair ${worstPair}), ${pictures} pictures`,
    found(agreement),
    ...(check
      ? [
          '',
          ...check.operators.map(
            ({ op, nodes, us }) =>
              `  ${op.padEnd(28)} ${String(nodes).padStart(4)} nodes ${(us / 1000).toFixed(2).padStart(9)} ms`,
          ),
        ]
      : []),
  ].join('\n')}\n`;
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows
    .map((row) => row.map((cell, i) => (i < 2 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  '))
    .join('\n');
}

function wholeNumber(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidArgumentError('it must be a whole number from 1');
  return Number(text);
}

function share(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 10)) throw new InvalidArgumentError('it must be a number above 0, such as 0.2');
  return value;
}
