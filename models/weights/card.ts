import { createHash } from 'node:crypto';
import { z } from 'zod';
import { InputError } from '../../config/errors.js';
import { networkSchema } from '../nets/options.js';
import type { OnnxModel } from '../onnx/model.js';

/** Key of `metadata_props` (ONNX) and of `__metadata__` (safetensors). */
export const CARD_KEY = 'maskcast';

const triple = z.tuple([z.number(), z.number(), z.number()]);

/**
 * What a file of ours says of itself: everything needed to build the graph and to feed it, and where its weights are from.
 */
export const cardSchema = z.object({
  schema: z.literal(1),
  name: z.string().min(1),
  preset: z.string().min(1),
  classes: z.array(z.string().min(1)).min(1),
  input: z.object({
    height: z.number().int().positive(),
    width: z.number().int().positive(),
    /** Order of the body's first convolution; the graph itself always takes red, green, blue. */
    channels: z.enum(['rgb', 'bgr']),
    /** Grey levels, red first. */
    mean: triple,
    std: triple,
    fit: z.enum(['stretch', 'letterbox-top-left', 'letterbox-center']),
    fill: z.number().min(0).max(255),
  }),
  network: networkSchema,
  licence: z.string(),
  /** What it was trained on; for a seed, that it was not. */
  data: z.string(),
  figures: z.record(z.string(), z.union([z.number(), z.string()])),
  /** SHA-256 of the weights: see {@link digestOf}. Empty before they are known. */
  digest: z.string(),
});

export type ModelCard = z.output<typeof cardSchema>;

/**
 * The card in a file's metadata; undefined when there is none.
 *
 * @throws InputError when there is one, but not of this version of maskcast
 */
export function cardIn(file: string, metadata: Readonly<Record<string, string>>): ModelCard | undefined {
  const text = metadata[CARD_KEY];
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new InputError(`${file}: its model card is no JSON; build the file again with \`maskcast model build\``, {
      cause,
    });
  }
  const parsed = cardSchema.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new InputError(
      `${file}: its model card is not of this version: ${issue?.path.join('.') || 'card'}: ${issue?.message}; build the file again`,
    );
  }
  return parsed.data;
}

/** SHA-256 over name, shape and bytes of every constant, in the graph's order: two files of one digest compute the same. */
export function digestOf(model: OnnxModel): string {
  const hash = createHash('sha256');
  for (const { name, dims, data } of model.graph.initializers) {
    hash.update(`${name} ${dims.join(',')}\n`);
    if (data) hash.update(data);
  }
  return hash.digest('hex');
}

/** Key of the note that `models/training/convert.py` leaves in a file of ResNet weights. */
export const BODY_KEY = 'maskcast-body';

const bodyCardSchema = z.object({
  depth: z.number().int(),
  strideOn: z.enum(['1x1', '3x3']),
  channels: z.enum(['rgb', 'bgr']),
  mean: triple,
  std: triple,
});

/** How a ResNet was trained, which its weights alone do not tell. */
export type BodyCard = z.output<typeof bodyCardSchema>;

/** @throws InputError when there is a note, but a wrong one */
export function bodyCardIn(file: string, metadata: Readonly<Record<string, string>>): BodyCard | undefined {
  const text = metadata[BODY_KEY];
  if (text === undefined) return undefined;
  try {
    return bodyCardSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new InputError(`${file}: its note ${BODY_KEY} is damaged; convert the weights again`, { cause });
  }
}
