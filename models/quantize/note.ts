import { z } from 'zod';
import { InputError } from '../../config/errors.js';

/** Key of `metadata_props` of a quantised file. */
export const INT8_KEY = 'maskcast-int8';

const noteSchema = z.object({
  schema: z.literal(1),
  /** Digest of the float file's weights. */
  source: z.string(),
  /** See `WeightRange`. */
  weights: z.enum(['half', 'paired', 'full']),
  /** Largest sum of neighbouring weights of one sign; above 128 sums can be cut on processors that add in 16 bits. */
  worstPair: z.number().int().min(0).max(254),
  /** Calibration pictures. */
  pictures: z.number().int().min(1),
  /** Convolutions in int8 and left in float. */
  int8: z.number().int().min(0),
  float: z.number().int().min(0),
});

/** What a quantised file says of how it was made. */
export type Int8Note = z.output<typeof noteSchema>;

/**
 * The note in a file's metadata; undefined for a float file.
 *
 * @throws InputError when there is one, but a damaged one
 */
export function int8NoteIn(file: string, metadata: Readonly<Record<string, string>>): Int8Note | undefined {
  const text = metadata[INT8_KEY];
  if (text === undefined) return undefined;
  try {
    return noteSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new InputError(`${file}: its note ${INT8_KEY} is damaged; quantize the model again`, { cause });
  }
}
