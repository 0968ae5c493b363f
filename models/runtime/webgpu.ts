import { InputError } from '../../config/errors.js';
import { readModel } from '../onnx/decode.js';
import { encodeModel } from '../onnx/encode.js';
import type { OnnxModel } from '../onnx/model.js';
import { neverEmpty } from './never-empty.js';

/**
 * What WebGPU is to load in place of a file, where the file itself does not do: see `never-empty.ts`.
 *
 * @returns the bytes of a model, or undefined for the file as it is
 * @throws InputError for a network that WebGPU would compute wrongly
 */
export function webgpuSource(file: string): Uint8Array | undefined {
  let model: OnnxModel;
  try {
    model = readModel(file);
  } catch (cause) {
    // What our reader does not know is none of our networks; ONNX Runtime reads it, or says why not.
    if (cause instanceof InputError) return undefined;
    throw cause;
  }
  const wrong = wrongConvolutions(model);
  if (wrong.length > 0)
    throw new InputError(
      `${file}: ONNX Runtime's WebGPU computes its convolution ${wrong[0]} wrongly${wrong.length > 1 ? `, and ${wrong.length - 1} more` : ''} (input channels a multiple of 3 and not of 4); run it on the cpu, or build it with channels in fours`,
    );
  const changed = neverEmpty(model);
  return changed === model ? undefined : Buffer.concat(encodeModel(changed));
}

/**
 * Convolutions that the WebGPU provider of ONNX Runtime 1.30 computes wrongly, by name. Found by running single convolutions
 * beside the CPU (software adapter): wrong by 20 to 150 % of the largest value with 6, 9, 15 and 18 input channels, windows above
 * 1×1 and output channels in fours; right to 4e-7 with 1, 2, 3, 5, 7, 8, 10 and 12 input channels, with 5 and 6 output
 * channels, and 1×1.
 */
export function wrongConvolutions({ graph }: OnnxModel): readonly string[] {
  const shapes = new Map(graph.initializers.map(({ name, dims }) => [name, dims]));
  return graph.nodes.flatMap(({ op, name, inputs, attributes }) => {
    const dims = shapes.get(inputs[1] ?? '');
    if (op !== 'Conv' || dims?.length !== 4) return [];
    if (attributes.group?.kind === 'int' && attributes.group.value !== 1) return [];
    const [out, input, kh, kw] = dims as readonly [number, number, number, number]; // Length checked above.
    return input > 3 && input % 3 === 0 && input % 4 !== 0 && out % 4 === 0 && kh * kw > 1 ? [name] : [];
  });
}
