import { InputError } from '../../config/errors.js';
import { readModel } from '../onnx/decode.js';
import { int8NoteIn } from '../quantize/note.js';
import { FULL_PAIR, SAFE_PAIR, worstPairs } from '../quantize/saturation.js';
import { CARD_KEY } from '../weights/card.js';
import { exactPair } from './byte-sums.js';
import { readModelMetadata } from './model-file.js';

/**
 * Keeps int8 files away from machines that would cut their sums. A file of ours says in its metadata how large its pairs of
 * weights are; where that is more than the safe 128, a probe tells whether this machine adds them right. Files of other makers
 * are looked through and only spoken of, for their weights may never meet the bytes that make them overflow.
 *
 * @param ortName  provider of the session, by ONNX Runtime's name
 * @throws InputError when a file of ours would give wrong sums here
 */
export async function guardSums(
  file: string,
  ortName: string,
  note: (sentence: string) => void,
  probe: (ortName: string) => Promise<number> = exactPair,
): Promise<void> {
  const metadata = await readModelMetadata(file);
  const int8 = int8NoteIn(file, metadata);
  if (!int8 && metadata[CARD_KEY] !== undefined) return;
  const pair = int8 ? int8.worstPair : foreignPair(file);
  if (pair <= 0) return;
  const exact = await probe(ortName);
  if (pair <= exact) return;
  if (!int8) {
    note(
      `int8 weights of ${file} reach ${Math.ceil(pair / 2)}; this processor cuts sums of products above ${SAFE_PAIR / 2}, and results may be off; quantize it with weights of 7 bits`,
    );
    return;
  }
  throw new InputError(
    exact < SAFE_PAIR
      ? `${file} is an int8 model, and this processor adds products of bytes wrongly; use the float model`
      : `${file} holds int8 weights up to the full ±127 (pairs up to ${pair} of ${FULL_PAIR}), and this processor cuts their sums at 16 bits; use a file made with \`maskcast model quantize\` without --full-range, or the float model`,
  );
}

/** Largest pair in a file that is not ours; 0 when it has no int8 weights, or cannot be read as ONNX Runtime may yet. */
function foreignPair(file: string): number {
  try {
    return Math.max(0, ...worstPairs(readModel(file)).values());
  } catch (cause) {
    // Element types that our reader does not know, data in other files: what the session makes of it decides.
    if (cause instanceof InputError) return 0;
    throw cause;
  }
}
