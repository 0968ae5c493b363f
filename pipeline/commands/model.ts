import { statSync } from 'node:fs';
import { Command, InvalidArgumentError } from 'commander';
import type { Forms } from '../../models/kernels/forms.js';
import { type AssembleOptions, assemble, saveWeights } from '../../models/nets/assemble.js';
import { inspectModel, type ModelReport } from '../../models/nets/inspect.js';
import { PRESETS } from '../../models/nets/presets.js';
import { writeModel } from '../../models/onnx/encode.js';
import { describeChoice } from '../../models/tuning/plan.js';
import { describeProcessor } from '../../models/tuning/processor.js';
import type { TuningEntry } from '../../models/tuning/record.js';
import { fileDigest, readRecords } from '../../models/tuning/store.js';
import { formOption } from './form-option.js';
import { quantizeCommand } from './model-quantize.js';
import { modelAddCommand, modelListCommand } from './model-store.js';
import { tuneCommand } from './model-tune.js';

interface BuildFlags extends Pick<AssembleOptions, 'preset' | 'body' | 'seed' | 'proposals' | 'strideOn'> {
  readonly weights?: readonly string[];
  readonly size?: { readonly height: number; readonly width: number };
  readonly classes?: readonly string[];
  readonly form?: Forms;
  readonly out: string;
  readonly saveWeights?: string;
  readonly json?: boolean;
}

/** `maskcast model build | inspect | quantize | tune | add | list` */
export function modelCommand(): Command {
  return new Command('model')
    .description('build the network as an ONNX file, look into ONNX files, bring others')
    .addCommand(buildCommand())
    .addCommand(inspectCommand())
    .addCommand(quantizeCommand())
    .addCommand(tuneCommand())
    .addCommand(modelAddCommand())
    .addCommand(modelListCommand());
}

function buildCommand(): Command {
  return new Command('build')
    .description('write a network as an ONNX file')
    .option('--preset <name>', 'network to build (left out: what the weights say)', presetName)
    .option('--weights <file...>', 'safetensors files; a tensor comes from the first that has it')
    .option('--body <file>', 'ONNX file whose body takes the place of the ResNet (yolox-nano, picodet-s)')
    .option('--seed <n>', 'fill what the files lack with numbers made from this seed', wholeNumber)
    .option('--size <HxW>', "height and width of the input in pixels (left out: the preset's)", sizeOf)
    .option('--proposals <n>', "proposals of the RPN (left out: the preset's)", wholeNumber)
    .option('--classes <names>', 'class names, separated by commas (left out: the 80 of COCO)', (text) =>
      text.split(',').map((name) => name.trim()),
    )
    .option('--stride-on <1x1|3x3>', 'where a ResNet halves the size (left out: as its weights say)', strideOf)
    .addOption(formOption())
    .option('--save-weights <file>', 'also write the tensors with the card as safetensors, for training')
    .requiredOption('--out <file>', 'ONNX file to write')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `\nPresets:\n${Object.entries(PRESETS)
        .map(([name, { about }]) => `  ${name.padEnd(20)} ${about}`)
        .join('\n')}`,
    )
    .action(async ({ size, form, out, saveWeights: saveTo, json, ...flags }: BuildFlags) => {
      const built = assemble({ ...flags, ...size, ...(form && { forms: form }) });
      const bytes = await writeModel(out, built.model);
      if (saveTo) await saveWeights(saveTo, built);
      const report = { file: out, bytes, ...(saveTo && { weights: saveTo }), card: built.card };
      process.stdout.write(
        json
          ? `${JSON.stringify(report)}\n`
          : `${out}: ${built.card.preset}, ${megabytes(bytes)}, digest ${built.card.digest.slice(0, 16)}\n`,
      );
    });
}

function inspectCommand(): Command {
  return new Command('inspect')
    .description("show an ONNX file's card, inputs, outputs, parameters and multiply-adds by stage")
    .argument('<file>', 'ONNX file')
    .option('--data <dir>', 'data folder, where the choice of `model tune` may lie', 'maskcast-data')
    .option('--json', 'print one JSON object')
    .action(async (file: string, { data, json }: { data: string; json?: boolean }) => {
      const report = inspectModel(file);
      const bytes = statSync(file).size;
      const tuned = await tunings(file, data);
      process.stdout.write(
        json
          ? `${JSON.stringify({ file, bytes, ...report, tuned: tuned.map(({ table: _table, ...entry }) => entry) })}\n`
          : `${describe(file, bytes, report)}${tuned.map((entry) => `${describeTuning(entry)}\n`).join('')}`,
      );
    });
}

/** What `model tune` chose for this file, on this machine and on others. */
async function tunings(file: string, data: string): Promise<readonly TuningEntry[]> {
  const warn = (sentence: string): void => void process.stderr.write(`${sentence}\n`);
  const records = await readRecords(file, await fileDigest(file), data, warn);
  return records.flatMap(({ record }) => record.entries);
}

function describeTuning(entry: TuningEntry): string {
  const place = `${describeProcessor(entry.processor)}, ${entry.runtime}, ${entry.ranOn}`;
  return [place, ...entry.choices.map((choice) => `  ${describeChoice(choice, entry.measured)}`)].join('\n');
}

function describe(
  file: string,
  bytes: number,
  { card, inputs, outputs, stages, multiplyAdds, parameters, weightBytes, opset }: ModelReport,
): string {
  const value = ({ name, type, shape }: ModelReport['inputs'][number]): string =>
    `${name} ${type} [${shape.join(',')}]`;
  const lines = [
    `${file}: ${megabytes(bytes)}, opset ${opset}`,
    ...(card
      ? [
          `card: ${card.name}, preset ${card.preset}, ${card.classes.length} classes, input ${card.input.height}x${card.input.width} ${card.input.fit}`,
          `      licence ${card.licence || 'not stated'}; ${card.data || 'training data not stated'}; digest ${card.digest.slice(0, 16)}`,
        ]
      : ['card: none']),
    ...inputs.map((input) => `input  ${value(input)}`),
    ...outputs.map((output) => `output ${value(output)}`),
    ...stages.map(
      ({ stage, multiplyAdds: cost, parameters: count }) =>
        `  ${(stage || '(all)').padEnd(12)} ${giga(cost)}  ${(count / 1e6).toFixed(3).padStart(8)} M`,
    ),
    `  ${'total'.padEnd(12)} ${multiplyAdds === null ? 'not known: the file states no shapes' : giga(multiplyAdds)}  ${(parameters / 1e6).toFixed(3).padStart(8)} M parameters, ${megabytes(weightBytes)} of constants`,
  ];
  return `${lines.join('\n')}\n`;
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
const giga = (count: number): string => `${(count / 1e9).toFixed(2).padStart(8)} G multiply-adds`;

function presetName(text: string): string {
  if (!Object.hasOwn(PRESETS, text)) throw new InvalidArgumentError(`known: ${Object.keys(PRESETS).join(', ')}`);
  return text;
}

function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('it must be a whole number');
  return Number(text);
}

function sizeOf(text: string): { height: number; width: number } {
  const match = /^(\d{1,5})x(\d{1,5})$/.exec(text);
  if (!match) throw new InvalidArgumentError('it must be height x width such as 384x640');
  return { height: Number(match[1]), width: Number(match[2]) };
}

function strideOf(text: string): '1x1' | '3x3' {
  if (text !== '1x1' && text !== '3x3') throw new InvalidArgumentError('it must be 1x1 or 3x3');
  return text;
}
