import { InputError } from '../../config/errors.js';
import { decodeModel } from '../onnx/decode.js';
import { encodeModel } from '../onnx/encode.js';
import type { OnnxModel, OnnxTensor } from '../onnx/model.js';
import { constantsOf } from '../weights/onnx-store.js';

/** Key of a mobile body's plan in the metadata of a weights file. */
export const PLAN_KEY = 'maskcast-body-plan';

/**
 * A mobile body's graph without its weights, for a weights file to carry: a network is then built from that one file, and of
 * the file that others trained nothing goes with it but nodes, shapes and the constants of operators (3 and 6 of a hard-swish).
 *
 * @returns an ONNX model in base64; what convolutions read is among its inputs, after the picture
 */
export function planOf(model: OnnxModel): string {
  const { graph } = model;
  const nodes = graph.nodes.filter(({ op }) => op !== 'Constant');
  const read = new Set(nodes.flatMap(({ inputs }) => inputs));
  const weights = new Set(nodes.flatMap(({ op, inputs }) => (op === 'Conv' ? inputs.slice(1) : [])));
  const constants = constantsOf(model);
  const used = [...constants].flatMap(([name, tensor]) => (read.has(name) ? [{ ...tensor, name }] : []));
  const picture = graph.inputs.filter(({ name }) => !constants.has(name));
  const plan: OnnxModel = {
    ...model,
    graph: {
      ...graph,
      nodes,
      initializers: used.filter(({ name }) => !weights.has(name)),
      inputs: [...picture, ...used.filter(({ name }) => weights.has(name))],
      values: [],
    },
    metadata: {},
  };
  return Buffer.concat(encodeModel(plan)).toString('base64');
}

/**
 * The graph in a weights file's metadata, its weights without data; undefined when the file carries none.
 *
 * @throws InputError when it carries one, but a damaged one
 */
export function planIn(file: string, metadata: Readonly<Record<string, string>>): OnnxModel | undefined {
  const text = metadata[PLAN_KEY];
  if (text === undefined) return undefined;
  let plan: OnnxModel;
  try {
    plan = decodeModel(Buffer.from(text, 'base64'));
  } catch (cause) {
    throw new InputError(`${file}: its note ${PLAN_KEY} is damaged; name the body with --body FILE.onnx`, { cause });
  }
  const { inputs, initializers } = plan.graph;
  const weights = inputs
    .slice(1)
    .map(
      ({ name, type = 'float32', dims = [] }): OnnxTensor => ({ name, type, dims: dims.map(Number), data: undefined }),
    );
  return { ...plan, graph: { ...plan.graph, inputs: inputs.slice(0, 1), initializers: [...initializers, ...weights] } };
}
