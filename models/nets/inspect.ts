import { InputError } from '../../config/errors.js';
import { countModel, type ModelCount, type StageCount } from '../onnx/count.js';
import { readModel } from '../onnx/decode.js';
import { GraphBuilder } from '../onnx/graph-builder.js';
import type { Dim, OnnxModel, OnnxValue } from '../onnx/model.js';
import { cardIn, type ModelCard } from '../weights/card.js';
import { onnxTensors } from '../weights/onnx-store.js';
import { storedWeights } from '../weights/source.js';
import { IDENTITY } from './input.js';
import { replay } from './replay.js';

/** What `maskcast model inspect` tells of a file. */
export interface ModelReport {
  readonly card: ModelCard | null;
  readonly opset: number;
  readonly inputs: readonly { readonly name: string; readonly type: string; readonly shape: readonly Dim[] }[];
  readonly outputs: ModelReport['inputs'];
  /** Cost for one frame, the most instances that the card allows, by stage in the graph's order. */
  readonly stages: readonly StageCount[];
  /** Null where the file states no shapes and its graph cannot be rebuilt. */
  readonly multiplyAdds: number | null;
  readonly parameters: number;
  readonly weightBytes: number;
}

/**
 * Reads an ONNX file, ours or another's.
 *
 * @throws InputError when it is no ONNX model or a damaged one
 */
export function inspectModel(file: string): ModelReport {
  const model = readModel(file);
  const card = cardIn(file, model.metadata) ?? null;
  const { inputs, outputs, initializers } = model.graph;
  const constants = new Set(initializers.map(({ name }) => name));
  const count = countWithShapes(file, model, card);
  return {
    card,
    opset: model.opsets[''] ?? 0,
    inputs: inputs.filter(({ name }) => !constants.has(name)).map(described),
    outputs: outputs.map(described),
    stages: count.uncounted ? [] : count.stages,
    multiplyAdds: count.uncounted ? null : count.multiplyAdds,
    parameters: count.parameters,
    weightBytes: count.weightBytes,
  };
}

function countWithShapes(file: string, model: OnnxModel, card: ModelCard | null): ModelCount {
  const count = countModel(model, { N: 1, M: card?.network.detections.most ?? 1 });
  if (count.uncounted === 0) return count;
  const rebuilt = rebuild(file, model);
  if (!rebuilt) return count;
  const { stages, multiplyAdds } = countModel(rebuilt, { N: 1 });
  return { ...count, stages, multiplyAdds, uncounted: 0 };
}

/** A detector of another maker built anew with our operators, which know their shapes; undefined when that cannot be done. */
function rebuild(file: string, model: OnnxModel): OnnxModel | undefined {
  const { inputs, outputs, initializers } = model.graph;
  const constants = new Set(initializers.map(({ name }) => name));
  const picture = inputs.find(({ name }) => !constants.has(name));
  if (!picture?.dims || picture.type !== 'float32') return undefined;
  const g = new GraphBuilder(storedWeights(onnxTensors(file, model, 'body.')));
  try {
    const x = g.input(picture.name, 'float32', ['N', ...picture.dims.slice(1)]);
    const values = replay(
      g,
      model,
      x,
      outputs.map(({ name }) => name),
      IDENTITY,
    );
    return g.finish('rebuilt', Object.fromEntries(values.map((value, i) => [`output${i}`, value])), {});
  } catch (cause) {
    // An operator that replay does not know, a graph of another kind, or data in another file: then the count stays unknown, and is shown as that.
    if (cause instanceof RangeError || cause instanceof InputError) return undefined;
    throw cause;
  }
}

function described({ name, type, dims }: OnnxValue): ModelReport['inputs'][number] {
  return { name, type: type ?? 'other', shape: dims ?? [] };
}
