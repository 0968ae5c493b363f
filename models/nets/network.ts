import { GraphBuilder, type Value } from '../onnx/graph-builder.js';
import type { OnnxModel } from '../onnx/model.js';
import { unsqueeze } from '../onnx/ops/layout.js';
import { gatherNd } from '../onnx/ops/selection.js';
import { CARD_KEY, digestOf, type ModelCard } from '../weights/card.js';
import type { TrackedSource } from '../weights/source.js';
import { clipBoxes, decodeBoxes } from './boxes.js';
import { denseFirstStage } from './dense-first-stage.js';
import { asOutput, chooseDetections, type Detections } from './detections.js';
import type { FeatureMap } from './feature-map.js';
import { pictures } from './input.js';
import { addSkip, joinMaps } from './map-top.js';
import { maskBranch, outlineMap } from './mask-branch.js';
import { mobileBody } from './mobile-body.js';
import { resnetC4 } from './resnet.js';
import { flattenBoxes, roiFeatures } from './roi-features.js';
import { boxBranch, regionSubnet } from './roi-head.js';
import { rpn } from './rpn.js';
import { separatedConv } from './separated-conv.js';

/** What a network is built from beside its card. */
export interface Parts {
  readonly weights: TrackedSource;
  /** Graph of the mobile body's own file, where the card asks for one. */
  readonly bodyFile?: OnnxModel;
  /** Which of the body's classes the card's classes are, in order; only for a dense first stage. */
  readonly bodyClasses?: readonly number[];
  /** Values inside the graph to give out too, for comparison with another implementation. */
  readonly trace?: boolean;
}

/** Places of multiplication of deltas in the head (Girshick et al.: targets were divided by 0.1 and 0.2). */
const HEAD_DELTAS = [10, 5] as const;

/**
 * The detector-segmenter as one graph, the paper's Fig. 2:
 *
 *   images ─ body (C1–C4) ─ separated convolution ─┬─ RPN ─ proposals ─┐
 *                                                  └─ RoIAlign 14×14 ──┴─ subnet ─ boxes, classes ─ suppression ─┐
 *                                                  └─ RoIAlign 14×14 of the final boxes ─ subnet ─ masks ────────┘
 *
 * A dense first stage (decision 0011) stands in place of everything from RPN to suppression.
 *
 * Input `images` uint8 `[N, H, W, 3]`. Outputs `boxes` `[M, 4]` (px of the input), `scores` `[M]`, `labels` `[M]`,
 * `frames` `[M]` and, with a mask branch, `masks` `[M, 28, 28]`: the instances of all frames, frame by frame, best first.
 * A batch of N gives what N single runs give.
 *
 * @throws InputError when a weight is missing, left over or of another shape; RangeError when parts do not fit together
 */
export function buildNetwork(card: ModelCard, parts: Parts): OnnxModel {
  const { network, input } = card;
  const classes = card.classes.length;
  const g = new GraphBuilder(parts.weights);
  const images = g.input('images', 'uint8', ['N', input.height, input.width, 3]);

  const x = g.stage('input', () => pictures(g, images, { order: input.channels, mean: input.mean, std: input.std }));
  const { map: c4, skip, outlines: early = [], own } = body(g, x, card, parts);
  const { separated } = network;
  const wide = separated
    ? g.stage('separated', () => ({
        ...c4,
        value: separatedConv(g, c4.value, separated),
      }))
    : c4;
  const map = skip ? g.stage('skip', () => skip(wide)) : wide;

  const { found, proposals } = own
    ? { found: g.stage('detections', own), proposals: undefined }
    : twoStages(g, map, card);

  const outputs: Record<string, Value> = {
    boxes: found.boxes,
    scores: found.scores,
    labels: asOutput(g, found.labels),
    frames: asOutput(g, found.frames),
  };
  if (network.mask) {
    const { channels } = network.mask;
    const regions = g.stage('mask-align', () => roiFeatures(g, map, found, network.samples));
    const features = g.stage('mask-head', () => regionSubnet(g, regions, network.head, resnetOf(card)));
    const [coarse, finest] = early;
    // One point a bin: 28 bins over a figure for which these maps are needed lie closer than their cells.
    const outline = coarse && g.stage('outline', () => outlineMap(g, coarse, channels));
    const outlines = outline && g.stage('mask-align', () => roiFeatures(g, outline, found, 1, 28));
    const fine = finest && g.stage('mask-align', () => roiFeatures(g, finest, found, 1, 28));
    outputs.masks = g.stage('mask', () => maskBranch(g, features, found.labels, { classes, channels, outlines, fine }));
  }
  if (parts.trace)
    Object.assign(outputs, {
      c4: c4.value,
      ...(separated && { separated: wide.value }),
      ...(skip && { skip: map.value }),
      ...(proposals && { proposals }),
    });
  parts.weights.finish();

  const model = g.finish(card.name, outputs, {});
  return { ...model, metadata: { [CARD_KEY]: JSON.stringify({ ...card, digest: digestOf(model) }) } };
}

/** What the rest of the network reads of the body. */
interface Body {
  /** What the separated convolution reads. */
  readonly map: FeatureMap;
  /** What leads around the separated convolution. */
  readonly skip?: (map: FeatureMap) => FeatureMap;
  /** What outlines are read from: the map of stride 4, and that of stride 2. */
  readonly outlines?: readonly FeatureMap[];
  /** Finds instances by the body's own head. */
  readonly own?: () => Detections;
}

function body(
  g: GraphBuilder,
  x: Value,
  { network, input, classes }: ModelCard,
  { bodyFile, bodyClasses }: Parts,
): Body {
  const options = network.body;
  if (options.kind === 'resnet') {
    const normalisation = { order: input.channels, mean: input.mean, std: input.std };
    return { map: { stride: 16, value: g.stage('body', () => resnetC4(g, x, options, normalisation)) } };
  }
  if (!bodyFile) throw new RangeError(`the body ${options.kind} is read out of its ONNX file, which was not given`);
  const dense = network.first.kind === 'dense';
  const { refined = false, fine = false } = network.mask || {};
  const needs = { head: dense, outlines: fine ? 2 : refined ? 1 : 0 } as const;
  const { maps, outlines, outputs } = g.stage('body', () => mobileBody(g, bodyFile, x, options.kind, needs, input));
  const columns = bodyClasses ?? classes.map((_, i) => i);
  return {
    map: g.stage('top', () => joinMaps(g, maps, options.top)),
    outlines,
    ...(options.top.skip && { skip: (map) => addSkip(g, map, maps) }),
    ...(dense && {
      own: () => denseFirstStage(g, options.kind, { maps, outputs }, columns, network.detections, input),
    }),
  };
}

/** Proposals, then a closer look at each of them. */
function twoStages(g: GraphBuilder, map: FeatureMap, card: ModelCard): { found: Detections; proposals: Value } {
  const { network, input, classes } = card;
  const { first } = network;
  if (first.kind !== 'rpn') throw new RangeError('a dense first stage needs a mobile body'); // The options' own rule.
  const proposals = g.stage('rpn', () => rpn(g, map, first, input));
  const regions = g.stage('align', () => {
    const flat = flattenBoxes(g, proposals.boxes);
    return roiFeatures(g, map, flat, network.samples);
  });
  const features = g.stage('head', () => regionSubnet(g, regions, network.head, resnetOf(card)));
  const { scores, deltas } = g.stage('box', () => boxBranch(g, features, network.head, classes.length, proposals));
  const found = g.stage('detections', () =>
    chooseDetections(
      g,
      scores,
      (chosen, pairs) => {
        const from = gatherNd(g, proposals.boxes, unsqueeze(g, chosen, 2), 1);
        const moved = decodeBoxes(g, from, gatherNd(g, deltas, unsqueeze(g, pairs, 2), 1), HEAD_DELTAS);
        return clipBoxes(g, moved, input.width, input.height);
      },
      network.detections,
    ),
  );
  return { found, proposals: proposals.boxes };
}

function resnetOf({ network }: ModelCard): Extract<ModelCard['network']['body'], { kind: 'resnet' }> | undefined {
  return network.body.kind === 'resnet' ? network.body : undefined;
}
