import { totalmem } from 'node:os';
import { agreement } from './agree.js';
import type { Budget } from './budget.js';
import { type Candidate, type FormNames, nameForms, PRECISION } from './candidate.js';
import { type ChoiceRule, choose, type Verdict } from './choose.js';
import type { ProbeAnswer } from './probe-messages.js';
import { race } from './race.js';

const ROUNDS = 5;
/** A candidate must win this much: medians of equal ones differ by up to 3 % on a quiet machine. */
const MARGIN = 0.05;
/** Looks that a choice rests on. */
export const LEAST_LOOKS = 3;
/** Below it, a form does not compute what the direct form computes. */
const LEAST_AGREEMENT = 0.95;
/** A candidate may take this share of the machine's memory: ffmpeg, clips and other programs need the rest. */
const MEMORY_SHARE = 0.5;
/** No hiccup of a shared machine is this large in processor time as well. */
const CLEAR = 1.5;
const RULE: ChoiceRule = { margin: MARGIN, least: LEAST_LOOKS, clear: CLEAR, mostBytes: totalmem() * MEMORY_SHARE };

/** Measures a candidate once. */
export type Look = (candidate: Candidate) => Promise<ProbeAnswer>;

export interface BatchOptions {
  readonly look: Look;
  readonly clock: Budget;
  readonly layouts: readonly Pick<Candidate, 'workers' | 'threads'>[];
  readonly forms: readonly FormNames[];
  readonly batch: number;
}

export interface BatchTuning {
  readonly verdicts: readonly Verdict<Candidate>[];
  readonly winner: Verdict<Candidate>;
  /** Of the reference's time to the winner's, in the rounds of the race that decided. */
  readonly ratio: number;
  /** The fewer of the looks that the reference had in each race. */
  readonly looks: number;
}

/** Candidates of both races for one batch, at most. */
export function candidatesOf(forms: number, layouts: number): number {
  const first = forms > 1 || layouts === 1 ? forms : 0;
  // The second has the direct form beside the layouts of the one that won.
  const second = layouts > 1 ? layouts + (forms > 1 ? 1 : 0) : 0;
  return first + second;
}

/**
 * Both races for one batch: forms, then layouts of the form that won. The reference of both is the direct form in the default
 * layout: a form that won the first by luck must win the second as well, or direct stays.
 */
export async function tuneBatch({ look, clock, layouts, forms, batch }: BatchOptions): Promise<BatchTuning> {
  let truth: ProbeAnswer | undefined;
  const run = async (candidates: readonly Candidate[]): Promise<Verdict<Candidate>[]> => {
    const rounds = candidates.length > 1 ? ROUNDS : LEAST_LOOKS;
    let looks = 0;
    const standings = await race(candidates, {
      measure: async (candidate) => {
        const answer = await look(candidate);
        truth ??= answer;
        return { ...answer.sample, agreement: mustAgree(candidate, answer, truth) };
      },
      rounds,
      until: clock.until(candidates.length),
      now: clock.now,
      onLook: () => {
        looks++;
        clock.did(1 / rounds);
      },
    });
    clock.did(candidates.length - looks / rounds);
    return choose(standings, RULE);
  };
  const [layout, ...others] = layouts;
  const reference: Candidate = { forms: {}, ...layout!, batch };
  // A model without other forms needs the second race only; where there is one layout, the first only.
  const first =
    forms.length > 1 || others.length === 0 ? await run(forms.map((one) => ({ ...reference, forms: one }))) : [];
  const best = first.find(({ chosen }) => chosen);
  if (best && (others.length === 0 || best.n === 0))
    return { verdicts: first, winner: best, ratio: best.ratio, looks: first[0]!.n };
  const form = best?.candidate ?? reference;
  // Direct in the default layout stays the reference, so what is chosen in the end has beaten it inside the same rounds.
  const inForm = nameForms(form.forms) === nameForms(reference.forms) ? [] : [form];
  if (best && inForm.length === 0) clock.did(1); // Was planned.
  const second = await run([reference, ...inForm, ...others.map((other) => ({ ...form, ...other }))]);
  const verdicts = [...first, ...second];
  const looks = Math.min(first[0]?.n ?? LEAST_LOOKS, second[0]!.n);
  // Time that ended in the middle leaves the first race's winner, which was measured against direct too.
  const ended = best !== undefined && second[0]!.n < LEAST_LOOKS;
  const winner = ended ? best : second.find(({ chosen }) => chosen)!;
  return { verdicts, winner, ratio: winner.ratio, looks };
}

/**
 * @returns share of agreement with the direct form
 * @throws Error when a form that should compute the same does not
 */
function mustAgree({ forms }: Candidate, answer: ProbeAnswer, truth: ProbeAnswer): number {
  const share = agreement(truth.found, answer.found);
  if (share < LEAST_AGREEMENT && !(PRECISION in forms))
    throw new Error(`its result differs: ${(100 * share).toFixed(0)} % of the instances agree with the direct form's`);
  return share;
}
