import type { GraphBuilder, Value } from '../onnx/graph-builder.js';
import { clipBoxes } from './boxes.js';
import { chooseDetections, type Detections } from './detections.js';
import type { FeatureMap, InputSize } from './feature-map.js';
import type { DetectionOptions, MobileOptions } from './options.js';
import { picodetCells } from './picodet-head.js';
import { yoloxCells } from './yolox-head.js';

/**
 * The mobile body's own dense head in place of RPN and box branch: what it finds, after suppression inside each class, is
 * both the regions for the mask branch and the final boxes. Why: docs/decisions/0011-first-stage-and-default-network.md
 *
 * @param body     its maps, and what its head gives where that is built from the file's nodes
 * @param columns  which of its 80 classes are ours, in our order
 */
export function denseFirstStage(
  g: GraphBuilder,
  kind: MobileOptions['kind'],
  body: { readonly maps: readonly FeatureMap[]; readonly outputs: readonly Value[] },
  columns: readonly number[],
  options: DetectionOptions,
  size: InputSize,
): Detections {
  const { scores, boxesOf } =
    kind === 'yolox-nano' ? yoloxCells(g, body.outputs, columns, size) : picodetCells(g, body.maps, columns, size);
  return chooseDetections(g, scores, (cells) => clipBoxes(g, boxesOf(cells), size.width, size.height), options);
}
