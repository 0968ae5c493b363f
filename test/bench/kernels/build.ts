import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Forms, formsFor, formsIn, withForms } from '../../../models/kernels/forms.js';
import { assemble } from '../../../models/nets/assemble.js';
import { directSeparated } from '../../../models/nets/separated-conv.js';
import { countModel } from '../../../models/onnx/count.js';
import { readModel } from '../../../models/onnx/decode.js';
import { writeModel } from '../../../models/onnx/encode.js';
import { GraphBuilder } from '../../../models/onnx/graph-builder.js';
import type { OnnxModel } from '../../../models/onnx/model.js';
import { toFloat16 } from '../../../models/quantize/float16.js';
import { quantizeModel } from '../../../models/quantize/quantize.js';
import { openSession } from '../../../models/runtime/session.js';
import { int8Twin, int8Twins } from '../../../models/tuning/form-files.js';
import { formsToTry } from '../../../models/tuning/forms-to-try.js';
import { tuningKey } from '../../../models/tuning/plan.js';
import { probe } from '../../../models/tuning/probe.js';
import type { TuningChoice } from '../../../models/tuning/record.js';
import { fileDigest } from '../../../models/tuning/store.js';
import { tune } from '../../../models/tuning/tune.js';
import { cardIn } from '../../../models/weights/card.js';
import { seededWeights } from '../../../models/weights/seed.js';
import { busyPicture } from '../pictures/busy-street.js';
import { feedsOf, type Shape } from './feeds.js';

/** One way to compute a case. */
export interface KernelVariant {
  readonly name: string;
  readonly file: string;
  readonly note: string;
}

export interface BuildOptions {
  /** Where files are made, and found again. */
  readonly folder: string;
  readonly threads: number;
  readonly tuneS: number;
  readonly say: (line: string) => void;
}

/** Pictures (or maps) of a calibration: the weights are random, so only the ranges' existence counts. */
const CALIBRATION = 1;

/** The paper's separated convolution alone, 1024 → 256 → 256, k = 15. */
export function separatedAlone(height: number, width: number): OnnxModel {
  const g = new GraphBuilder(seededWeights(1));
  const x = g.input('x', 'float32', ['N', 1024, height, width]);
  const options = { kernel: 15, middle: 256, out: 256, relu: false, bias: true };
  const y = g.stage('separated', () => directSeparated(g, x, options));
  return g.finish('separated', { y }, {});
}

/** A preset with random weights. */
export function network(preset: string, size?: { height: number; width: number }): OnnxModel {
  return assemble({ preset, seed: 1, ...size }).model;
}

const DEFAULT = fileURLToPath(new URL('../../../../models/weights/default.onnx', import.meta.url));

/** The preset `street` with the weights that ship. */
export const defaultModel = (): OnnxModel => readModel(DEFAULT);

/** A drawn street in which a model finds some twenty instances, of the model's own size. */
export async function streetPicture({ folder, threads, say }: BuildOptions, model: string): Promise<Shape> {
  const { input } = cardIn(model, readModel(model).metadata)!; // Our own file.
  const file = join(folder, 'street.rgb');
  if (!existsSync(file)) {
    const session = await openSession({ file: model, provider: 'cpu', threads, note: say });
    try {
      await writeFile(file, (await busyPicture(session)).picture.data);
    } finally {
      await session.release();
    }
  }
  return { kind: 'stored', batch: 1, height: input.height, width: input.width, file };
}

/** Writes a variant's file, unless the folder has it from an earlier run. */
export async function made(folder: string, name: string, build: () => OnnxModel | Promise<OnnxModel>): Promise<string> {
  const file = join(folder, `${name}.onnx`);
  if (!existsSync(file)) await writeModel(file, await build());
  return file;
}

/** A direct file in other forms. */
export async function inForms(
  { folder }: BuildOptions,
  direct: string,
  name: string,
  forms: Partial<Forms>,
): Promise<KernelVariant> {
  const file = await made(folder, name.replaceAll(' ', '-'), () => withForms(direct, readModel(direct), forms));
  return { name: name.split(' ').at(-1)!, file, note: noteOf(file) };
}

const noteOf = (file: string): string =>
  Object.entries(formsIn(file, readModel(file).metadata))
    .map((pair) => pair.join('='))
    .join(',');

const feedsToCalibrate = (shape: Shape) => (): Iterable<ReturnType<typeof feedsOf>> =>
  Array.from({ length: CALIBRATION }, () => feedsOf(shape));

/** The float graph's forms, then int8: convolutions and the products of fast forms. Bears a name by which the tuner knows a twin. */
export async function inInt8(
  { folder, threads }: BuildOptions,
  direct: string,
  name: string,
  shape: Shape,
  forms: Partial<Forms> = {},
): Promise<KernelVariant> {
  const variant = ['int8', ...Object.values(forms)].join('-');
  const file = await made(folder, `${name}.${variant}`, async () => {
    const model = withForms(direct, readModel(direct), forms);
    return (await quantizeModel({ model, feeds: feedsToCalibrate(shape), threads, piled: false })).model;
  });
  return { name: variant, file, note: `int8, ${noteOf(file)}` };
}

/** Every convolution in int8 but the separated one, which is spectral, in float; RoIAlign of proposals as products. */
export async function mixed(
  { folder, threads }: BuildOptions,
  direct: string,
  name: string,
  shape: Shape,
): Promise<KernelVariant> {
  const file = await made(folder, `${name}-mixed`, async () => {
    const feeds = feedsToCalibrate(shape);
    const { model } = await quantizeModel({ model: readModel(direct), feeds, threads, mixed: true, piled: false });
    const regions = formsFor(model).regions.includes('aligned') ? 'aligned' : 'ops';
    return withForms(direct, model, { separated: 'spectral', regions });
  });
  return { name: 'mixed', file, note: `int8, ${noteOf(file)}` };
}

/** Weights and maps of the large layers in float16. */
export async function inFloat16({ folder }: BuildOptions, direct: string, name: string): Promise<KernelVariant> {
  const file = await made(folder, `${name}-float16`, () => toFloat16(readModel(direct)).model);
  return { name: 'float16', file, note: 'float16' };
}

/** What the tuner chooses for a file and batch, out of everything it knows; its int8 twin takes part when there is one. */
export async function tuned(
  { folder, tuneS, say }: BuildOptions,
  direct: string,
  name: string,
  batch: number,
): Promise<KernelVariant> {
  const key = tuningKey('cpu');
  const int8 = int8Twins(direct).length > 0;
  const { entry } = await tune({
    model: direct,
    digest: await fileDigest(direct),
    forms: formsToTry(direct, readModel(direct), { int8 }).names,
    key,
    provider: 'cpu',
    batches: [batch],
    budgetS: tuneS,
    mostWorkers: key.processor.cores,
    probe: (request, mostMs) => probe(request, AbortSignal.timeout(Math.ceil(mostMs))),
    now: () => performance.now(),
    today: new Date().toISOString(),
    note: say,
  });
  const choice = entry.choices.find((one) => one.batch === batch)!; // Asked for above; tune throws where it finds none.
  const { precision, ...forms } = choice.forms;
  const from = precision ? int8Twin(direct, precision) : direct;
  const file = await made(
    folder,
    `${name}-tuned-${Object.values(choice.forms).join('-') || 'direct'}`,
    () => withForms(from, readModel(from), forms as Partial<Forms>), // The tuner's names are those of formsFor.
  );
  return { name: 'tuned', file, note: describe(choice) };
}

function describe({ forms, workers, threads, medianMs }: TuningChoice): string {
  const named = Object.entries(forms)
    .map((pair) => pair.join('='))
    .join(',');
  return `${named || 'direct'}; in the tuner ${workers}x${threads} ${medianMs.toFixed(0)} ms a frame`;
}

/** Multiply-adds by stage for `batch` frames: those of the file, and those of the direct form where int8 operators hide them. */
export function workOf(
  variant: KernelVariant,
  direct: string,
  batch: number,
  instances: number,
): ReadonlyMap<string, number> {
  const sizes = { N: batch, M: instances, K: 100 * batch };
  const count = (file: string): [string, number][] =>
    countModel(readModel(file), sizes).stages.map(({ stage, multiplyAdds }) => [stage, multiplyAdds]);
  const own = count(variant.file).filter(([, multiplyAdds]) => multiplyAdds > 0);
  return new Map(variant.note.startsWith('int8') ? [...count(direct), ...own] : own);
}
