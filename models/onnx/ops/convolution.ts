import { type GraphBuilder, misfit, type Value } from '../graph-builder.js';
import type { Dim } from '../model.js';

/** Top, left, bottom, right. */
export type Pads = readonly [number, number, number, number];

export interface WindowOptions {
  /** Rows, columns; default 1. */
  readonly strides?: readonly [number, number];
  /** Default none. */
  readonly pads?: Pads;
}

/** Size after sliding a window, floor mode: ⌊(size + pads − window) / stride⌋ + 1. Undefined when the window does not fit. */
function slide(size: Dim, window: number, before: number, after: number, stride: number): number | undefined {
  if (typeof size !== 'number') return undefined;
  const steps = size + before + after - window;
  return steps < 0 ? undefined : Math.floor(steps / stride) + 1;
}

function slideBoth(
  dims: readonly Dim[],
  window: readonly [number, number],
  { strides = [1, 1], pads = [0, 0, 0, 0] }: WindowOptions,
): readonly [number, number] | undefined {
  const rows = slide(dims[2]!, window[0], pads[0], pads[2], strides[0]);
  const columns = slide(dims[3]!, window[1], pads[1], pads[3], strides[1]);
  return rows === undefined || columns === undefined ? undefined : [rows, columns];
}

/**
 * 2-D convolution.
 *
 * @param x       `[n, c, h, w]`
 * @param weight  `[out, c / groups, kh, kw]`
 * @param bias    `[out]`
 * @returns `[n, out, h', w']`
 * @throws RangeError naming the shapes when they do not fit
 */
export function conv(
  g: GraphBuilder,
  x: Value,
  weight: Value,
  bias?: Value,
  options: WindowOptions & { readonly groups?: number } = {},
): Value {
  const { strides = [1, 1], pads = [0, 0, 0, 0], groups = 1 } = options;
  const inputs = bias ? [x, weight, bias] : [x, weight];
  const [out, perGroup, kh, kw] = weight.dims;
  if (x.dims.length !== 4 || weight.dims.length !== 4)
    throw misfit('Conv', inputs, 'input and weight must have four axes');
  if (typeof out !== 'number' || typeof perGroup !== 'number' || typeof kh !== 'number' || typeof kw !== 'number') {
    throw misfit('Conv', inputs, 'the weight must have a fixed shape');
  }
  if (x.type !== 'float32' || weight.type !== 'float32')
    throw misfit('Conv', inputs, 'input and weight must be float32');
  if (x.dims[1] !== perGroup * groups || out % groups) {
    throw misfit('Conv', inputs, `the weight expects ${perGroup} channels in each of ${groups} groups`);
  }
  if (bias && (bias.dims.length !== 1 || bias.dims[0] !== out))
    throw misfit('Conv', inputs, `the bias must be [${out}]`);
  const spatial = slideBoth(x.dims, [kh, kw], options);
  if (!spatial) throw misfit('Conv', inputs, `a window of ${kh}×${kw} does not fit, or height and width are not fixed`);
  return g.node(
    'Conv',
    inputs,
    { kernel_shape: [kh, kw], strides, pads, ...(groups > 1 && { group: groups }) },
    { type: 'float32', dims: [x.dims[0]!, out, ...spatial] },
  );
}

/**
 * Transposed convolution without padding, window = stride: every input cell becomes a block of its own.
 *
 * @param x       `[n, c, h, w]`
 * @param weight  `[c, out, k, k]`
 * @returns `[n, out, h·k, w·k]`
 */
export function deconv(g: GraphBuilder, x: Value, weight: Value, bias: Value): Value {
  const inputs = [x, weight, bias];
  const [c, out, kh, kw] = weight.dims;
  const [n, channels, h, w] = x.dims;
  if (x.dims.length !== 4 || channels !== c || kh !== kw || typeof kh !== 'number' || bias.dims[0] !== out) {
    throw misfit('ConvTranspose', inputs, 'must be [n,c,h,w], [c,out,k,k], [out]');
  }
  if (typeof h !== 'number' || typeof w !== 'number')
    throw misfit('ConvTranspose', inputs, 'height and width must be fixed');
  return g.node(
    'ConvTranspose',
    inputs,
    { kernel_shape: [kh, kh], strides: [kh, kh] },
    { type: 'float32', dims: [n!, out!, h * kh, w * kh] },
  );
}

/** Pooling windows on `[n, c, h, w]`; the average counts padded cells in no case (there is no padding). */
export function maxPool(
  g: GraphBuilder,
  x: Value,
  window: readonly [number, number],
  options: WindowOptions = {},
): Value {
  const { strides = [1, 1], pads = [0, 0, 0, 0] } = options;
  return pool(g, 'MaxPool', x, window, { strides, pads });
}

export function averagePool(
  g: GraphBuilder,
  x: Value,
  window: readonly [number, number],
  strides: readonly [number, number] = window,
): Value {
  return pool(g, 'AveragePool', x, window, { strides, pads: [0, 0, 0, 0] });
}

function pool(
  g: GraphBuilder,
  op: string,
  x: Value,
  window: readonly [number, number],
  options: Required<WindowOptions>,
): Value {
  const spatial = x.dims.length === 4 ? slideBoth(x.dims, window, options) : undefined;
  if (!spatial || x.type !== 'float32')
    throw misfit(op, [x], `must be float32 [n,c,h,w] that a window of ${window.join('×')} fits`);
  return g.node(
    op,
    [x],
    { kernel_shape: window, strides: options.strides, pads: options.pads },
    { type: 'float32', dims: [x.dims[0]!, x.dims[1]!, ...spatial] },
  );
}

/** Mean over height and width: `[n, c, h, w]` → `[n, c, 1, 1]`. */
export function globalAveragePool(g: GraphBuilder, x: Value): Value {
  if (x.dims.length !== 4) throw misfit('GlobalAveragePool', [x], 'must be [n,c,h,w]');
  return g.node('GlobalAveragePool', [x], {}, { type: 'float32', dims: [x.dims[0]!, x.dims[1]!, 1, 1] });
}

/**
 * Doubles (or more) height and width.
 *
 * @param mode  `linear` with half-pixel centres, as PyTorch's `bilinear, align_corners=False`; `nearest` repeats cells
 */
export function upsample(g: GraphBuilder, x: Value, factor: number, mode: 'linear' | 'nearest'): Value {
  const [n, c, h, w] = x.dims;
  if (typeof h !== 'number' || typeof w !== 'number' || !Number.isInteger(factor) || factor < 1) {
    throw misfit('Resize', [x], `height and width must be fixed and the factor whole; it is ${factor}`);
  }
  const scales = g.constant(`scales:${factor}`, [4], Float32Array.of(1, 1, factor, factor));
  return g.node(
    'Resize',
    [x, undefined, scales],
    mode === 'linear'
      ? { mode, coordinate_transformation_mode: 'half_pixel' }
      : { mode, coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' },
    { type: 'float32', dims: [n!, c!, h * factor, w * factor] },
  );
}
