import type { SeparatedForm } from '../nets/separated-conv.js';
import { multiplyDims } from '../onnx/dims.js';
import type { GraphBuilder, Value } from '../onnx/graph-builder.js';
import type { Dim } from '../onnx/model.js';
import { add } from '../onnx/ops/elementwise.js';
import { reshape, transpose } from '../onnx/ops/layout.js';
import { fusedMatMul, matMul } from '../onnx/ops/linear.js';
import { type LineForm, lineForm } from './spectral-lines.js';

/** A line transform and the matrices of the graph that hold it. */
interface Axis {
  readonly form: LineForm;
  readonly length: number;
  readonly kernel: number;
  /** `[products, length]` */
  readonly b: Value;
  /** `[length, products]` */
  readonly a: Value;
}

/**
 * The separated convolution in the frequency domain of its lines: exact up to rounding (7e-7 of the largest value), a quarter of the
 * time of the direct form or less at the paper's size on a processor with AVX2 only: docs/kernels.md.
 *
 * Every product has the batch among its rows only, so that a batch equals its single runs bit for bit. Needs ONNX Runtime
 * (FusedMatMul), and memory for the spectra, which it works out of the stored taps when the file is loaded.
 */
export const spectralSeparated: SeparatedForm = (g, x, { kernel, middle, out, bias }) => {
  const [n, c, h, w] = x.dims;
  if (typeof h !== 'number' || typeof w !== 'number' || n === undefined)
    throw new RangeError('the map must have a fixed height and width');
  const channels = Number(c);
  const vertical = axisOf(g, 'vertical', h, kernel);
  const horizontal = axisOf(g, 'horizontal', w, kernel);
  const biasOf = (name: string, size: number): Float32Array =>
    bias ? g.take(`${name}.bias`, [size], { kind: 'uniform', from: -0.05, to: 0.05 }) : new Float32Array(size);
  const added = (y: Value, name: string, size: number): Value =>
    bias ? add(g, y, g.constant(`${name}.bias`, [size], biasOf(name, size))) : y;
  const lines = multiplyDims(n, h);
  const columns = multiplyDims(n, w);

  // Rows first: [h, n, w·c]. The reshape between the two transposes keeps ONNX Runtime from merging them into a slow one.
  const nhwc = transpose(g, x, [0, 2, 3, 1]);
  const rows = swapOuter(g, reshape(g, nhwc, [n, h, w * channels]));

  const tall = alongColumns(
    g,
    rows,
    vertical,
    spectrum(g, 'separated.tall.0', vertical, middle, channels, [kernel, 1]),
    columns,
  );
  const tallMiddle = added(reshape(g, tall, [lines, w, middle]), 'separated.tall.0', middle);
  const a = alongRows(g, tallMiddle, horizontal, spectrum(g, 'separated.tall.1', horizontal, out, middle, [1, kernel]));

  const wide = alongRows(
    g,
    reshape(g, nhwc, [lines, w, channels]),
    horizontal,
    spectrum(g, 'separated.wide.0', horizontal, middle, channels, [1, kernel]),
  );
  const wideMiddle = reshape(g, added(wide, 'separated.wide.0', middle), [n, h, w * middle]);
  const b = alongColumns(
    g,
    swapOuter(g, wideMiddle),
    vertical,
    spectrum(g, 'separated.wide.1', vertical, out, middle, [kernel, 1]),
    columns,
  );

  let sum = add(g, a, reshape(g, b, [lines, w, out]));
  if (bias) {
    // One addition for the biases of both branches.
    const other = biasOf('separated.wide.1', out);
    const both = biasOf('separated.tall.1', out).map((value, i) => value + other[i]!);
    sum = add(g, sum, g.constant('separated.bias', [out], both));
  }
  const byFrame = reshape(g, swapOuter(g, reshape(g, sum, [h, n, w * out])), [n, h, w, out]);
  return transpose(g, byFrame, [0, 3, 1, 2]);
};

function axisOf(g: GraphBuilder, name: string, length: number, kernel: number): Axis {
  const form = lineForm(length, kernel);
  return {
    form,
    length,
    kernel,
    b: g.constant(`spectral.${name}.b`, [form.products, length], form.b),
    a: g.constant(`spectral.${name}.a`, [length, form.products], form.a),
  };
}

/** `[a, b, c]` → `[b, a, c]`: whole rows are moved. */
function swapOuter(g: GraphBuilder, x: Value): Value {
  return transpose(g, x, [1, 0, 2]);
}

/**
 * The weights' products `[products, in, out]`, worked out of the taps inside the graph: ONNX Runtime folds them once, when it
 * loads the file, and the file stays as small as the direct form's.
 */
function spectrum(
  g: GraphBuilder,
  name: string,
  { form, kernel }: Axis,
  out: number,
  input: number,
  window: readonly [number, number],
): Value {
  const taps = g.take(`${name}.weight`, [out, input, ...window], { kind: 'he', gain: name.endsWith('1') ? 0.5 : 1 });
  // Not transposed, for the runtime copies a block of these into order before each product.
  const byTap = new Float32Array(taps.length);
  for (let o = 0; o < out; o++)
    for (let i = 0; i < input; i++)
      for (let k = 0; k < kernel; k++) byTap[(k * input + i) * out + o] = taps[(o * input + i) * kernel + k]!;
  const table = g.constant(`spectral.g:${form.products}`, [form.products, kernel], form.g);
  const spectra = matMul(g, table, g.constant(`${name}.taps`, [kernel, input * out], byTap));
  return reshape(g, spectra, [form.products, input, out]);
}

/** k×1 on rows `[h, n, w·c]`: → `[h, n·w·o]`. */
function alongColumns(g: GraphBuilder, rows: Value, { b, a, form, length }: Axis, weights: Value, columns: Dim): Value {
  const [, input, out] = weights.dims;
  const flat = reshape(g, rows, [length, multiplyDims(columns, input!)]);
  const spectral = reshape(g, matMul(g, b, flat), [form.products, columns, input!]);
  const products = matMul(g, spectral, weights);
  return matMul(g, a, reshape(g, products, [form.products, multiplyDims(columns, out!)]));
}

/** 1×k on lines `[n·h, w, c]`: → `[n·h, w, o]`. */
function alongRows(g: GraphBuilder, lines: Value, { b, a, form, length }: Axis, weights: Value): Value {
  const products = fusedMatMul(g, matMul(g, b, lines), weights, { batchA: true });
  return fusedMatMul(g, reshape(g, a, [1, length, form.products]), products, { batchB: true });
}
