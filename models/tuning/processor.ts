import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, cpus } from 'node:os';

/** What decides which form is fastest: measurements hold for one such processor only. */
export interface Processor {
  readonly model: string;
  /** The vector instructions that ONNX Runtime has kernels for, by their names in Linux; empty elsewhere. */
  readonly features: readonly string[];
  /** Cores that this process may use. */
  readonly cores: number;
}

const FEATURES = [
  'avx2',
  'fma',
  'avx512f',
  'avx512_vnni',
  'avx_vnni',
  'avx512_bf16',
  'amx_int8',
  'asimd',
  'asimddp',
  'i8mm',
  'sve',
];

/** The processor at hand. */
export function thisProcessor(): Processor {
  return processorFrom(cpuInfo(), cpus()[0]?.model ?? '', availableParallelism());
}

/**
 * @param info  `/proc/cpuinfo`, or '' where there is none
 */
export function processorFrom(info: string, model: string, cores: number): Processor {
  const flags = new Set(/^(?:flags|Features)\s*:(.*)$/m.exec(info)?.[1]?.trim().split(/\s+/) ?? []);
  return { model: model.trim() || 'unknown', features: FEATURES.filter((flag) => flags.has(flag)), cores };
}

/** `AMD EPYC (avx2 fma), 2 cores` */
export function describeProcessor({ model, features, cores }: Processor): string {
  return `${model}${features.length ? ` (${features.join(' ')})` : ''}, ${cores} ${cores === 1 ? 'core' : 'cores'}`;
}

/** `onnxruntime 1.30.0`: its kernels decide as much as the processor does. */
export function runtimeVersion(): string {
  const { version } = createRequire(import.meta.url)('onnxruntime-node/package.json') as { version: string };
  return `onnxruntime ${version}`;
}

function cpuInfo(): string {
  try {
    return readFileSync('/proc/cpuinfo', 'utf8');
  } catch {
    return ''; // Not Linux: the model's name has to do.
  }
}
