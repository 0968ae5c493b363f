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
export { type Model, type ModelInfo, type ModelOptions, type ModelProvider, openModel } from './runtime/model.js';
