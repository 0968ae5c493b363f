import { type ClearCounts, countClear, type MotView } from './clear.js';
import { countHota, HOTA_THRESHOLDS, type HotaCounts } from './hota.js';
import { countIdentity, type IdentityCounts } from './identity.js';
import { type MotTruth, matchFrames } from './match-frames.js';
import type { MotRow } from './rows.js';

/** All counts of a sequence, or of several added up. */
export interface MotCounts {
  readonly clear: ClearCounts;
  readonly identity: IdentityCounts;
  readonly hota: HotaCounts;
  /** Frames up to the last one of the ground truth. */
  readonly frames: number;
}

/** The figures of the field; shares in percent 0…100 (MOTA may be negative), counts as integers. */
export interface MotFigures {
  readonly MOTA: number;
  readonly MOTP: number;
  readonly MOTAL: number;
  readonly IDF1: number;
  readonly IDP: number;
  readonly IDR: number;
  readonly Rcll: number;
  readonly Prcn: number;
  /** False positives per frame. */
  readonly FAR: number;
  readonly TP: number;
  readonly FP: number;
  readonly FN: number;
  readonly IDSW: number;
  readonly FM: number;
  readonly GT: number;
  readonly MT: number;
  readonly PT: number;
  readonly ML: number;
  readonly HOTA: number;
  readonly DetA: number;
  readonly AssA: number;
  readonly LocA: number;
}

/**
 * Counts of one sequence.
 *
 * @param file  name of the results, for errors
 * @throws InputError when a frame has an id twice
 */
export function countSequence(truth: MotTruth, results: readonly MotRow[], file: string, view: MotView): MotCounts {
  const lastGtFrame = truth.rows.reduce((last, row) => Math.max(last, row.frame), 0);
  // The devkit cuts results after the last frame of the ground truth; TrackEval counts them up to the sequence's length.
  const scored = matchFrames(truth, results, file, view === 'devkit' ? lastGtFrame : truth.frames);
  return {
    clear: countClear(scored, view),
    identity: countIdentity(scored),
    hota: countHota(scored),
    frames: lastGtFrame,
  };
}

/** Counts of several sequences together: figures come from summed counts, never from means of sequences. */
export function sumCounts(all: readonly MotCounts[]): MotCounts {
  return {
    clear: sumFields(all.map(({ clear }) => clear)),
    identity: sumFields(all.map(({ identity }) => identity)),
    hota: {
      tp: sumArrays(all.map(({ hota }) => hota.tp)),
      fp: sumArrays(all.map(({ hota }) => hota.fp)),
      fn: sumArrays(all.map(({ hota }) => hota.fn)),
      assSum: sumArrays(all.map(({ hota }) => hota.assSum)),
      iouSum: sumArrays(all.map(({ hota }) => hota.iouSum)),
    },
    frames: all.reduce((sum, { frames }) => sum + frames, 0),
  };
}

/** Figures from counts. A share of nothing is 0; LocA without a single match is 100, as TrackEval has it. */
export function figuresOf({ clear, identity, hota, frames }: MotCounts): MotFigures {
  const { tp, fp, fn, switches } = clear;
  const { idtp, idfp, idfn } = identity;
  const gtBoxes = tp + fn;
  const detA = HOTA_THRESHOLDS.map((_, a) => hota.tp[a]! / Math.max(1, hota.tp[a]! + hota.fn[a]! + hota.fp[a]!));
  const assA = HOTA_THRESHOLDS.map((_, a) => hota.assSum[a]! / Math.max(1, hota.tp[a]!));
  return {
    MOTA: percent(tp - fp - switches, gtBoxes),
    MOTP: percent(clear.iouSum, tp),
    MOTAL: percent(tp - fp - Math.log10(switches + 1), gtBoxes),
    IDF1: percent(idtp, idtp + 0.5 * idfp + 0.5 * idfn),
    IDP: percent(idtp, idtp + idfp),
    IDR: percent(idtp, idtp + idfn),
    Rcll: percent(tp, gtBoxes),
    Prcn: percent(tp, tp + fp),
    FAR: frames > 0 ? fp / frames : 0,
    TP: tp,
    FP: fp,
    FN: fn,
    IDSW: switches,
    FM: clear.fragments,
    GT: clear.gtTracks,
    MT: clear.mostlyTracked,
    PT: clear.partlyTracked,
    ML: clear.mostlyLost,
    HOTA: 100 * mean(HOTA_THRESHOLDS.map((_, a) => Math.sqrt(detA[a]! * assA[a]!))),
    DetA: 100 * mean(detA),
    AssA: 100 * mean(assA),
    LocA: 100 * mean(HOTA_THRESHOLDS.map((_, a) => (hota.tp[a]! > 0 ? hota.iouSum[a]! / hota.tp[a]! : 1))),
  };
}

const percent = (part: number, whole: number): number => (100 * part) / Math.max(1, whole);
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

function sumArrays(arrays: readonly Float64Array[]): Float64Array {
  return HOTA_THRESHOLDS.reduce((sum, _, a) => {
    sum[a] = arrays.reduce((total, array) => total + array[a]!, 0);
    return sum;
  }, new Float64Array(HOTA_THRESHOLDS.length));
}

function sumFields<T extends ClearCounts | IdentityCounts>(all: readonly T[]): T {
  const sum: Record<string, number> = {};
  for (const one of all) for (const [key, value] of Object.entries(one)) sum[key] = (sum[key] ?? 0) + (value as number);
  // Every field of both types is a number that adds up.
  return sum as unknown as T;
}
