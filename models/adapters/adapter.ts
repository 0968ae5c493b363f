import type { InputForm, MaskRle, Placement, Size } from '../../operators/types.js';

/** Name, element type and shape of one input or output; a symbolic dimension is a string. */
export interface TensorSpec {
  readonly name: string;
  readonly type: string;
  readonly shape: readonly (number | string)[];
}

/** What a model file says of itself. */
export interface ModelSignature {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  /** `metadata_props` of the ONNX file. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** Tensor values, row-major. */
export type TensorValue = { readonly dims: readonly number[] } & (
  | { readonly type: 'float32'; readonly data: Float32Array }
  | { readonly type: 'uint8'; readonly data: Uint8Array }
  | { readonly type: 'int32'; readonly data: Int32Array }
  | { readonly type: 'int64'; readonly data: BigInt64Array }
);

/** Tensors by name. */
export type Tensors = Readonly<Record<string, TensorValue>>;

/** What an adapter needs of a frame. */
export interface ModelFrame {
  /** `[height, width, 3]` rgb24 at the model's input size. */
  readonly pixels: Uint8Array;
  readonly placement: Placement;
  readonly source: Size;
}

/** The instances of one frame, best first, as flat arrays that a worker can transfer. */
export interface FrameInstances {
  readonly count: number;
  /** `[count, 4]` x1 y1 x2 y2 in source pixels, inside the frame, never empty. */
  readonly boxes: Float32Array;
  /** `[count]` 0…1. */
  readonly scores: Float32Array;
  /** `[count]` index into the adapter's `labels`. */
  readonly classes: Uint16Array;
  /** One an instance; absent for models without masks. Undefined for an instance whose mask is empty. */
  readonly masks?: readonly (MaskRle | undefined)[];
}

/** How one model file is fed and read. Pure: the same frames give the same feeds, the same outputs the same instances. */
export interface Adapter {
  /** Family, such as `yolox`. */
  readonly name: string;
  readonly labels: readonly string[];
  readonly input: InputForm;
  /** Frames of every run; undefined when the model takes any number. */
  readonly fixedBatch: number | undefined;
  readonly masks: boolean;
  /**
   * Feeds for 1…`fixedBatch` frames (fewer are filled up). The tensors are the adapter's own and are overwritten by the next call.
   */
  makeFeeds(frames: readonly ModelFrame[]): Tensors;
  /** Instances of each frame of the run that `frames` went into. */
  decode(outputs: Tensors, frames: readonly ModelFrame[]): readonly FrameInstances[];
}

/** What the user may say about a model. */
export interface AdapterOptions {
  /** Instances below this score are left out. */
  readonly minScore: number;
  /** Class names in the order of the model's classes; left out: those of the file, else COCO's when the count fits. */
  readonly labels?: readonly string[];
}

/** One kind of model files. */
export interface AdapterFamily {
  readonly name: string;
  /** Its inputs and outputs in one line, for the message that refuses a file. */
  readonly expects: string;
  /** An adapter for the file, or why it is none of this family. */
  match(signature: ModelSignature, options: AdapterOptions): Adapter | string;
}
