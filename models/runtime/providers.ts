import type { ModelProvider } from './model.js';

/** ONNX Runtime's own name of each provider. */
const ORT_NAMES: Readonly<Record<Exclude<ModelProvider, 'auto'>, string>> = {
  cpu: 'cpu',
  webgpu: 'webgpu',
  cuda: 'cuda',
  tensorrt: 'tensorrt',
  coreml: 'coreml',
  directml: 'dml',
};

/** A provider that may be tried, or the reason why not. */
export type ProviderChoice =
  | { readonly provider: Exclude<ModelProvider, 'auto'>; readonly ortName: string }
  | { readonly provider: Exclude<ModelProvider, 'auto'>; readonly skipped: string };

/**
 * Which providers to try, fastest first. A named one is the only one: a fallback that nobody asked for would hide a broken
 * installation. `auto` ends with `cpu`, which is always there. It leaves out TensorRT (builds engines for minutes at the
 * first start) and WebGPU (without a real adapter it takes seconds a frame, or the process down): both by name only.
 *
 * @param listed     names that the binding lists (`listSupportedBackends`)
 * @param installed  whether the library of a provider that is not part of the package is there
 */
export function providersToTry(
  asked: ModelProvider,
  listed: readonly string[],
  installed: (ortName: string) => boolean,
): readonly ProviderChoice[] {
  if (asked !== 'auto') return [choice(asked, listed, installed)];
  const able = (['cuda', 'coreml', 'directml'] as const).filter((provider) => listed.includes(ORT_NAMES[provider]));
  return [...able, 'cpu' as const].map((provider) => choice(provider, listed, installed));
}

function choice(
  provider: Exclude<ModelProvider, 'auto'>,
  listed: readonly string[],
  installed: (ortName: string) => boolean,
): ProviderChoice {
  const ortName = ORT_NAMES[provider];
  if (!listed.includes(ortName))
    return { provider, skipped: 'the ONNX Runtime package for this system does not have it' };
  if (!installed(ortName)) return { provider, skipped: 'its ONNX Runtime library is not installed' };
  return { provider, ortName };
}
