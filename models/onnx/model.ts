/**
 * An ONNX model as plain data: the subset of `onnx.proto` (IR version 8) that our graphs and the bodies we read use.
 * Written by `encode.ts`, read by `decode.ts`, made by `graph-builder.ts`.
 */

/** Element types we handle, by the names that ONNX Runtime uses. */
export type ElementType = 'float32' | 'uint8' | 'int8' | 'int32' | 'int64' | 'bool' | 'float16' | 'float64';

/** `TensorProto.DataType` of each element type, and bytes an element. */
export const ELEMENT_TYPES: Readonly<Record<ElementType, { readonly code: number; readonly bytes: number }>> = {
  float32: { code: 1, bytes: 4 },
  uint8: { code: 2, bytes: 1 },
  int8: { code: 3, bytes: 1 },
  int32: { code: 6, bytes: 4 },
  int64: { code: 7, bytes: 8 },
  bool: { code: 9, bytes: 1 },
  float16: { code: 10, bytes: 2 },
  float64: { code: 11, bytes: 8 },
};

/** A size, or a symbol such as `N`, with a factor where sizes were multiplied: `300*N`. */
export type Dim = number | string;

/** A constant tensor, row-major. */
export interface OnnxTensor {
  readonly name: string;
  readonly type: ElementType;
  readonly dims: readonly number[];
  /** Little-endian raw bytes; may be a view into a larger buffer. Undefined when the data lies in another file. */
  readonly data: Uint8Array | undefined;
}

export type OnnxAttribute =
  | { readonly kind: 'int'; readonly value: number }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'ints'; readonly value: readonly number[] }
  | { readonly kind: 'floats'; readonly value: readonly number[] }
  | { readonly kind: 'tensor'; readonly value: OnnxTensor }
  /** Read but not understood (subgraphs, string lists); never written. */
  | { readonly kind: 'other'; readonly code: number };

export interface OnnxNode {
  readonly name: string;
  readonly op: string;
  /** '' for the standard operators. */
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, OnnxAttribute>>;
}

/** Name, element type and shape of an input, output or inner value. */
export interface OnnxValue {
  readonly name: string;
  /** Undefined for what is no tensor or of a type we do not handle. */
  readonly type: ElementType | undefined;
  /** Undefined when the file states none. */
  readonly dims: readonly Dim[] | undefined;
}

export interface OnnxModel {
  readonly irVersion: number;
  readonly producer: string;
  /** Domain → version; '' is the standard one. */
  readonly opsets: Readonly<Record<string, number>>;
  readonly graph: {
    readonly name: string;
    readonly nodes: readonly OnnxNode[];
    readonly initializers: readonly OnnxTensor[];
    readonly inputs: readonly OnnxValue[];
    readonly outputs: readonly OnnxValue[];
    /** Shapes of inner values. */
    readonly values: readonly OnnxValue[];
  };
  readonly metadata: Readonly<Record<string, string>>;
}
