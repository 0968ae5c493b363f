import { createHash } from 'node:crypto';
import { createReadStream, existsSync, readdirSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { InputError } from '../../config/errors.js';
import type { Adapter, ModelSignature, TensorSpec } from '../../models/adapters/adapter.js';
import { chooseAdapter } from '../../models/adapters/choose.js';
import { readModel } from '../../models/onnx/decode.js';
import type { OnnxModel, OnnxValue } from '../../models/onnx/model.js';
import type { InputForm } from '../../operators/types.js';

/** The data folder's own models: `<data>/models/<name>.onnx`. */

/** What a model file is, from its bytes alone. */
export interface ModelDescription {
  /** File name without `.onnx`. */
  readonly name: string;
  readonly file: string;
  readonly bytes: number;
  /** SHA-256 of the file, hex. */
  readonly sha256: string;
  /** Family that feeds and reads it. */
  readonly adapter: string;
  readonly classes: readonly string[];
  readonly input: InputForm;
  readonly masks: boolean;
}

/** Names that a model may have: they are file names and stand on command lines. */
const MODEL_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** @throws InputError when `name` cannot be a model's name */
export function checkedModelName(name: string): string {
  if (MODEL_NAME.test(name) && !name.endsWith('.onnx')) return name;
  throw new InputError(
    `the model's name is "${name}"; it must be 1 to 64 of A-Z a-z 0-9 . _ - without .onnx at its end; choose one with --name`,
  );
}

export const modelsFolder = (data: string): string => join(data, 'models');
export const storedModel = (data: string, name: string): string => join(modelsFolder(data), `${name}.onnx`);

/** Names of the models in a data folder, sorted. */
export function storedModelNames(data: string): string[] {
  if (!existsSync(modelsFolder(data))) return [];
  return readdirSync(modelsFolder(data))
    .filter((file) => file.endsWith('.onnx'))
    .map((file) => basename(file, '.onnx'))
    .sort();
}

/**
 * The file that a user means: a path to a file, the name of a model in the data folder, or of one that comes with maskcast.
 *
 * @param shipped  files of the latter by name
 * @throws InputError when it is a bare word that is none of these
 */
export function namedModelFile(named: string, data: string, shipped: ReadonlyMap<string, string> = new Map()): string {
  if (existsSync(named)) return named;
  if (MODEL_NAME.test(named) && existsSync(storedModel(data, named))) return storedModel(data, named);
  const ours = shipped.get(named);
  if (ours !== undefined) return ours;
  if (!MODEL_NAME.test(named) || named.endsWith('.onnx')) return named; // whoever opens it says that it is not there
  const known = [...storedModelNames(data), ...shipped.keys()];
  throw new InputError(
    `model "${named}" is neither a file nor a model in ${modelsFolder(data)} (${known.length ? `known: ${known.join(', ')}` : 'there are none'}); name an ONNX file, or bring one with: maskcast model add FILE|URL --name ${named}`,
  );
}

/**
 * Reads a file with our own ONNX reader and asks the adapters.
 *
 * @throws InputError when it is no ONNX file or no adapter knows it
 */
export async function describeModel(file: string, name = basename(file, '.onnx')): Promise<ModelDescription> {
  const model = readModel(file);
  const adapter: Adapter = chooseAdapter(file, signatureOf(model), { minScore: 0.5 });
  return {
    name,
    file,
    bytes: statSync(file).size,
    sha256: await sha256Of(file),
    adapter: adapter.name,
    classes: adapter.labels,
    input: adapter.input,
    masks: adapter.masks,
  };
}

/** What ONNX Runtime would say of the model's inputs and outputs. */
function signatureOf({ graph, metadata }: OnnxModel): ModelSignature {
  // Older files list constants among the inputs as well.
  const constants = new Set(graph.initializers.map(({ name }) => name));
  const spec = ({ name, type, dims }: OnnxValue): TensorSpec => ({ name, type: type ?? 'unknown', shape: dims ?? [] });
  return {
    inputs: graph.inputs.filter(({ name }) => !constants.has(name)).map(spec),
    outputs: graph.outputs.map(spec),
    metadata,
  };
}

/** SHA-256 of a file, hex. */
export async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
