import type { OnnxModel, OnnxNode, OnnxValue } from '../onnx/model.js';
import { CARD_KEY } from '../weights/card.js';

/** Where a graph of ours computes its separated convolution. */
export interface SeparatedSite {
  /** What it reads, `[N, C, H, W]`. */
  readonly x: string;
  /** The sum of both branches. */
  readonly sum: string;
  readonly kernel: number;
  readonly middle: number;
  readonly out: number;
  readonly bias: boolean;
}

/** The layers between RoIAlign and the branches. */
export interface HeadLayers {
  /** Two 3×3 layers; or ResNet's C5, which reads every other bin. */
  readonly kind: 'redesigned' | 'c5';
  /** Rows and columns of the maps that they work on. */
  readonly side: number;
  /** Channels inside and of the result. */
  readonly middle: number;
  readonly out: number;
  /** Bottlenecks of C5. */
  readonly blocks: number;
}

/** RoIAlign and the layers behind it. */
interface RegionSite {
  readonly map: string;
  /** px of the input: `[N, proposals, 4]` for the box branch, `[M, 4]` for the mask branch. */
  readonly boxes: string;
  readonly frames: string;
  readonly bins: number;
  /** 2 where the layers read only every other bin. */
  readonly every: number;
  readonly samples: number;
  readonly stride: number;
  readonly layers: HeadLayers;
}

/** RoIAlign of a fixed number of proposals a frame, whatever reads it. */
export type ProposalSite = Omit<RegionSite, 'frames' | 'every' | 'layers'> & {
  /** `[N · proposals, C, bins, bins]` */
  readonly regions: string;
};

/** The box branch: what classes and deltas are read from. */
export interface BoxSite extends RegionSite {
  /** `[N · proposals, out · cells]` */
  readonly vector: string;
  /** Window of the average pooling. */
  readonly window: number;
}

/** Where masks of all classes are computed and one is chosen. */
export interface PredictSite {
  /** `[M, channels, h, w]` */
  readonly x: string;
  /** int64 `[M]` */
  readonly labels: string;
  /** The chosen one's logits, `[M, h, w]`. */
  readonly logits: string;
  readonly channels: number;
  readonly classes: number;
}

/** The mask branch up to the predicted class's mask. */
export interface MaskSite extends RegionSite, PredictSite {}

/** Layers found, and the node whose result is theirs. */
interface Behind {
  readonly layers: HeadLayers;
  readonly end: OnnxNode;
}

/**
 * Finds the parts of our graphs that have other forms, by the names of their weights and the operators around them: whatever
 * does not look exactly as `models/nets` builds it is no site, and stays as it is.
 */
export class Sites {
  readonly #makers: ReadonlyMap<string, OnnxNode>;
  readonly #readers = new Map<string, OnnxNode[]>();
  readonly #shapes: ReadonlyMap<string, readonly number[]>;
  readonly #nodes: readonly OnnxNode[];

  readonly #values: ReadonlyMap<string, OnnxValue>;
  readonly #isOurs: boolean;

  constructor({ graph, metadata }: OnnxModel) {
    this.#isOurs = CARD_KEY in metadata;
    this.#values = new Map(graph.values.map((value) => [value.name, value]));
    this.#nodes = graph.nodes;
    this.#makers = new Map(graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
    for (const node of graph.nodes)
      for (const name of node.inputs) this.#readers.set(name, [...(this.#readers.get(name) ?? []), node]);
    this.#shapes = new Map(
      graph.initializers.filter(({ type }) => type === 'float32').map(({ name, dims }) => [name, dims]),
    );
  }

  separated(): SeparatedSite | undefined {
    const conv = (name: string): OnnxNode | undefined => this.#conv(`separated.${name}`);
    const [first, other, wide, tall] = ['wide.0', 'tall.0', 'wide.1', 'tall.1'].map(conv);
    if (!first || !other || !wide || !tall || first.inputs[0] !== other.inputs[0]) return undefined;
    const sum = this.#only(wide, 'Add');
    const [middle, , , kernel] = this.#shapes.get(first.inputs[1]!)!;
    const [out] = this.#shapes.get(wide.inputs[1]!)!;
    if (!sum || sum !== this.#only(tall, 'Add')) return undefined;
    return {
      x: first.inputs[0]!,
      sum: sum.outputs[0]!,
      kernel: kernel!,
      middle: middle!,
      out: out!,
      bias: first.inputs.length > 2,
    };
  }

  /**
   * Also in int8 files: the layers behind it do not matter. With no weights to tell a graph of ours by, the card does: elsewhere
   * a RoIAlign may sample otherwise, or its boxes belong to other frames.
   */
  proposals(): ProposalSite | undefined {
    if (!this.#isOurs) return undefined;
    for (const align of this.#nodes) {
      const site = align.op === 'RoiAlign' ? alignOf(align) : undefined;
      const flat = site && this.#makers.get(site.boxes);
      if (!site || flat?.op !== 'Reshape') continue;
      const [boxes, map] = [this.#values.get(flat.inputs[0]!), this.#values.get(site.map)];
      const isFixed =
        typeof boxes?.dims?.[1] === 'number' && map?.dims?.slice(1).every((size) => typeof size === 'number');
      if (isFixed && boxes?.dims?.length === 3 && map?.type === 'float32')
        return { ...site, boxes: flat.inputs[0]!, regions: align.outputs[0]! };
    }
    return undefined;
  }

  box(): BoxSite | undefined {
    for (const { site, end } of this.#regions()) {
      const pool = this.#only(end, 'AveragePool');
      const vector = pool && this.#only(pool, 'Reshape');
      const flat = this.#makers.get(site.boxes);
      const window = pool?.attributes.kernel_shape;
      if (!vector || flat?.op !== 'Reshape' || window?.kind !== 'ints') continue;
      return { ...site, boxes: flat.inputs[0]!, vector: vector.outputs[0]!, window: window.value[0]! };
    }
    return undefined;
  }

  /** Undefined also where another layer stands between deconvolution and prediction. */
  mask(): MaskSite | undefined {
    const predict = this.predict();
    if (!predict) return undefined;
    for (const { site, end } of this.#regions()) {
      const deconv = this.#only(end, 'ConvTranspose');
      const activated = deconv && this.#only(deconv, 'Relu');
      if (activated?.outputs[0] === predict.x) return { ...site, ...predict };
    }
    return undefined;
  }

  predict(): PredictSite | undefined {
    const conv = this.#conv('mask.predict');
    const chosen = conv && this.#only(conv, 'GatherND');
    const index = chosen && this.#makers.get(chosen.inputs[1]!);
    if (!conv || !chosen || index?.op !== 'Unsqueeze') return undefined;
    const [classes, channels] = this.#shapes.get('mask.predict.weight')!;
    return {
      x: conv.inputs[0]!,
      labels: index.inputs[0]!,
      logits: chosen.outputs[0]!,
      channels: channels!,
      classes: classes!,
    };
  }

  /** Every RoIAlign with layers that are known behind it. */
  #regions(): { readonly site: RegionSite; readonly end: OnnxNode }[] {
    const found: { site: RegionSite; end: OnnxNode }[] = [];
    for (const align of this.#nodes) {
      const known = align.op === 'RoiAlign' && alignOf(align);
      if (!known) continue;
      const behind = this.#redesigned(align, known.bins) ?? this.#c5(align, known.bins);
      if (!behind) continue;
      const { layers, end } = behind;
      found.push({ site: { ...known, every: known.bins / layers.side, layers }, end });
    }
    return found;
  }

  /** 3×3 → relu → 3×3 → relu with the redesigned subnet's weights. */
  #redesigned(align: OnnxNode, side: number): Behind | undefined {
    const end = this.#chain(align, ['head.0', 'head.1']);
    if (!end) return undefined;
    const [middle, out] = ['head.0', 'head.1'].map((name) => this.#shapes.get(`${name}.weight`)![0]!);
    return { layers: { kind: 'redesigned', side, middle: middle!, out: out!, blocks: 0 }, end };
  }

  /** Bottlenecks, the first of which halves the size on its two 1×1 layers. */
  #c5(align: OnnxNode, bins: number): Behind | undefined {
    let from = align;
    let blocks = 0;
    for (; this.#shapes.has(`layer4.${blocks}.conv1.weight`); blocks++) {
      const end = this.#bottleneck(from, `layer4.${blocks}`, blocks === 0);
      if (!end) return undefined;
      from = end;
    }
    if (blocks === 0 || bins % 2) return undefined;
    const [middle, out] = ['conv1', 'conv3'].map((name) => this.#shapes.get(`layer4.0.${name}.weight`)![0]!);
    return { layers: { kind: 'c5', side: bins / 2, middle: middle!, out: out!, blocks }, end: from };
  }

  #bottleneck(from: OnnxNode, block: string, first: boolean): OnnxNode | undefined {
    const readers = this.#readers.get(from.outputs[0]!) ?? [];
    const stride = first ? 2 : 1;
    const reading = (layer: string): OnnxNode | undefined =>
      readers.find((node) => this.#isConv(node, `${block}.${layer}`, stride));
    const reduce = reading('conv1');
    const activated = reduce && this.#only(reduce, 'Relu');
    const inner = activated && this.#chain(activated, [`${block}.conv2`], `${block}.conv3`);
    const sum = inner && this.#only(inner, 'Add');
    const beside = first ? reading('downsample.0') : undefined;
    const joined = first ? beside && this.#only(beside, 'Add') : readers.find(({ op }) => op === 'Add');
    return sum && sum === joined && readers.length === 2 ? this.#only(sum, 'Relu') : undefined;
  }

  /** Follows convolutions of these names, each rectified and read by the next alone; `last` is not rectified. */
  #chain(from: OnnxNode, names: readonly string[], last?: string): OnnxNode | undefined {
    let node: OnnxNode | undefined = from;
    for (const name of last ? [...names, last] : names) {
      const conv: OnnxNode | undefined = node && this.#only(node, 'Conv');
      if (!conv || !this.#isConv(conv, name, 1)) return undefined;
      node = name === last ? conv : this.#only(conv, 'Relu');
    }
    return node;
  }

  #conv(name: string): OnnxNode | undefined {
    return this.#nodes.find((node) => this.#isConv(node, name, 1));
  }

  #isConv({ op, inputs, attributes: { strides } }: OnnxNode, name: string, stride: number): boolean {
    const weight = `${name}.weight`;
    const moves = strides?.kind === 'ints' ? strides.value : [1, 1];
    return op === 'Conv' && inputs[1] === weight && this.#shapes.has(weight) && moves.every((one) => one === stride);
  }

  /** The one node that reads a node's result, if it is of this operator. */
  #only(node: OnnxNode, op: string): OnnxNode | undefined {
    const readers = this.#readers.get(node.outputs[0]!) ?? [];
    return readers.length === 1 && readers[0]!.op === op ? readers[0] : undefined;
  }
}

/** What a RoIAlign reads and how. */
function alignOf({ inputs, attributes }: OnnxNode): Omit<RegionSite, 'every' | 'layers'> | undefined {
  const { output_height: bins, sampling_ratio: samples, spatial_scale: scale } = attributes;
  if (bins?.kind !== 'int' || samples?.kind !== 'int' || scale?.kind !== 'float') return undefined;
  const [map, boxes, frames] = inputs;
  return {
    map: map!,
    boxes: boxes!,
    frames: frames!,
    bins: bins.value,
    samples: samples.value,
    stride: 1 / scale.value,
  };
}
