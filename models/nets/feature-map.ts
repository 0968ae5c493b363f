import type { Value } from '../onnx/graph-builder.js';

/** A map `[N, C, H/stride, W/stride]` and the input it belongs to. */
export interface FeatureMap {
  readonly value: Value;
  readonly stride: number;
}

/** Size of the network's input, px. */
export interface InputSize {
  readonly height: number;
  readonly width: number;
}
