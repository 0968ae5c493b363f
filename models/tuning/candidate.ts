/** Names of the form that each part of a network is computed in, such as `{ separated: 'spectral' }`; parts left out: directly. */
export type FormNames = Readonly<Record<string, string>>;

/** A way to run a model. */
export interface Candidate {
  readonly forms: FormNames;
  readonly workers: number;
  /** Threads inside each worker's session. */
  readonly threads: number;
  /** Frames a run. */
  readonly batch: number;
}

/** What one look at a candidate gave. */
export interface Sample {
  /** Time of the clock for one frame while every worker is busy, ms. */
  readonly msPerFrame: number;
  /** Time of one run, ms: what a frame waits at least. */
  readonly runMs: number;
  /** Time of all cores together for one frame, ms: what other programs are kept from. */
  readonly cpuMs: number;
  /** Largest memory of a process with all the workers, bytes. */
  readonly peakBytes: number;
  /** Share of the instances that this form and the direct one agree on, 0…1. */
  readonly agreement: number;
}

/** The part that stands for numbers of 8 bits in the whole network; such a form does not compute the same. */
export const PRECISION = 'precision';

/** `direct`, `separated=spectral`, `separated=spectral+roi=gemm` */
export function nameForms(forms: FormNames): string {
  const parts = Object.entries(forms)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([part, form]) => `${part}=${form}`);
  return parts.join('+') || 'direct';
}

/** `separated=spectral, 2x1 (workers x threads), batch 4` */
export function nameCandidate({ forms, workers, threads, batch }: Candidate): string {
  return `${nameForms(forms)}, ${workers}x${threads} (workers x threads), batch ${batch}`;
}

/** Every split of the cores between workers and their threads, most workers first: 4 → 4×1, 2×2, 1×4. */
export function layoutsFor(cores: number, mostWorkers: number): { workers: number; threads: number }[] {
  const splits: { workers: number; threads: number }[] = [];
  for (let workers = Math.min(cores, mostWorkers); ; workers = Math.ceil(workers / 2)) {
    splits.push({ workers, threads: Math.max(1, Math.floor(cores / workers)) });
    if (workers === 1) return splits;
  }
}
