import { InputError } from '../../config/errors.js';
import type { GraphBuilder, Value } from '../onnx/graph-builder.js';
import type { OnnxModel } from '../onnx/model.js';
import { transpose } from '../onnx/ops/layout.js';
import { onnxTensors } from '../weights/onnx-store.js';
import { storedWeights } from '../weights/source.js';
import { gatheredClass } from './gathered-class.js';
import { alignByOperator, alignByProducts, withoutSpare, withSpare } from './region-align.js';
import { type RegionLayers, regionLayers } from './region-layers.js';
import { maskLogits, pooled } from './region-tail.js';
import { replaceValues, type ValueNamed } from './replace-values.js';
import { type BoxSite, type MaskSite, Sites } from './sites.js';
import { spectralSeparated } from './spectral-separated.js';

/**
 * How the costly parts of a network are computed. All float forms give the same result up to rounding; the first of each list is
 * the definition, which `models/nets` builds and every runtime can run. The others need ONNX Runtime.
 */
export const FORMS = {
  /** The separated convolution: convolutions, or products in the frequency domain of its lines. */
  separated: ['direct', 'spectral'],
  /**
   * From RoIAlign to pooled features and masks: operators; operators, but only the predicted class's mask; the same with RoIAlign of
   * the proposals as interpolation matrices, which int8 files can take too; or matrix products throughout (3×3 layers in the
   * frequency domain), for the redesigned head and for C5.
   */
  regions: ['ops', 'gathered', 'aligned', 'gemm'],
} as const;

export type Part = keyof typeof FORMS;

/** A form for each part. */
export type Forms = { readonly [P in Part]: (typeof FORMS)[P][number] };

/** What `models/nets` builds. */
export const DIRECT: Forms = { separated: 'direct', regions: 'ops' };

/** Key of a file's metadata; files without it are {@link DIRECT}. */
const FORMS_KEY = 'maskcast-forms';

/**
 * The forms of a file, as `model inspect` shows them.
 *
 * @throws InputError when the note is damaged or of another version
 */
export function formsIn(file: string, metadata: Readonly<Record<string, string>>): Forms {
  const text = metadata[FORMS_KEY];
  if (text === undefined) return DIRECT;
  const named = Object.fromEntries(text.split(',').map((pair) => pair.split('=')));
  return checkedForms(named, (rule) => `${file}: its note ${FORMS_KEY} is "${text}": ${rule}; build the file again`);
}

/**
 * Forms out of names; what is not named is direct.
 *
 * @throws InputError when a part or a form is not known
 */
export function checkedForms(
  named: Readonly<Record<string, string>>,
  message = (rule: string): string => `form: ${rule}`,
): Forms {
  for (const [part, form] of Object.entries(named)) {
    if (!Object.hasOwn(FORMS, part))
      throw new InputError(message(`part "${part}" is not known; name one of: ${Object.keys(FORMS).join(', ')}`));
    const known: readonly string[] = FORMS[part as Part]; // Checked in the line above.
    if (!known.includes(form))
      throw new InputError(message(`${part} has no form "${form}"; name one of: ${known.join(', ')}`));
  }
  return { ...DIRECT, ...named };
}

/** What each form of the regions needs. */
const REGION_SITES: Readonly<Record<Forms['regions'], (sites: Sites) => unknown>> = {
  ops: () => true,
  gathered: (sites) => sites.predict(),
  aligned: (sites) => sites.proposals(),
  gemm: (sites) => sites.box() || sites.mask(),
};

/** The forms that each part of a graph can take: just the first where the network has no such part, or an unusual one. */
export function formsFor(model: OnnxModel): { readonly [P in Part]: readonly Forms[P][] } {
  const sites = new Sites(model);
  return {
    separated: FORMS.separated.slice(0, sites.separated() ? 2 : 1),
    regions: FORMS.regions.filter((form) => REGION_SITES[form](sites)),
  };
}

/**
 * The same network with parts in other forms. Everything else stays bit for bit: a quantised or trained file goes in as well
 * as a fresh one, as long as the part itself is as `models/nets` builds it. The card and its digest, which tell the weights, stay;
 * the forms are noted beside them.
 *
 * @param file  for messages
 * @throws InputError when a part has other forms already or cannot take the form
 */
export function withForms(file: string, model: OnnxModel, wanted: Partial<Forms>): OnnxModel {
  const before = formsIn(file, model.metadata);
  const forms = { ...before, ...wanted };
  const possible = formsFor(model);
  for (const part of Object.keys(FORMS) as Part[]) {
    if (forms[part] === before[part]) continue;
    if (before[part] !== DIRECT[part])
      throw new InputError(
        `${file}: ${part} is ${before[part]} already; start from a file in which it is ${DIRECT[part]}`,
      );
    if (!(possible[part] as readonly string[]).includes(forms[part]))
      throw new InputError(
        `${file}: its part ${part} cannot be ${forms[part]}; it can be ${possible[part].join(' or ')}`,
      );
  }
  const weights = storedWeights(onnxTensors(file, model), () => true);
  const made = replaceValues(model, weights, (g, valueNamed) => {
    const sites = new Sites(model);
    return {
      ...(forms.separated !== before.separated && spectral(g, sites, valueNamed)),
      ...(forms.regions !== before.regions && REGIONS[forms.regions](g, sites, valueNamed)),
    };
  });
  const note = Object.entries(forms).map((pair) => pair.join('='));
  return { ...made, metadata: { ...model.metadata, [FORMS_KEY]: note.join(',') } };
}

type Build = (g: GraphBuilder, sites: Sites, valueNamed: ValueNamed) => Record<string, Value>;

/** New nodes bear the stage of those they replace, and the form. */
const spectral: Build = (g, sites, valueNamed) => {
  const site = sites.separated()!; // withForms asked formsFor.
  return {
    [site.sum]: g.stage('separated/spectral', () => spectralSeparated(g, valueNamed(site.x), { ...site, relu: false })),
  };
};

const gathered: Build = (g, sites, valueNamed) => {
  const site = sites.predict()!; // As above.
  return {
    [site.logits]: g.stage('mask/gathered', () => gatheredClass(g, valueNamed(site.x), valueNamed(site.labels), site)),
  };
};

const aligned: Build = (g, sites, valueNamed) => {
  const site = sites.proposals()!; // As above.
  const regions = g.stage('align/aligned', () =>
    transpose(g, alignByProducts(g, valueNamed(site.map), valueNamed(site.boxes), site), [0, 3, 1, 2]),
  );
  return { [site.regions]: regions, ...(sites.predict() && gathered(g, sites, valueNamed)) };
};

const gemm: Build = (g, sites, valueNamed) => {
  const box = sites.box();
  const mask = sites.mask();
  let shared: RegionLayers | undefined;
  const layers = (site: BoxSite | MaskSite): RegionLayers => {
    shared ??= regionLayers(g, site.layers, Number(valueNamed(site.map).dims[1]));
    return shared;
  };
  const made: Record<string, Value> = {};
  if (box) {
    const regions = g.stage('align/gemm', () => alignByProducts(g, valueNamed(box.map), valueNamed(box.boxes), box));
    const features = g.stage('head/gemm', () => layers(box)(g, regions));
    made[box.vector] = g.stage('box/gemm', () => pooled(g, features, box.window));
  }
  if (mask) {
    const labels = valueNamed(mask.labels);
    const regions = g.stage('mask-align/gemm', () => {
      const [boxes, frames] = [withSpare(g, valueNamed(mask.boxes)), withSpare(g, valueNamed(mask.frames))];
      return alignByOperator(g, valueNamed(mask.map), boxes, frames, mask);
    });
    const features = g.stage('mask-head/gemm', () => layers(mask)(g, regions));
    made[mask.logits] = g.stage('mask/gemm', () =>
      withoutSpare(g, maskLogits(g, features, withSpare(g, labels), mask), labels),
    );
    return made;
  }
  return { ...made, ...(sites.predict() && gathered(g, sites, valueNamed)) };
};

const REGIONS: Readonly<Record<Forms['regions'], Build>> = { ops: () => ({}), gathered, aligned, gemm };
