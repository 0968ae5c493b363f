import { InputError } from '../../config/errors.js';
import type { OnnxModel, OnnxTensor } from '../onnx/model.js';
import { floatsOf } from './float-formats.js';
import type { TensorStore } from './source.js';

/** Constants of an ONNX graph by name: its initialisers and the values of its Constant nodes. */
export function constantsOf(model: OnnxModel): Map<string, OnnxTensor> {
  const constants = new Map(model.graph.initializers.map((tensor) => [tensor.name, tensor]));
  for (const node of model.graph.nodes) {
    const value = node.op === 'Constant' ? node.attributes.value : undefined;
    if (value?.kind === 'tensor') constants.set(node.outputs[0]!, value.value);
  }
  return constants;
}

/**
 * The floating-point constants of an ONNX file as weights.
 *
 * @param file    for messages
 * @param prefix  put before each name
 */
export function onnxTensors(file: string, model: OnnxModel, prefix = ''): TensorStore {
  const constants = new Map([...constantsOf(model)].filter(([, { type }]) => type.startsWith('float')));
  return {
    name: file,
    shapes: new Map([...constants].map(([name, { dims }]) => [prefix + name, dims])),
    read(name) {
      const tensor = constants.get(name.slice(prefix.length))!;
      if (!tensor.data)
        throw new InputError(`${file}: the data of ${tensor.name} lie in another file; save the model as one file`);
      return floatsOf(tensor.type, tensor.data)!; // Floating point by the filter above.
    },
  };
}
