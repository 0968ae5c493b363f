import { z } from 'zod';

/**
 * What a network is made of. Stands in the model card of every file of ours, so that weights and graph cannot be
 * mistaken for another network's. Defaults are the paper's framework 1.
 */

const channels = z.number().int().min(1).max(8192);
const share = z.number().min(0).max(1);

/** C1–C4, or a mobile body in its place. */
const resnetSchema = z.strictObject({
  kind: z.literal('resnet'),
  depth: z.union([z.literal(18), z.literal(34), z.literal(50), z.literal(101)]).default(50),
  /** Channels of the stem; 64 is the published network, less makes a narrow one for tests and tiny devices. */
  width: channels.default(64),
  /** Where a bottleneck halves the size: `1x1` as He et al. and Detectron2's R50-C4, `3x3` as torchvision. */
  strideOn: z.enum(['1x1', '3x3']).default('1x1'),
});

/** A mobile body keeps its own maps; `top` joins some of them into the one that the rest of the network reads. */
const topSchema = z.strictObject({
  channels: channels.default(96),
  /** Stride of the joint map. */
  stride: z.union([z.literal(8), z.literal(16)]).default(16),
  /** Maps that take part, by stride. */
  from: z
    .array(z.union([z.literal(8), z.literal(16), z.literal(32), z.literal(64)]))
    .min(1)
    .default([8, 16, 32]),
  /**
   * The separated convolution works at stride 16, where it costs a quarter, and the body's map of stride 8 is added behind it:
   * what is looked at closely is read at stride 8.
   */
  skip: z.boolean().default(false),
});
const mobileSchema = z.strictObject({
  kind: z.enum(['yolox-nano', 'picodet-s']),
  top: topSchema.prefault({}),
});

const separatedSchema = z.strictObject({
  kernel: z.number().int().min(1).max(63).default(15),
  middle: channels.default(256),
  out: channels.default(256),
  /** ReLU after the sum of both branches. */
  relu: z.boolean().default(false),
  /** Bias of each of the four convolutions. */
  bias: z.boolean().default(true),
});

const rpnSchema = z.strictObject({
  kind: z.literal('rpn'),
  /** Channels of the 3×3; left out: those of its input. */
  middle: channels.optional(),
  /** Side lengths (px) of square anchors. */
  sizes: z.array(z.number().positive()).min(1).default([32, 64, 128, 256, 512]),
  /** Height over width. */
  ratios: z.array(z.number().positive()).min(1).default([0.5, 1, 2]),
  /** Best anchors that enter suppression. */
  before: z.number().int().min(1).default(6000),
  proposals: z.number().int().min(1).max(10_000).default(300),
  maxIou: share.default(0.7),
});

/** The mobile body's own head: its boxes and scores are the final ones. */
const denseSchema = z.strictObject({ kind: z.literal('dense') });

const headSchema = z.union([
  z.strictObject({
    kind: z.literal('redesigned'),
    middle: channels.default(256),
    out: channels.default(512),
    /** Window of the average pooling before the classifier: 7 leaves 2×2 cells, 14 one (global). */
    pool: z.union([z.literal(7), z.literal(14)]).default(7),
  }),
  z.strictObject({ kind: z.literal('c5') }),
]);

const maskSchema = z.strictObject({
  channels: channels.default(256),
  /** The body's map of stride 4 is added at 28×28, followed by one more 3×3: sharper outlines. */
  refined: z.boolean().default(false),
  /** The body's map of stride 2 joins the one of stride 4, and a second 3×3 follows: outlines of figures a few pixels wide. */
  fine: z.boolean().default(false),
});

export const networkSchema = z
  .strictObject({
    body: z.union([resnetSchema, mobileSchema]).prefault({ kind: 'resnet' }),
    separated: z.union([z.literal(false), separatedSchema]).prefault({}),
    first: z.union([rpnSchema, denseSchema]).prefault({ kind: 'rpn' }),
    head: headSchema.prefault({ kind: 'redesigned' }),
    /** Points a bin and axis of RoIAlign. */
    samples: z.number().int().min(1).max(4).default(2),
    /** Mask branch, or false for boxes only. */
    mask: z.union([z.literal(false), maskSchema]).prefault({}),
    detections: z
      .strictObject({
        minScore: share.default(0.05),
        maxIou: share.default(0.5),
        /** Kept of one frame. */
        most: z.number().int().min(1).default(100),
        /** Best (box, class) pairs of a frame that enter suppression. */
        candidates: z.number().int().min(1).default(1000),
      })
      .prefault({}),
  })
  .superRefine((network, context) => {
    const mobile = network.body.kind !== 'resnet';
    const say = (path: string, message: string): void => context.addIssue({ code: 'custom', path: [path], message });
    if (network.first.kind === 'dense' && !mobile)
      say('first', 'dense needs a body with a head of its own: yolox-nano or picodet-s');
    if (network.head.kind === 'c5' && (mobile || (network.body.kind === 'resnet' && network.body.depth < 50))) {
      say('head', 'c5 is the last stage of ResNet-50 or 101; this body has none: use the redesigned head');
    }
    if (network.separated && network.separated.kernel % 2 === 0) {
      say(
        'separated',
        `kernel is ${network.separated.kernel}; it must be odd (the paper uses 15), or height and width would change`,
      );
    }
    if (network.body.kind === 'yolox-nano' && network.body.top.from.includes(64)) {
      say('body', 'yolox-nano has maps at stride 8, 16 and 32, none at 64');
    }
    if (network.body.kind !== 'resnet' && network.body.top.skip) {
      if (network.body.top.stride !== 16)
        say(
          'body',
          `top.skip leads from stride 16 to 8; top.stride is ${network.body.top.stride}: leave one of both out`,
        );
      if (!network.separated)
        say('body', 'top.skip goes around the separated convolution; there is none: leave it out');
    }
    if (network.mask !== false && network.mask.refined && !mobile) {
      say('mask', 'refined reads the map of stride 4 of a mobile body: yolox-nano or picodet-s');
    }
    if (network.mask !== false && network.mask.fine && !(network.mask.refined && network.body.kind === 'picodet-s')) {
      say('mask', "fine adds picodet-s's map of stride 2 to the one of stride 4: it needs this body, and refined");
    }
  });

/** Fully defaulted. */
export type NetworkOptions = z.output<typeof networkSchema>;
export type NetworkInput = z.input<typeof networkSchema>;
export type ResnetOptions = Extract<NetworkOptions['body'], { kind: 'resnet' }>;
export type MobileOptions = Exclude<NetworkOptions['body'], { kind: 'resnet' }>;
export type SeparatedOptions = Exclude<NetworkOptions['separated'], false>;
export type RpnOptions = Extract<NetworkOptions['first'], { kind: 'rpn' }>;
export type HeadOptions = NetworkOptions['head'];
export type RedesignedOptions = Extract<HeadOptions, { kind: 'redesigned' }>;
export type MaskOptions = Exclude<NetworkOptions['mask'], false>;
export type DetectionOptions = NetworkOptions['detections'];
