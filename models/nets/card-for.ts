import { InputError } from '../../config/errors.js';
import { COCO_80 } from '../adapters/coco-labels.js';
import type { ModelCard } from '../weights/card.js';
import { BGR_BYTES, IMAGENET } from './input.js';
import { networkSchema } from './options.js';
import { presetNamed } from './presets.js';

/** What may be said about a network beside its preset. */
export interface CardOptions {
  readonly preset: string;
  /** Left out: the preset's. */
  readonly height?: number;
  readonly width?: number;
  /** Proposals of the RPN; left out: the preset's. */
  readonly proposals?: number;
  /** Names; left out: the preset's, or all 80 of COCO. */
  readonly classes?: readonly string[];
}

/** Largest input side: anchors of a map are stored in the graph, and their number grows with its area. */
const MOST_PX = 4096;

/**
 * The card of a network that has no weights yet.
 *
 * @throws InputError for an unknown preset or class, or an input size that does not suit the network
 */
export function cardFor({ preset: name, height, width, proposals, classes: said }: CardOptions): ModelCard {
  const { preset, network: defaults } = presetNamed(name);
  const classes = said ?? preset.classes ?? COCO_80;
  const size = { height: height ?? preset.height, width: width ?? preset.width };
  let network = defaults;
  if (proposals !== undefined) {
    if (network.first.kind !== 'rpn') throw new InputError(`preset ${name} has no RPN; leave --proposals out`);
    if (!Number.isInteger(proposals) || proposals < 1 || proposals > 10_000) {
      throw new InputError(`--proposals is ${proposals}; it must be a whole number from 1 to 10000`);
    }
    network = networkSchema.parse({ ...network, first: { ...network.first, proposals } });
  }
  const multiple = network.body.kind === 'resnet' ? 16 : 32;
  for (const [side, px] of Object.entries(size)) {
    if (!Number.isInteger(px) || px < multiple || px > MOST_PX || px % multiple) {
      throw new InputError(
        `input ${side} is ${px}; for preset ${name} it must be a multiple of ${multiple} from ${multiple} to ${MOST_PX}`,
      );
    }
  }
  if (classes.length === 0) throw new InputError('no class is given; name at least one');
  const yolox = network.body.kind === 'yolox-nano';
  const { order, mean, std } = yolox ? BGR_BYTES : IMAGENET;
  const stretched = network.body.kind === 'picodet-s';
  return {
    schema: 1,
    name,
    preset: name,
    classes: [...classes],
    input: {
      ...size,
      channels: order,
      mean: [...mean],
      std: [...std],
      // As the bodies were trained; PicoDet on pictures squeezed to a square, YOLOX on grey 114 below and beside.
      fit: stretched ? 'stretch' : yolox ? 'letterbox-top-left' : 'letterbox-center',
      fill: stretched ? 0 : 114,
    },
    network,
    licence: '',
    data: '',
    figures: {},
    digest: '',
  };
}
