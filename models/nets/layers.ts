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
