import type { OnnxModel, OnnxNode } from '../onnx/model.js';

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

/** Two 3×3 layers on regions, the redesigned subnet, behind one RoIAlign. */
interface SubnetSite {
  readonly map: string;
  /** px of the input: `[N, proposals, 4]` for the box branch, `[M, 4]` for the mask branch. */
  readonly boxes: string;
  readonly frames: string;
  readonly bins: number;
  readonly samples: number;
  readonly stride: number;
  readonly middle: number;
  readonly out: number;
}

/** The box branch: what classes and deltas are read from. */
export interface BoxSite extends SubnetSite {
  /** `[N · proposals, out · cells]` */
  readonly vector: string;
  /** Window of the average pooling. */
  readonly window: number;
}

/** The mask branch up to the predicted class's mask. */
export interface MaskSite extends SubnetSite {
  readonly labels: string;
  readonly logits: string;
  readonly channels: number;
  readonly classes: number;
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

/**
 * Finds the parts of our graphs that have other forms, by the names of their weights and the operators around them: whatever
 * does not look exactly as `models/nets` builds it is no site, and stays as it is.
 */
export class Sites {
  readonly #makers: ReadonlyMap<string, OnnxNode>;
  readonly #readers = new Map<string, OnnxNode[]>();
  readonly #shapes: ReadonlyMap<string, readonly number[]>;
  readonly #nodes: readonly OnnxNode[];

  constructor({ graph }: OnnxModel) {
    this.#nodes = graph.nodes;
    this.#makers = new Map(graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
    for (const node of graph.nodes)
      for (const name of node.inputs) this.#readers.set(name, [...(this.#readers.get(name) ?? []), node]);
    this.#shapes = new Map(graph.initializers.map(({ name, dims }) => [name, dims]));
  }

  separated(): SeparatedSite | undefined {
    const conv = (name: string): OnnxNode | undefined => this.#with('Conv', `separated.${name}.weight`)[0];
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

  box(): BoxSite | undefined {
    for (const { subnet, end } of this.#subnets()) {
      const pool = this.#only(end, 'AveragePool');
      const vector = pool && this.#only(pool, 'Reshape');
      const flat = this.#makers.get(subnet.boxes);
      const window = pool?.attributes.kernel_shape;
      if (!vector || flat?.op !== 'Reshape' || window?.kind !== 'ints') continue;
      return { ...subnet, boxes: flat.inputs[0]!, vector: vector.outputs[0]!, window: window.value[0]! };
    }
    return undefined;
  }

  /** Undefined also where another layer stands between deconvolution and prediction. */
  mask(): MaskSite | undefined {
    const predict = this.predict();
    if (!predict) return undefined;
    for (const { subnet, end } of this.#subnets()) {
      const deconv = this.#only(end, 'ConvTranspose');
      const activated = deconv && this.#only(deconv, 'Relu');
      if (activated?.outputs[0] === predict.x && predict.channels > 0) return { ...subnet, ...predict };
    }
    return undefined;
  }

  predict(): PredictSite | undefined {
    const [conv] = this.#with('Conv', 'mask.predict.weight');
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

  /** Every RoIAlign → 3×3 → relu → 3×3 → relu with the redesigned subnet's weights. */
  #subnets(): { subnet: SubnetSite; end: OnnxNode }[] {
    const found: { subnet: SubnetSite; end: OnnxNode }[] = [];
    for (const first of this.#with('Conv', 'head.0.weight')) {
      const align = this.#makers.get(first.inputs[0]!);
      const hidden = this.#only(first, 'Relu');
      const second = hidden && this.#only(hidden, 'Conv');
      const end = second && this.#only(second, 'Relu');
      if (align?.op !== 'RoiAlign' || second?.inputs[1] !== 'head.1.weight' || !end) continue;
      const { output_height: bins, sampling_ratio: samples, spatial_scale: scale } = align.attributes;
      if (bins?.kind !== 'int' || samples?.kind !== 'int' || scale?.kind !== 'float') continue;
      const [map, boxes, frames] = align.inputs;
      const subnet = {
        map: map!,
        boxes: boxes!,
        frames: frames!,
        bins: bins.value,
        samples: samples.value,
        stride: 1 / scale.value,
        middle: this.#shapes.get('head.0.weight')![0]!,
        out: this.#shapes.get('head.1.weight')![0]!,
      };
      found.push({ subnet, end });
    }
    return found;
  }

  #with(op: string, weight: string): OnnxNode[] {
    return this.#nodes.filter((node) => node.op === op && node.inputs[1] === weight && this.#shapes.has(weight));
  }

  /** The one node that reads a node's result, if it is of this operator. */
  #only(node: OnnxNode, op: string): OnnxNode | undefined {
    const readers = this.#readers.get(node.outputs[0]!) ?? [];
    return readers.length === 1 && readers[0]!.op === op ? readers[0] : undefined;
  }
}
