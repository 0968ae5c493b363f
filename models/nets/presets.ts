import { InputError } from '../../config/errors.js';
import { type NetworkInput, type NetworkOptions, networkSchema } from './options.js';

/** A named network with the input it is meant for. */
export interface Preset {
  readonly about: string;
  readonly height: number;
  readonly width: number;
  /** COCO names; left out: all 80. */
  readonly classes?: readonly string[];
  readonly network: NetworkInput;
}

/** Short side 800, the paper's test size; 1088 is the long side of a 4:3 picture rounded up to whole cells of stride 16. */
const PAPER = { height: 800, width: 1088 } as const;

const separated = (channels: number) => ({ middle: channels, out: channels });
const RPN = { kind: 'rpn', middle: 256 } as const;
const C5 = { kind: 'c5' } as const;
const redesigned = (out: number, pool: 7 | 14) => ({ kind: 'redesigned', out, pool }) as const;
const table2 = (channels: number, head: NetworkInput['head']): NetworkInput => ({
  separated: separated(channels),
  first: RPN,
  head,
});
const table3 = (out: number, pool: 7 | 14): NetworkInput => table2(256, redesigned(out, pool));

/** Small pictures of a camera, 100 proposals, a lighter subnet (kernels.md measured its parts). */
const EDGE: NetworkInput = {
  separated: { middle: 64, out: 64 },
  first: { kind: 'rpn', middle: 128, proposals: 100, before: 1000 },
  head: { kind: 'redesigned', middle: 128, out: 256 },
  mask: { channels: 128 },
  detections: { most: 50, candidates: 400 },
};
const EDGE_ON_MAP: NetworkInput = {
  ...EDGE,
  separated: { middle: 96, out: 96, relu: true },
  head: { kind: 'redesigned', middle: 96, out: 192 },
};

/** Every row of Tables I to III that is ours or our baseline, and networks for small machines. */
export const PRESETS: Readonly<Record<string, Preset>> = {
  // Table I
  'mask-rcnn-r50-c4': {
    about: 'Table I: Mask R-CNN, ResNet-50-C4, C5 head: the baseline',
    ...PAPER,
    network: { separated: false, first: { kind: 'rpn' }, head: C5 },
  },
  'faster-rcnn-r50-c4': {
    about: 'Table I: Faster R-CNN, ResNet-50-C4: the baseline without its mask branch',
    ...PAPER,
    network: { separated: false, first: { kind: 'rpn' }, head: C5, mask: false },
  },
  framework1: {
    about: 'Table I, II, III: separated 256, redesigned head, 512 channels',
    ...PAPER,
    network: table3(512, 7),
  },
  framework2: { about: 'Table I, III: as framework1 with 1024 channels', ...PAPER, network: table3(1024, 7) },
  // Table II
  'sep64-c5': { about: 'Table II: separated 64/64, C5 head', ...PAPER, network: table2(64, C5) },
  'sep128-c5': { about: 'Table II: separated 128/128, C5 head', ...PAPER, network: table2(128, C5) },
  'sep256-c5': { about: 'Table II: separated 256/256, C5 head', ...PAPER, network: table2(256, C5) },
  'sep64-redesigned': {
    about: 'Table II: separated 64/64, redesigned head',
    ...PAPER,
    network: table2(64, redesigned(512, 7)),
  },
  'sep128-redesigned': {
    about: 'Table II: separated 128/128, redesigned head',
    ...PAPER,
    network: table2(128, redesigned(512, 7)),
  },
  'sep256-redesigned': {
    about: 'Table II: separated 256/256, redesigned head; the same as framework1',
    ...PAPER,
    network: table3(512, 7),
  },
  // Table III
  'out256-pool14': { about: 'Table III: 256 channels, global pooling', ...PAPER, network: table3(256, 14) },
  'out256-pool7': { about: 'Table III: 256 channels, pooling 7×7', ...PAPER, network: table3(256, 7) },
  'out512-pool14': { about: 'Table III: 512 channels, global pooling', ...PAPER, network: table3(512, 14) },
  'out512-pool7': {
    about: 'Table III: 512 channels, pooling 7×7; the same as framework1',
    ...PAPER,
    network: table3(512, 7),
  },
  'out1024-pool7': {
    about: 'Table III: 1024 channels, pooling 7×7; the same as framework2',
    ...PAPER,
    network: table3(1024, 7),
  },
  // The edge
  'edge-r50': { about: 'edge: ResNet-50-C4, separated 64, light head', height: 384, width: 640, network: EDGE },
  'edge-r18': {
    about: 'edge: ResNet-18-C4, separated 64, light head',
    height: 384,
    width: 640,
    network: { ...EDGE, body: { kind: 'resnet', depth: 18 } },
  },
  'edge-yolox': {
    about: 'edge: body of YOLOX-nano, separated 96 at stride 16, RPN and light head',
    height: 384,
    width: 640,
    network: { ...EDGE_ON_MAP, body: { kind: 'yolox-nano' } },
  },
  'edge-picodet': {
    about: 'edge: body of PicoDet-S, separated 96 at stride 16, RPN and light head',
    height: 384,
    width: 640,
    network: { ...EDGE_ON_MAP, body: { kind: 'picodet-s' } },
  },
  'dense-yolox': {
    about: 'edge: YOLOX-nano whole as first stage, masks from the separated convolution at stride 16',
    height: 384,
    width: 640,
    network: { ...EDGE_ON_MAP, body: { kind: 'yolox-nano' }, first: { kind: 'dense' } },
  },
  'dense-picodet': {
    about: 'edge: PicoDet-S whole as first stage, masks from the separated convolution at stride 8',
    height: 512,
    width: 512,
    network: { ...EDGE_ON_MAP, body: { kind: 'picodet-s', top: { stride: 8 } }, first: { kind: 'dense' } },
  },
  // What ships, trained, as the default model.
  street: {
    about:
      'PicoDet-S whole as first stage, masks from the separated convolution with a skip and outlines of stride 4 and 2',
    // 16:9 squeezed by 0.72: the body was trained on pictures squeezed to a square (training.md measured eleven sizes).
    height: 448,
    width: 576,
    classes: ['person', 'bicycle', 'car', 'motorcycle', 'bus', 'truck'],
    network: {
      body: { kind: 'picodet-s', top: { channels: 64, stride: 16, from: [8, 16, 32], skip: true } },
      separated: { middle: 64, out: 64, relu: true },
      first: { kind: 'dense' },
      head: { kind: 'redesigned', middle: 64, out: 96 },
      mask: { channels: 32, refined: true, fine: true },
      detections: { minScore: 0.1, maxIou: 0.6, most: 60, candidates: 400 },
    },
  },
};

/**
 * The options of a preset, fully defaulted.
 *
 * @throws InputError when there is none of that name
 */
export function presetNamed(name: string): { readonly preset: Preset; readonly network: NetworkOptions } {
  const preset = Object.hasOwn(PRESETS, name) ? PRESETS[name] : undefined;
  if (!preset) {
    throw new InputError(`preset "${name}" is not known; name one of: ${Object.keys(PRESETS).join(', ')}`);
  }
  return { preset, network: networkSchema.parse(preset.network) };
}
