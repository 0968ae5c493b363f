import type { Sample } from './candidate.js';
import { median, type Standing } from './race.js';

/** What a race says of a candidate. */
export interface Verdict<C> {
  readonly candidate: C;
  /** Looks that count. */
  readonly n: number;
  /** ms a frame; NaN without a look. */
  readonly medianMs: number;
  readonly minMs: number;
  readonly runMs: number;
  readonly cpuMs: number;
  readonly peakBytes: number;
  /** The least of all looks. */
  readonly agreement: number;
  /** Median over the rounds of the reference's time ÷ this one's in the same round: above 1 is faster. */
  readonly ratio: number;
  readonly chosen: boolean;
  /** Why it is not the choice; of the reference only why it left the race. */
  readonly why?: string;
}

export interface ChoiceRule {
  /** Fraction that a candidate must win to be preferred: less is noise. */
  readonly margin: number;
  /** Looks that a candidate needs … */
  readonly least: number;
  /**
   * … unless each that it had was so many times as fast as the reference's, by the clock and in processor time: a network
   * of seconds a frame has one look in the time given, and a shared machine's hiccup takes the clock's time only.
   */
  readonly clear: number;
  /** Memory that a candidate may take, bytes. */
  readonly mostBytes: number;
}

/**
 * Picks one standing. The first, the reference, is taken unless another is faster by more than the margin, in the median of
 * the rounds and in three of four of them; of several that are, the first within the margin of the fastest. So order says
 * what is simpler, and the simpler wins ties.
 */
export function choose<C>(standings: readonly Standing<C>[], rule: ChoiceRule): Verdict<C>[] {
  const reference = standings[0]!.samples;
  const figures = standings.map(({ samples }) => ratiosTo(reference, samples));
  const ratios = figures.map((one) => median(one.map(({ clock }) => clock)));
  const objections = standings.map((standing, i) => (i === 0 ? undefined : objection(standing, figures[i]!, rule)));
  const fit = ratios.map((ratio, i) => (i > 0 && objections[i] === undefined ? ratio : 0));
  const fastest = Math.max(...fit);
  const chosen = fastest > 0 ? fit.findIndex((ratio) => ratio > 0 && ratio * (1 + rule.margin) >= fastest) : 0;
  return standings.map(({ candidate, samples, left }, i) => {
    const taken = samples.filter((sample) => sample !== undefined);
    const why = i === 0 ? left : i === chosen ? undefined : (objections[i] ?? tie(ratios[i]!, ratios[chosen]!));
    return {
      candidate,
      n: taken.length,
      medianMs: median(taken.map(({ msPerFrame }) => msPerFrame)),
      minMs: Math.min(...taken.map(({ msPerFrame }) => msPerFrame)),
      runMs: median(taken.map(({ runMs }) => runMs)),
      cpuMs: median(taken.map(({ cpuMs }) => cpuMs)),
      peakBytes: Math.max(0, ...taken.map(({ peakBytes }) => peakBytes)),
      agreement: Math.min(1, ...taken.map(({ agreement }) => agreement)),
      ratio: ratios[i]!,
      chosen: i === chosen,
      ...(why && { why }),
    };
  });
}

function objection<C>({ samples, left }: Standing<C>, ratios: readonly Ratio[], rule: ChoiceRule): string | undefined {
  if (left !== undefined) return left;
  const isClear = ratios.every(({ clock, cpu }) => Math.min(clock, cpu) >= rule.clear);
  if (ratios.length < (isClear ? 1 : rule.least))
    return `${ratios.length} of ${rule.least} looks in the time that was given`;
  const peakBytes = Math.max(...samples.flatMap((sample) => (sample ? [sample.peakBytes] : [])));
  if (peakBytes > rule.mostBytes)
    return `takes ${Math.round(peakBytes / 1e6)} MB, more than the ${Math.round(rule.mostBytes / 1e6)} MB allowed`;
  const clocks = ratios.map(({ clock }) => clock);
  const won = clocks.filter((ratio) => ratio > 1).length;
  if (median(clocks) < 1 + rule.margin || won < Math.ceil(0.75 * ratios.length))
    return 'not faster than the reference by more than noise';
  return undefined;
}

const tie = (ratio: number, best: number): string =>
  ratio < best ? 'another is faster' : 'no faster than a simpler one by more than noise';

/** Reference ÷ candidate in one round: above 1 is faster. */
interface Ratio {
  readonly clock: number;
  /** Of processor time. */
  readonly cpu: number;
}

/** For the rounds that both took part in. */
function ratiosTo(reference: readonly (Sample | undefined)[], samples: readonly (Sample | undefined)[]): Ratio[] {
  return samples.flatMap((sample, round) => {
    const base = reference[round];
    return sample && base ? [{ clock: base.msPerFrame / sample.msPerFrame, cpu: base.cpuMs / sample.cpuMs }] : [];
  });
}
