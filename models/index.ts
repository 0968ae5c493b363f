export type {
  Adapter,
  AdapterFamily,
  AdapterOptions,
  FrameInstances,
  ModelFrame,
  ModelSignature,
} from './adapters/adapter.js';
export { ADAPTER_FAMILIES, chooseAdapter } from './adapters/choose.js';
export { COCO_80, COCO_80_IDS, COCO_91 } from './adapters/coco-labels.js';
export { type Assembled, type AssembleOptions, assemble, saveWeights } from './nets/assemble.js';
export { inspectModel, type ModelReport } from './nets/inspect.js';
export { PRESETS, type Preset } from './nets/presets.js';
export { writeModel } from './onnx/encode.js';
export { type Model, type ModelInfo, type ModelOptions, type ModelProvider, openModel } from './runtime/model.js';
