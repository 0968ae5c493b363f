import type { GraphBuilder, Value } from '../onnx/graph-builder.js';
import type { OnnxModel } from '../onnx/model.js';
import type { FeatureMap, InputSize } from './feature-map.js';
import { BGR_BYTES, IMAGENET, type Normalisation } from './input.js';
import type { MobileOptions } from './options.js';
import { replay } from './replay.js';

/** A value of a file that others trained. */
interface MapName {
  readonly stride: number;
  readonly value: string;
  readonly channels: number;
}

/** Where things are in a file that others trained. */
interface MobileFile {
  readonly normalisation: Normalisation;
  /** Last feature map of each stride. */
  readonly maps: readonly MapName[];
  /** Early maps for outlines: stride 4, and stride 2 where the file has one. */
  readonly outlines: readonly MapName[];
  /** What its own head gives, where that is built from the file's nodes; empty where it is built from the maps. */
  readonly outputs: readonly string[];
  /** Input sizes must be multiples of this. */
  readonly multiple: number;
}

export const MOBILE_FILES: Readonly<Record<MobileOptions['kind'], MobileFile>> = {
  // Megvii's export: what the stems of the three heads read.
  'yolox-nano': {
    normalisation: BGR_BYTES,
    maps: [
      { stride: 8, value: '956', channels: 64 },
      { stride: 16, value: '990', channels: 128 },
      { stride: 32, value: '1024', channels: 256 },
    ],
    // End of the first CSP stage (`dark2`).
    outlines: [{ stride: 4, value: '721', channels: 32 }],
    outputs: ['output'],
    multiple: 32,
  },
  // Paddle's export: one linear map away from its detections.
  'picodet-s': {
    normalisation: IMAGENET,
    maps: [
      { stride: 8, value: 'hardswish_38.tmp_0', channels: 96 },
      { stride: 16, value: 'hardswish_42.tmp_0', channels: 96 },
      { stride: 32, value: 'hardswish_46.tmp_0', channels: 96 },
      { stride: 64, value: 'hardswish_50.tmp_0', channels: 96 },
    ],
    // What the stem's pooling leaves and reads.
    outlines: [
      { stride: 4, value: 'pool2d_0.tmp_0', channels: 24 },
      { stride: 2, value: 'batch_norm_0.tmp_4', channels: 24 },
    ],
    outputs: [],
    multiple: 32,
  },
};

/** What of a mobile body a network reads beside its last maps. */
export interface MobileParts {
  /** Its own head's outputs. */
  readonly head: boolean;
  /** How many of its early maps: none, that of stride 4, that of stride 2 too. */
  readonly outlines: 0 | 1 | 2;
}

/** A mobile body's maps, finest first, and what its own head gives. */
export interface MobileBody {
  readonly maps: readonly FeatureMap[];
  /** Stride 4 first. */
  readonly outlines: readonly FeatureMap[];
  readonly outputs: readonly Value[];
}

/**
 * The body of a detector that others trained, in place of C1–C4, read out of its ONNX file.
 *
 * @param x  what `pictures` made
 * @throws RangeError when the file is another network, or the input size does not suit
 */
export function mobileBody(
  g: GraphBuilder,
  model: OnnxModel,
  x: Value,
  kind: MobileOptions['kind'],
  { head, outlines: early }: MobileParts,
  { height, width }: InputSize,
): MobileBody {
  const { maps, outlines, outputs, multiple, normalisation } = MOBILE_FILES[kind];
  if (height % multiple || width % multiple) {
    throw new RangeError(`input is ${height}x${width}; ${kind} needs multiples of ${multiple}`);
  }
  const wanted = [...maps, ...outlines.slice(0, early)];
  const names = [...wanted.map(({ value }) => value), ...(head ? outputs : [])];
  const values = replay(g, model, x, names, normalisation);
  const found = wanted.map(({ stride, channels, value }, i): FeatureMap => {
    const [, c, h] = values[i]!.dims;
    if (c !== channels || h !== Math.ceil(height / stride))
      throw new RangeError(`${kind}: value ${value} is not the map of stride ${stride}`);
    return { stride, value: values[i]! };
  });
  return {
    maps: found.slice(0, maps.length),
    outlines: found.slice(maps.length),
    outputs: values.slice(wanted.length),
  };
}
