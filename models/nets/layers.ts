import type { GraphBuilder, Initial, Value } from '../onnx/graph-builder.js';
import { conv } from '../onnx/ops/convolution.js';
import { linear } from '../onnx/ops/linear.js';

const SMALL: Initial = { kind: 'uniform', from: -0.05, to: 0.05 };

/** Convolution with bias under a name, height and width kept; weights `name.weight`, `name.bias`. */
export function namedConv(
  g: GraphBuilder,
  x: Value,
  name: string,
  out: number,
  [kh, kw]: readonly [number, number],
  { gain = 1, bias = true }: { gain?: number; bias?: boolean } = {},
): Value {
  const weight = g.weight(`${name}.weight`, [out, Number(x.dims[1]), kh, kw], { kind: 'he', gain });
  return conv(g, x, weight, bias ? g.weight(`${name}.bias`, [out], SMALL) : undefined, {
    pads: [kh >> 1, kw >> 1, kh >> 1, kw >> 1],
  });
}

/** Fully connected layer under a name, `[rows, in]` → `[rows, out]`. */
export function namedLinear(g: GraphBuilder, x: Value, name: string, out: number, gain = 1): Value {
  const weight = g.weight(`${name}.weight`, [out, Number(x.dims[1])], { kind: 'he', gain });
  return linear(g, x, weight, g.weight(`${name}.bias`, [out], SMALL));
}

/**
 * 1×1 with the standardisation `(x − mean) / std` of its input folded in; weights `name.weight`, `name.bias`, `name.mean`,
 * `name.std`. A body's maps differ in scale by orders of magnitude: training starts from equal ones.
 */
export function standardisedConv(g: GraphBuilder, x: Value, name: string, out: number): Value {
  const input = Number(x.dims[1]);
  const weights = g.take(`${name}.weight`, [out, input, 1, 1], { kind: 'he', gain: 0.6 });
  const bias = g.take(`${name}.bias`, [out], SMALL);
  const mean = g.take(`${name}.mean`, [input], SMALL);
  const std = g.take(`${name}.std`, [input], { kind: 'uniform', from: 0.9, to: 1.1 });
  const folded = new Float32Array(weights.length);
  const shifted = new Float32Array(out);
  for (let o = 0; o < out; o++) {
    let shift = bias[o]!;
    for (let i = 0; i < input; i++) {
      const weight = weights[o * input + i]! / std[i]!;
      folded[o * input + i] = weight;
      shift -= weight * mean[i]!;
    }
    shifted[o] = shift;
  }
  return conv(
    g,
    x,
    g.constant(`${name}.weight`, [out, input, 1, 1], folded),
    g.constant(`${name}.bias`, [out], shifted),
  );
}
