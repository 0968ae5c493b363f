import { InputError } from '../../config/errors.js';
import type { Adapter, AdapterFamily, AdapterOptions, ModelSignature } from './adapter.js';
import { detr, rtdetr } from './detr.js';
import { detectron2, torchvision } from './mask-rcnn.js';
import { maskcast } from './maskcast.js';
import { picodet } from './picodet.js';
import { picodetNms } from './picodet-nms.js';
import { describe } from './shape.js';
import { yolo } from './yolo.js';
import { yolox } from './yolox.js';

/** In the order of asking: what says most about itself comes first. A new family is one file and one line here. */
export const ADAPTER_FAMILIES: readonly AdapterFamily[] = [
  maskcast,
  picodet,
  picodetNms,
  yolox,
  yolo,
  detr,
  rtdetr,
  detectron2,
  torchvision,
];

/**
 * The adapter whose signature the model has.
 *
 * @param file  for the message
 * @throws InputError naming the inputs and outputs found and those that each family expects
 */
export function chooseAdapter(file: string, signature: ModelSignature, options: AdapterOptions): Adapter {
  const refusals: string[] = [];
  for (const family of ADAPTER_FAMILIES) {
    const adapter = family.match(signature, options);
    if (typeof adapter !== 'string') return adapter;
    refusals.push(`  ${family.name} (${adapter})\n    ${family.expects}`);
  }
  throw new InputError(
    [
      `${file}: no adapter knows this model; it must have the inputs and outputs of one of the families below`,
      'found',
      ...signature.inputs.map((input) => `  input  ${describe(input)}`),
      ...signature.outputs.map((output) => `  output ${describe(output)}`),
      'expected one of (in brackets why not)',
      ...refusals,
    ].join('\n'),
  );
}
