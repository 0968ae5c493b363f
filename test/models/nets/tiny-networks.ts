import { cardFor } from '../../../models/nets/card-for.js';
import { type NetworkInput, networkSchema } from '../../../models/nets/options.js';
import type { ModelCard } from '../../../models/weights/card.js';

/** Five classes, 64×96 pixels and a few channels: the whole road in milliseconds. */
function tinyCard(network: NetworkInput): ModelCard {
  const card = cardFor({
    preset: 'framework1',
    height: 64,
    width: 96,
    classes: ['person', 'bicycle', 'car', 'bus', 'truck'],
  });
  return { ...card, name: 'tiny', network: networkSchema.parse(network) };
}

const RPN: NetworkInput['first'] = { kind: 'rpn', middle: 8, sizes: [16, 32, 64], before: 60, proposals: 12 };
const DETECTIONS = { minScore: 0.1, most: 10, candidates: 40 };

/** One network for every turn that the options can take on a ResNet body. */
export const TINY: Readonly<Record<string, ModelCard>> = {
  // Basic blocks, both orders of the separated convolution, redesigned head with 2×2 cells.
  redesigned: tinyCard({
    body: { kind: 'resnet', depth: 18, width: 8 },
    separated: { middle: 6, out: 8 },
    first: RPN,
    head: { kind: 'redesigned', middle: 8, out: 16 },
    mask: { channels: 8 },
    detections: DETECTIONS,
  }),
  // Bottlenecks with the stride on the 3×3, global pooling, ReLU after the sum, no bias.
  global: tinyCard({
    body: { kind: 'resnet', depth: 50, width: 4, strideOn: '3x3' },
    separated: { kernel: 7, middle: 8, out: 8, relu: true, bias: false },
    first: RPN,
    head: { kind: 'redesigned', middle: 8, out: 16, pool: 14 },
    samples: 1,
    mask: { channels: 8 },
    detections: DETECTIONS,
  }),
  // The baseline: no separated convolution, C5 head, stride on the 1×1.
  baseline: tinyCard({
    body: { kind: 'resnet', depth: 50, width: 4 },
    separated: false,
    first: RPN,
    head: { kind: 'c5' },
    mask: { channels: 8 },
    detections: DETECTIONS,
  }),
};

/** Wide enough that int8 takes the products of their fast forms. */
export const TINY_WIDE: Readonly<Record<'redesigned' | 'baseline', ModelCard>> = {
  redesigned: tinyCard({
    body: { kind: 'resnet', depth: 18, width: 16 },
    separated: { middle: 64, out: 64 },
    first: RPN,
    head: { kind: 'redesigned', middle: 64, out: 64 },
    mask: { channels: 16 },
    detections: DETECTIONS,
  }),
  baseline: tinyCard({
    body: { kind: 'resnet', depth: 50, width: 8 },
    separated: false,
    first: RPN,
    head: { kind: 'c5' },
    mask: { channels: 16 },
    detections: DETECTIONS,
  }),
};

/** `[count, height, width, 3]` with edges and slopes; the same formula stands in models/training/reference.py. */
export function pictures(count: number, height: number, width: number): Uint8Array {
  const pixels = new Uint8Array(count * height * width * 3);
  let at = 0;
  for (let n = 0; n < count; n++)
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++)
        for (let c = 0; c < 3; c++)
          pixels[at++] = x * 7 + y * 13 + c * 29 + ((Math.floor(x / 5) * Math.floor(y / 7)) % 31) * 5 + n * 101;
  return pixels;
}
