import { InputError } from '../../config/errors.js';
import { COCO_80 } from '../adapters/coco-labels.js';
import { type Forms, withForms } from '../kernels/forms.js';
import { readModel } from '../onnx/decode.js';
import type { OnnxModel } from '../onnx/model.js';
import { type BodyCard, bodyCardIn, CARD_KEY, cardIn, type ModelCard } from '../weights/card.js';
import { onnxTensors } from '../weights/onnx-store.js';
import { openSafetensors, type SafetensorsFile, writeSafetensors } from '../weights/safetensors.js';
import { seededWeights } from '../weights/seed.js';
import {
  layeredWeights,
  recordedWeights,
  type StoredTensor,
  storedWeights,
  type TrackedSource,
} from '../weights/source.js';
import { PLAN_KEY, planIn, planOf } from './body-plan.js';
import { type CardOptions, cardFor } from './card-for.js';
import { buildNetwork } from './network.js';

/** What to build, as a user says it. */
export interface AssembleOptions extends Omit<CardOptions, 'preset'> {
  /** Left out: what the card in the weights says. */
  readonly preset?: string;
  /** safetensors files; a tensor is taken from the first that has it. */
  readonly weights?: readonly string[];
  /** ONNX file whose body takes the place of C1–C4; left out: the plan of it that the weights carry. */
  readonly body?: string;
  /** Fills what the files lack; left out: nothing may be lacking. */
  readonly seed?: number;
  /** Where a ResNet halves the size; left out: what the weights say, else the preset. */
  readonly strideOn?: '1x1' | '3x3';
  /** How costly parts are computed; left out: directly. */
  readonly forms?: Partial<Forms>;
  readonly trace?: boolean;
}

export interface Assembled {
  readonly model: OnnxModel;
  readonly card: ModelCard;
  /** Every tensor that was asked for, by its name in a weights file. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** A mobile body's graph without its weights: see {@link planOf}. */
  readonly plan?: string;
}

/**
 * Builds a network from presets, files and seeds.
 *
 * @throws InputError naming the option or file at fault
 */
export function assemble(options: AssembleOptions): Assembled {
  const files: SafetensorsFile[] = [];
  try {
    for (const file of options.weights ?? []) files.push(openSafetensors(file));
    const card = cardOf(options, files);
    const bodyFile = bodyOf(card, options.body, files);
    const weights = recordedWeights(sourceOf(options, files, bodyFile));
    const model = guarded(() =>
      buildNetwork(card, {
        weights,
        ...(bodyFile && { bodyFile }),
        bodyClasses: bodyClasses(card),
        ...(options.trace && { trace: true }),
      }),
    );
    return {
      model: options.forms ? withForms('the new model', model, options.forms) : model,
      card: cardIn('the new model', model.metadata)!,
      tensors: weights.taken,
      ...(bodyFile && { plan: planOf(bodyFile) }),
    };
  } finally {
    for (const file of files) file.close();
  }
}

/** Writes the tensors of a network with its card as safetensors: what training starts from. */
export async function saveWeights(file: string, { card, tensors, plan }: Assembled): Promise<number> {
  return await writeSafetensors(file, tensors, { [CARD_KEY]: JSON.stringify(card), ...(plan && { [PLAN_KEY]: plan }) });
}

function cardOf(options: AssembleOptions, files: readonly SafetensorsFile[]): ModelCard {
  const { preset, weights: _weights, body: _body, seed, strideOn, forms: _forms, trace: _trace, ...rest } = options;
  const told = files.map((file) => cardIn(file.name, file.metadata)).find((card) => card !== undefined);
  const body = files.map((file) => bodyCardIn(file.name, file.metadata)).find((card) => card !== undefined);
  const name = preset ?? told?.preset;
  if (!name) throw new InputError('no preset is named and the weights carry no model card; say --preset NAME');
  if (told && told.preset !== name) {
    throw new InputError(`the weights were made for preset ${told.preset}, --preset says ${name}; leave --preset out`);
  }
  const fresh = cardFor({
    preset: name,
    ...(told && { classes: told.classes, height: told.input.height, width: told.input.width }),
    ...rest,
  });
  const made = seed === undefined ? {} : { data: `not trained: what no file gave comes from seed ${seed}` };
  // A trained file's own network, input form and record win; size and proposals may be asked for anew.
  const card: ModelCard = told
    ? {
        ...told,
        classes: fresh.classes,
        input: { ...told.input, height: fresh.input.height, width: fresh.input.width },
        network: rest.proposals === undefined ? told.network : { ...told.network, first: fresh.network.first },
      }
    : { ...fresh, ...made };
  return withBody(card, body, strideOn);
}

function withBody(card: ModelCard, body: BodyCard | undefined, strideOn: '1x1' | '3x3' | undefined): ModelCard {
  const { body: resnet } = card.network;
  if (resnet.kind !== 'resnet') {
    if (strideOn || body)
      throw new InputError(
        `preset ${card.preset} has the body ${resnet.kind}; ResNet weights and --stride-on do not suit it`,
      );
    return card;
  }
  if (body && body.depth !== resnet.depth) {
    throw new InputError(
      `the weights are of ResNet-${body.depth}, preset ${card.preset} has ResNet-${resnet.depth}; choose another preset`,
    );
  }
  const stride = strideOn ?? body?.strideOn ?? resnet.strideOn;
  return {
    ...card,
    input: body ? { ...card.input, channels: body.channels, mean: body.mean, std: body.std } : card.input,
    network: { ...card.network, body: { ...resnet, strideOn: stride } },
  };
}

function bodyOf(
  { preset, network }: ModelCard,
  file: string | undefined,
  weights: readonly SafetensorsFile[],
): OnnxModel | undefined {
  const { kind } = network.body;
  if (kind === 'resnet') {
    if (file) throw new InputError(`preset ${preset} has a ResNet for its body; leave --body out`);
    return undefined;
  }
  if (file) return readModel(file);
  const plan = weights.map(({ name, metadata }) => planIn(name, metadata)).find((found) => found !== undefined);
  if (!plan) throw new InputError(`preset ${preset} takes its body from an ONNX file; say --body ${kind}.onnx`);
  return plan;
}

function sourceOf(
  { seed, body }: AssembleOptions,
  files: readonly SafetensorsFile[],
  bodyFile: OnnxModel | undefined,
): TrackedSource {
  const sources: TrackedSource[] = files.map((file) => {
    const wholeResnet = bodyCardIn(file.name, file.metadata) !== undefined;
    return storedWeights(file, (name) => wholeResnet && name.startsWith('layer4.'));
  });
  // A body's file holds its head too, which not every network takes: what is left over there is no fault.
  if (body && bodyFile) sources.push(storedWeights(onnxTensors(body, bodyFile, 'body.'), () => true));
  if (seed !== undefined) sources.push(seededWeights(seed));
  if (files.length === 0 && seed === undefined)
    throw new InputError('no weights are given; say --weights FILE, or --seed N for random ones');
  return layeredWeights(sources);
}

function bodyClasses({ network, classes }: ModelCard): readonly number[] {
  if (network.first.kind !== 'dense') return [];
  return classes.map((name) => {
    const index = COCO_80.indexOf(name);
    if (index < 0)
      throw new InputError(`class "${name}" is none of COCO's 80, which are all that the body's own head knows`);
    return index;
  });
}

/** Files that do not fit together show while the graph is built: that is the user's input. */
function guarded<T>(build: () => T): T {
  try {
    return build();
  } catch (cause) {
    if (cause instanceof RangeError) throw new InputError(`the network cannot be built: ${cause.message}`, { cause });
    throw cause;
  }
}
