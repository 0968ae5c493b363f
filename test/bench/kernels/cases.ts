import { InputError } from '../../../config/errors.js';
import {
  type BuildOptions,
  defaultModel,
  inFloat16,
  inForms,
  inInt8,
  type KernelVariant,
  made,
  mixed,
  network,
  separatedAlone,
  streetPicture,
  tuned,
} from './build.js';
import type { Shape } from './feeds.js';
import type { Provider } from './provider.js';

export const BASELINE = 'mask-rcnn-r50-c4';

/** The paper's test size. */
const PAPER = { height: 800, width: 1088 };
const EDGE = { height: 384, width: 640 };
/** Frames a run on a provider that is named. */
const PROVIDER_BATCHES = [1, 8];

/** One table: variants of a case, timed in turn. */
export interface Case {
  readonly name: string;
  readonly batch: number;
  readonly against: string;
  /** The direct form's file. */
  readonly direct: () => Promise<string>;
  /** In the order of the table. A builder that cannot do it here says why by an error, and its line is left out. */
  readonly variants: readonly (readonly [name: string, build: (direct: string) => Promise<KernelVariant>])[];
  /** What a variant reads: the baseline beside a preset for small machines has pictures of its own. */
  readonly shapeOf: (variant: string) => Promise<Shape>;
}

/** A network of ours beside the baseline. */
interface Compared {
  readonly name: string;
  /** What its files are called. */
  readonly stem: string;
  readonly direct: () => Promise<string>;
  /** Of one frame. */
  readonly shape: () => Promise<Shape>;
  /** The form of the regions that goes with the spectral separated convolution. */
  readonly regions: 'gathered' | 'gemm';
}

/** Forms on the processor, every float one, int8 and the tuner's choice. */
export function casesOnProcessor(options: BuildOptions): Case[] {
  const [framework1, edge, small] = compared(options);
  return [
    separated(options, 1),
    separated(options, 4),
    onProcessor(options, framework1, 1),
    onProcessor(options, edge, 1),
    onProcessor(options, edge, 4),
    onProcessor(options, small, 1),
    onProcessor(options, small, 4),
  ];
}

/**
 * Whole networks on a provider that is named, in the float forms: int8 operators have no kernels but the processor's. The ratio is
 * to the baseline by operators; which form is its own best there is in the table.
 */
export function casesOn(provider: Provider, options: BuildOptions): Case[] {
  return compared(options).flatMap((net) => PROVIDER_BATCHES.map((batch) => onProvider(provider, options, net, batch)));
}

/**
 * Framework 1, *the* edge preset (`street` with the weights that ship: what runs when no model is named) on a drawn street with
 * some twenty instances, and a second one that is all ResNet, with random weights.
 */
function compared(options: BuildOptions): [Compared, Compared, Compared] {
  const { folder } = options;
  const seeded = (preset: string, size: { height: number; width: number }): Omit<Compared, 'name' | 'regions'> => ({
    stem: preset,
    direct: () => made(folder, preset, () => network(preset, size)),
    shape: async () => ({ kind: 'pictures', batch: 1, ...size }),
  });
  const street = (): Promise<string> => made(folder, 'street', defaultModel);
  return [
    { name: 'framework1', regions: 'gemm', ...seeded('framework1', PAPER) },
    {
      name: 'edge',
      stem: 'street',
      direct: street,
      shape: async () => streetPicture(options, await street()),
      // A refined mask branch (the mobile bodies') has no form as products throughout.
      regions: 'gathered',
    },
    { name: 'edge-r18', regions: 'gemm', ...seeded('edge-r18', EDGE) },
  ];
}

function separated(options: BuildOptions, batch: number): Case {
  const map = (n: number): Shape => ({ kind: 'map', batch: n, dims: [n, 1024, 50, 68] });
  return {
    name: 'separated-conv',
    batch,
    against: 'direct',
    direct: () => made(options.folder, 'separated-conv', () => separatedAlone(50, 68)),
    variants: [
      ['spectral', (direct) => inForms(options, direct, 'separated-conv spectral', { separated: 'spectral' })],
      ['int8', (direct) => inInt8(options, direct, 'separated-conv', map(1))],
      ['int8-spectral', (direct) => inInt8(options, direct, 'separated-conv', map(1), { separated: 'spectral' })],
    ],
    shapeOf: async () => map(batch),
  };
}

const byOperators = async ({ folder }: BuildOptions, name: string): Promise<KernelVariant> => ({
  name,
  file: await made(folder, BASELINE, () => network(BASELINE)),
  note: 'regions=ops',
});

async function byProducts(options: BuildOptions, name: string): Promise<KernelVariant> {
  const { file } = await byOperators(options, name);
  return { ...(await inForms(options, file, `${BASELINE} gemm`, { regions: 'gemm' })), name };
}

const baselineShape = (batch: number): Shape => ({ kind: 'pictures', batch, ...PAPER });

function onProcessor(options: BuildOptions, { name, stem, direct, shape, regions }: Compared, batch: number): Case {
  // In its own best form: matrix products for RoIAlign and C5 take 0.70 of the operators' processor time.
  const baseline = [BASELINE, () => byProducts(options, BASELINE)] as const;
  const products = async (file: string): Promise<KernelVariant> =>
    inInt8(options, file, stem, await shape(), { separated: 'spectral', regions });
  const plain = [`${BASELINE}-ops`, () => byOperators(options, `${BASELINE}-ops`)] as const;
  return {
    name,
    batch,
    against: BASELINE,
    direct,
    variants: [
      baseline,
      ...(name === 'framework1' ? [plain] : []),
      ['spectral', (file) => inForms(options, file, `${stem} spectral`, { separated: 'spectral', regions })],
      ['int8', async (file) => inInt8(options, file, stem, await shape())],
      ['int8-spectral', async (file) => inInt8(options, file, stem, await shape(), { separated: 'spectral' })],
      ...(regions === 'gemm' ? [['int8-spectral-gemm', products] as const] : []),
      ['mixed', async (file) => mixed(options, file, stem, await shape())],
      ['tuned', (file) => tuned(options, file, stem, batch)],
    ],
    // The baseline runs one frame at a time, whatever the others do: ratios are by frame.
    shapeOf: async (variant) => (isBaseline(variant) ? baselineShape(1) : { ...(await shape()), batch }),
  };
}

function onProvider(
  provider: Provider,
  options: BuildOptions,
  { name, stem, direct, shape, regions }: Compared,
  batch: number,
): Case {
  const half = (file: string): Promise<KernelVariant> => inFloat16(options, file, stem);
  return {
    name,
    batch,
    against: BASELINE,
    direct,
    variants: [
      [BASELINE, () => byOperators(options, BASELINE)],
      [`${BASELINE}-gemm`, () => byProducts(options, `${BASELINE}-gemm`)],
      ['separated', (file) => inForms(options, file, `${stem} separated`, { separated: 'spectral' })],
      ['spectral', (file) => inForms(options, file, `${stem} spectral`, { separated: 'spectral', regions })],
      // On the processor, float16 is turned into float32 at every layer: nothing to win.
      ...(provider === 'cpu' ? [] : [['float16', half] as const]),
    ],
    shapeOf: async (variant) => (isBaseline(variant) ? baselineShape(batch) : { ...(await shape()), batch }),
  };
}

export const isBaseline = (variant: string): boolean => variant.startsWith(BASELINE);

/**
 * @param only  `case` or `case/variant`; empty: all
 * @throws InputError for a name that no case or variant bears
 */
export function chosen(all: readonly Case[], only: readonly string[]): Case[] {
  const names = all.flatMap(({ name, variants }) => [name, `${name}/direct`, ...variants.map(([v]) => `${name}/${v}`)]);
  const unknown = only.find((name) => !names.includes(name));
  if (unknown) throw new InputError(`--only names ${unknown}; known are ${[...new Set(names)].join(', ')}`);
  if (only.length === 0) return [...all];
  return all
    .filter(({ name }) => only.some((one) => one.split('/')[0] === name))
    .map((one) => ({
      ...one,
      // What ratios are against is always there.
      variants: one.variants.filter(
        ([name]) => name === one.against || only.includes(one.name) || only.includes(`${one.name}/${name}`),
      ),
    }));
}
