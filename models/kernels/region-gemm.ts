import { multiplyDims } from '../onnx/dims.js';
import type { GraphBuilder, Value } from '../onnx/graph-builder.js';
import type { Dim } from '../onnx/model.js';
import { add, relu } from '../onnx/ops/elementwise.js';
import { indicesAlong, reshape, transpose } from '../onnx/ops/layout.js';
import { fusedMatMul, matMul } from '../onnx/ops/linear.js';
import { gather, roiAlign } from '../onnx/ops/selection.js';
import { interpolation } from './interpolation.js';
import type { BoxSite, MaskSite } from './sites.js';
import { type PlaneForm, planeForm } from './spectral-plane.js';

/** Rows and columns of the regions' maps are neighbours in memory only inside a channel: `[h, w, r, C]`. */
interface Layer {
  readonly form: PlaneForm;
  readonly b1: Value;
  readonly b2: Value;
  readonly a2: Value;
  readonly a1: Value;
  /** `[products, C, O]` */
  readonly spectra: Value;
  /** `[O]` */
  readonly bias: Value;
}

/** Both 3×3 layers of the redesigned subnet, whose spectra the box and the mask branch share. */
export interface SpectralSubnet {
  readonly bins: number;
  readonly layers: readonly [Layer, Layer];
}

export function spectralSubnet(
  g: GraphBuilder,
  input: number,
  { bins, middle, out }: { bins: number; middle: number; out: number },
): SpectralSubnet {
  const form = planeForm(bins, bins, KERNEL);
  return { bins, layers: [layer(g, 'head.0', form, bins, input, middle), layer(g, 'head.1', form, bins, middle, out)] };
}

const KERNEL = 3;

function layer(g: GraphBuilder, name: string, form: PlaneForm, bins: number, input: number, out: number): Layer {
  const { groups, products } = form;
  const taps = g.take(`${name}.weight`, [out, input, KERNEL, KERNEL], { kind: 'he' });
  // [tap, input, out]: what the products read is contiguous, and not transposed.
  const byTap = new Float32Array(taps.length);
  const window = KERNEL * KERNEL;
  for (let o = 0; o < out; o++)
    for (let i = 0; i < input; i++)
      for (let tap = 0; tap < window; tap++) byTap[(tap * input + i) * out + o] = taps[(o * input + i) * window + tap]!;
  const table = g.constant('plane.g', [groups * products, window], form.g);
  const spectra = matMul(g, table, g.constant(`${name}.taps`, [window, input * out], byTap));
  return {
    form,
    b1: g.constant('plane.b1', [2 * groups, bins], form.b1),
    b2: g.constant('plane.b2', [groups, products, 2 * bins], form.b2),
    a2: g.constant('plane.a2', [groups, 2 * bins, products], form.a2),
    a1: g.constant('plane.a1', [bins, 2 * groups], form.a1),
    spectra: reshape(g, spectra, [groups * products, input, out]),
    bias: g.weight(`${name}.bias`, [out], { kind: 'uniform', from: -0.05, to: 0.05 }),
  };
}

/**
 * RoIAlign of a fixed number of boxes a frame as two matrix products: along the rows of the map for all its columns, then along
 * the columns.
 *
 * @param map    `[N, C, H, W]`
 * @param boxes  `[N, p, 4]` px
 * @returns `[N · p, bins, bins, C]`
 */
export function alignByProducts(
  g: GraphBuilder,
  map: Value,
  boxes: Value,
  options: Pick<BoxSite, 'bins' | 'samples' | 'stride'>,
): Value {
  const [n, channels, height, width] = map.dims as [Dim, number, number, number]; // A site's map has a fixed size.
  const { bins } = options;
  const most = Number(boxes.dims[1]);
  const count = multiplyDims(n, most);
  const flat = reshape(g, boxes, [count, 4]);
  const rows = reshape(g, transpose(g, map, [0, 2, 3, 1]), [n, height, width * channels]);
  const alongY = reshape(g, interpolation(g, flat, 1, height, options), [n, most * bins, height]);
  const lines = reshape(g, matMul(g, alongY, rows), [count, bins, width, channels]);
  const alongX = reshape(g, interpolation(g, flat, 0, width, options), [count, 1, bins, width]);
  return matMul(g, alongX, lines);
}

/** RoIAlign of boxes of any frames by the operator, in the layout of {@link alignByProducts}: `[r, bins, bins, C]`. */
export function alignByOperator(
  g: GraphBuilder,
  map: Value,
  boxes: Value,
  frames: Value,
  options: Pick<MaskSite, 'bins' | 'samples' | 'stride'>,
): Value {
  return transpose(g, roiAlign(g, map, boxes, frames, options), [0, 2, 3, 1]);
}

/**
 * A list with one more row, zeros, at its end. Instances of a frame may be none or one; a product with no row fails in ONNX
 * Runtime, and with one row it takes another path, whose rounding differs from that of many: a batch would no longer equal its
 * single runs.
 */
export function withSpare(g: GraphBuilder, list: Value): Value {
  const dims = list.dims.slice(1).map(Number);
  const count = dims.reduce((all, size) => all * size, 1);
  const zeros = list.type === 'int64' ? new BigInt64Array(count) : new Float32Array(count);
  const spare = g.constant(`spare:${list.type},${dims}`, [1, ...dims], zeros);
  return g.node('Concat', [list, spare], { axis: 0 }, { type: list.type, dims: [`${list.dims[0]}+1`, ...dims] });
}

/** Without the row that {@link withSpare} added. */
export function withoutSpare(g: GraphBuilder, rows: Value, list: Value): Value {
  return gather(g, rows, indicesAlong(g, list, 0), 0);
}

/**
 * The subnet on regions.
 *
 * @param regions  `[r, h, w, C]`
 * @returns `[h, w, r, O]`
 */
export function subnetByProducts(g: GraphBuilder, regions: Value, { bins, layers }: SpectralSubnet): Value {
  const [first, second] = layers;
  const [r, , , c] = regions.dims as [Dim, number, number, number]; // All but the number of regions is fixed.
  const { groups, products } = first.form;
  const pairs = matMul(g, first.b1, reshape(g, regions, [r, bins, bins * c]));
  const factors = matMul(g, first.b2, reshape(g, pairs, [r, groups, 2 * bins, c]));
  const made = fusedMatMul(g, reshape(g, factors, [r, groups * products, c]), first.spectra, { batchA: true });
  const hidden = back(g, made, first, bins);

  const count = hidden.dims[2]!;
  const middle = Number(hidden.dims[3]);
  const wide = multiplyDims(count, middle);
  const rowPairs = matMul(g, second.b1, reshape(g, hidden, [bins, multiplyDims(wide, bins)]));
  const rowFactors = matMul(g, second.b2, reshape(g, rowPairs, [groups, 2 * bins, wide]));
  return back(g, matMul(g, reshape(g, rowFactors, [groups * products, count, middle]), second.spectra), second, bins);
}

/** Products `[groups · products, r, O]` → map `[h, w, r, O]` with bias and relu. */
function back(g: GraphBuilder, made: Value, { form, a1, a2, bias }: Layer, bins: number): Value {
  const [, r, out] = made.dims;
  const wide = multiplyDims(r!, out!);
  const pairs = matMul(g, a2, reshape(g, made, [form.groups, form.products, wide]));
  const map = matMul(g, a1, reshape(g, pairs, [2 * form.groups, multiplyDims(wide, bins)]));
  return relu(g, add(g, reshape(g, map, [bins, bins, r!, out!]), bias));
}

/**
 * Average pooling of `[h, w, r, O]`, one axis after the other.
 *
 * @returns `[r, O · cells]`, in the order in which pooling `[r, O, h, w]` and flattening gives it
 */
export function pooled(g: GraphBuilder, features: Value, window: number): Value {
  const [bins, , r, out] = features.dims as [number, number, Dim, number]; // As subnetByProducts gives it.
  const cells = Math.floor(bins / window);
  const wide = multiplyDims(r, out);
  const average = g.constant(
    `average:${bins}/${window}`,
    [cells, bins],
    Float32Array.from({ length: cells * bins }, (_, i) =>
      Math.floor((i % bins) / window) === Math.floor(i / bins) ? 1 / window : 0,
    ),
  );
  const rows = matMul(g, average, reshape(g, features, [bins, multiplyDims(wide, bins)]));
  const both = matMul(g, average, reshape(g, rows, [cells, bins, wide]));
  return reshape(g, transpose(g, reshape(g, both, [cells * cells, r, out]), [1, 2, 0]), [r, out * cells * cells]);
}

/**
 * Deconvolution 2×2 with stride 2, relu and the predicted class's 1×1 as matrix products.
 *
 * @param features  `[h, w, M, O]`
 * @param labels    int64 `[M]`
 * @returns logits `[M, 2h, 2w]`
 */
export function maskLogits(g: GraphBuilder, features: Value, labels: Value, { channels, classes }: MaskSite): Value {
  const [h, w, m, out] = features.dims as [number, number, Dim, number]; // As subnetByProducts gives it.
  const taps = g.take('mask.deconv.weight', [out, channels, 2, 2], { kind: 'he' });
  const bias = g.take('mask.deconv.bias', [channels], { kind: 'uniform', from: -0.05, to: 0.05 });
  // [O, (dy, dx, c)]: the four cells that come of one.
  const cells = 4;
  const spread = new Float32Array(taps.length);
  for (let row = 0; row < out * channels; row++) {
    const c = row % channels;
    const o = (row - c) / channels;
    for (let cell = 0; cell < cells; cell++) spread[(o * cells + cell) * channels + c] = taps[row * cells + cell]!;
  }
  const fourfold = Float32Array.from({ length: cells * channels }, (_, i) => bias[i % channels]!);
  const large = matMul(
    g,
    reshape(g, features, [multiplyDims(m, h * w), out]),
    g.constant('mask.deconv.spread', [out, cells * channels], spread),
  );
  const hidden = relu(g, add(g, large, g.constant('mask.deconv.fourfold', [cells * channels], fourfold)));

  // The class's weights once for each of the four cells, on a block diagonal: [M, (cell, c), cell].
  const predict = g.take('mask.predict.weight', [classes, channels, 1, 1], { kind: 'he' });
  const blocks = new Float32Array(classes * cells * channels * cells);
  for (let i = 0; i < classes * cells * channels; i++) {
    const c = i % channels;
    const cell = ((i - c) / channels) % cells;
    const of = Math.floor(i / (cells * channels));
    blocks[i * cells + cell] = predict[of * channels + c]!;
  }
  const own = gather(g, g.constant('mask.predict.blocks', [classes, cells * channels, cells], blocks), labels, 0);
  const predictBias = g.weight('mask.predict.bias', [classes], { kind: 'uniform', from: -0.05, to: 0.05 });
  const ownBias = reshape(g, gather(g, predictBias, labels, 0), [m, 1, 1]);
  const logits = fusedMatMul(g, reshape(g, hidden, [h * w, m, cells * channels]), own, { batchA: true });
  const ordered = transpose(g, reshape(g, add(g, logits, ownBias), [multiplyDims(m, h), w, 2, 2]), [0, 2, 1, 3]);
  return reshape(g, ordered, [m, 2 * h, 2 * w]);
}
