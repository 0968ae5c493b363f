import type { GraphBuilder, Value } from '../onnx/graph-builder.js';
import type { OnnxModel } from '../onnx/model.js';
import type { FeatureMap, InputSize } from './feature-map.js';
import { BGR_BYTES, IMAGENET, type Normalisation } from './input.js';
import type { MobileOptions } from './options.js';
import { replay } from './replay.js';

/** Where things are in a file that others trained. */
interface MobileFile {
  readonly normalisation: Normalisation;
  /** Last feature map of each stride: name of the value, channels. */
  readonly maps: readonly { readonly stride: number; readonly value: string; readonly channels: number }[];
  /** What its own head gives. */
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
    outputs: Array.from({ length: 8 }, (_, i) => `save_infer_model/scale_${i}.tmp_1`),
    multiple: 32,
  },
};

/** A mobile body's maps, finest first, and what its own head gives when that was asked for. */
export interface MobileBody {
  readonly maps: readonly FeatureMap[];
  readonly outputs: readonly Value[];
}

/**
 * The body of a detector that others trained, in place of C1–C4, read out of its ONNX file.
 *
 * @param x      what `pictures` made
 * @param whole  also its own head
 * @throws RangeError when the file is another network, or the input size does not suit
 */
export function mobileBody(
  g: GraphBuilder,
  model: OnnxModel,
  x: Value,
  kind: MobileOptions['kind'],
  whole: boolean,
  { height, width }: InputSize,
): MobileBody {
  const { maps, outputs, multiple, normalisation } = MOBILE_FILES[kind];
  if (height % multiple || width % multiple) {
    throw new RangeError(`input is ${height}x${width}; ${kind} needs multiples of ${multiple}`);
  }
  const own = whole ? outputs : [];
  const values = replay(g, model, x, [...maps.map(({ value }) => value), ...own], normalisation);
  for (const [i, { stride, channels, value }] of maps.entries()) {
    const [, c, h] = values[i]!.dims;
    if (c !== channels || h !== Math.ceil(height / stride))
      throw new RangeError(`${kind}: value ${value} is not the map of stride ${stride}`);
  }
  return {
    maps: maps.map(({ stride }, i) => ({ stride, value: values[i]! })),
    outputs: values.slice(maps.length),
  };
}
