import type { ModelSignature, TensorSpec, Tensors } from './adapter.js';

/**
 * Whether a tensor can have a shape: a number asks for that very size (a symbolic dimension of the model fits too),
 * `undefined` for any.
 */
export function fits(spec: TensorSpec | undefined, type: string, shape: readonly (number | undefined)[]): boolean {
  return (
    spec !== undefined &&
    spec.type === type &&
    spec.shape.length === shape.length &&
    shape.every((size, i) => size === undefined || typeof spec.shape[i] === 'string' || spec.shape[i] === size)
  );
}

/** The dimension when it is a number, undefined when it is symbolic or not there. */
export function sizeAt(spec: TensorSpec | undefined, axis: number): number | undefined {
  const size = spec?.shape.at(axis);
  return typeof size === 'number' ? size : undefined;
}

/** `images float32 [1,3,416,416]`. */
export function describe({ name, type, shape }: TensorSpec): string {
  return `${name} ${type} [${shape.map((size) => (size === '' ? '?' : size)).join(',')}]`;
}

/** Cells of a grid of each stride over the input: rows × columns, partial ones counted. */
export function gridOf(stride: number, width: number, height: number): { columns: number; rows: number } {
  return { columns: Math.ceil(width / stride), rows: Math.ceil(height / stride) };
}

/**
 * Values of a float32 output.
 *
 * @throws Error when the run gave no such output or one of another type
 */
export function floats(outputs: Tensors, name: string): { data: Float32Array; dims: readonly number[] } {
  const tensor = outputs[name];
  if (tensor?.type !== 'float32')
    throw new Error(`output ${name} is ${tensor?.type ?? 'missing'}; float32 was expected`);
  return tensor;
}

/**
 * Values of an int64 or int32 output as numbers.
 *
 * @throws Error when the run gave no such output or one of another type
 */
export function integers(outputs: Tensors, name: string): Int32Array {
  const tensor = outputs[name];
  if (tensor?.type === 'int32') return tensor.data;
  if (tensor?.type === 'int64') return Int32Array.from(tensor.data, Number);
  throw new Error(`output ${name} is ${tensor?.type ?? 'missing'}; int64 or int32 was expected`);
}

/** The only input of a model that takes pictures as `[N, 3, H, W]` float32, or why there is none. */
export function pictureInput(signature: ModelSignature): TensorSpec | string {
  const pictures = signature.inputs.filter((input) => fits(input, 'float32', [undefined, 3, undefined, undefined]));
  return pictures.length === 1 ? pictures[0]! : 'no single float32 input [N,3,H,W]';
}
