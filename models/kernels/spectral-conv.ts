import { multiplyDims } from '../onnx/dims.js';
import type { GraphBuilder, Value } from '../onnx/graph-builder.js';
import type { Dim } from '../onnx/model.js';
import { add, relu } from '../onnx/ops/elementwise.js';
import { reshape } from '../onnx/ops/layout.js';
import { fusedMatMul, matMul } from '../onnx/ops/linear.js';
import { type PlaneForm, planeForm } from './spectral-plane.js';

const KERNEL = 3;

/** A 3×3 convolution of small square maps, many of them, in the frequency domain: the constants of the graph that hold it. */
export interface SpectralConv {
  readonly form: PlaneForm;
  /** Rows and columns of the maps. */
  readonly side: number;
  readonly b1: Value;
  readonly b2: Value;
  readonly a2: Value;
  readonly a1: Value;
  /** `[products, C, O]` */
  readonly spectra: Value;
  /** `[O]` */
  readonly bias: Value;
}

/** The convolution of this name, which reads `input` channels. Made once, however often it is used. */
export function spectralConv(
  g: GraphBuilder,
  name: string,
  { side, input, out }: { side: number; input: number; out: number },
): SpectralConv {
  const form = planeForm(side, side, KERNEL);
  const { groups, products } = form;
  const taps = g.take(`${name}.weight`, [out, input, KERNEL, KERNEL], { kind: 'he' });
  // [tap, input, out]: what the products read is contiguous, and not transposed.
  const byTap = new Float32Array(taps.length);
  const window = KERNEL * KERNEL;
  for (let o = 0; o < out; o++)
    for (let i = 0; i < input; i++)
      for (let tap = 0; tap < window; tap++) byTap[(tap * input + i) * out + o] = taps[(o * input + i) * window + tap]!;
  const table = g.constant(`plane.g:${side}`, [groups * products, window], form.g);
  const spectra = matMul(g, table, g.constant(`${name}.taps`, [window, input * out], byTap));
  return {
    form,
    side,
    b1: g.constant(`plane.b1:${side}`, [2 * groups, side], form.b1),
    b2: g.constant(`plane.b2:${side}`, [groups, products, 2 * side], form.b2),
    a2: g.constant(`plane.a2:${side}`, [groups, 2 * side, products], form.a2),
    a1: g.constant(`plane.a1:${side}`, [side, 2 * groups], form.a1),
    spectra: reshape(g, spectra, [groups * products, input, out]),
    bias: g.weight(`${name}.bias`, [out], { kind: 'uniform', from: -0.05, to: 0.05 }),
  };
}

/**
 * On maps as RoIAlign gives them.
 *
 * @param maps  `[r, h, w, C]`
 * @returns `[h, w, r, O]`, rectified
 */
export function convRegions(g: GraphBuilder, maps: Value, conv: SpectralConv): Value {
  const { form, side, b1, b2, spectra } = conv;
  const [r, , , c] = maps.dims as [Dim, number, number, number]; // All but the number of regions is fixed.
  const pairs = matMul(g, b1, reshape(g, maps, [r, side, side * c]));
  const factors = matMul(g, b2, reshape(g, pairs, [r, form.groups, 2 * side, c]));
  const flat = reshape(g, factors, [r, form.groups * form.products, c]);
  return back(g, fusedMatMul(g, flat, spectra, { batchA: true }), conv);
}

/**
 * On maps whose places are outermost, so that every product is one of large matrices.
 *
 * @param maps  `[h, w, r, C]`
 * @returns `[h, w, r, O]`, rectified
 */
export function convPlaces(g: GraphBuilder, maps: Value, conv: SpectralConv): Value {
  const { form, side, b1, b2, spectra } = conv;
  const [, , r, c] = maps.dims as [number, number, Dim, number]; // As above.
  const wide = multiplyDims(r, c);
  const pairs = matMul(g, b1, reshape(g, maps, [side, multiplyDims(wide, side)]));
  const factors = matMul(g, b2, reshape(g, pairs, [form.groups, 2 * side, wide]));
  return back(g, matMul(g, reshape(g, factors, [form.groups * form.products, r, c]), spectra), conv);
}

/** Products `[groups · products, r, O]` → maps `[h, w, r, O]` with bias and relu. */
function back(g: GraphBuilder, made: Value, { form, side, a1, a2, bias }: SpectralConv): Value {
  const [, r, out] = made.dims;
  const wide = multiplyDims(r!, out!);
  const pairs = matMul(g, a2, reshape(g, made, [form.groups, form.products, wide]));
  const maps = matMul(g, a1, reshape(g, pairs, [2 * form.groups, multiplyDims(wide, side)]));
  return relu(g, add(g, reshape(g, maps, [side, side, r!, out!]), bias));
}
