import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { layoutsFor, nameForms, type Sample } from '../../../models/tuning/candidate.js';
import { type ChoiceRule, choose } from '../../../models/tuning/choose.js';
import { race, type Standing } from '../../../models/tuning/race.js';

const RULE: ChoiceRule = { margin: 0.05, least: 3, clear: 1.5, mostBytes: 1e9 };
const sample = (msPerFrame: number, peakBytes = 1e6): Sample => ({
  msPerFrame,
  runMs: msPerFrame,
  cpuMs: msPerFrame,
  peakBytes,
  agreement: 1,
});
const standing = (candidate: string, times: readonly number[], left?: string): Standing<string> => ({
  candidate,
  samples: times.map((ms) => sample(ms)),
  ...(left !== undefined && { left }),
});
const chosen = (standings: readonly Standing<string>[], rule = RULE): string =>
  choose(standings, rule).find((verdict) => verdict.chosen)!.candidate;
const whyOf = (standings: readonly Standing<string>[], name: string, rule = RULE): string | undefined =>
  choose(standings, rule).find(({ candidate }) => candidate === name)!.why;

describe('choose', () => {
  it('takes what is clearly faster, and says how much', () => {
    const verdicts = choose([standing('direct', [100, 102, 98]), standing('other', [50, 51, 49])], RULE);
    expect(verdicts.map(({ chosen: one }) => one)).toEqual([false, true]);
    expect(verdicts[1]!.ratio).toBeCloseTo(2, 2);
    expect(verdicts[1]!.medianMs).toBe(50);
    expect(verdicts[1]!.minMs).toBe(49);
  });

  it('one look is enough where clock and processor time both say so clearly, and only there', () => {
    const direct = standing('direct', [6000]);
    expect(chosen([direct, standing('other', [3300])])).toBe('other');
    expect(chosen([direct, standing('other', [4500])])).toBe('direct');
    expect(whyOf([direct, standing('other', [4500])], 'other')).toMatch(/1 of 3 looks/);
    // The clock alone: the reference met a hiccup, its processor time did not.
    const hiccup = { candidate: 'other', samples: [{ ...sample(3300), cpuMs: 5800 }] };
    expect(chosen([direct, hiccup])).toBe('direct');
    expect(chosen([direct, { candidate: 'other', samples: [] }])).toBe('direct');
    expect(chosen([standing('direct', [6000, 6000]), standing('other', [3000, 4500])])).toBe('direct');
  });

  it('direct wins ties, and everything inside the margin is one', () => {
    expect(chosen([standing('direct', [100, 100, 100]), standing('other', [100, 100, 100])])).toBe('direct');
    expect(chosen([standing('direct', [100, 100, 100]), standing('other', [96, 96, 96])])).toBe('direct');
    expect(chosen([standing('direct', [100, 100, 100]), standing('other', [94, 94, 94])])).toBe('other');
  });

  it('of several that win, the first within the margin of the fastest is taken', () => {
    const field = [
      standing('direct', [100, 100, 100]),
      standing('simple', [51, 51, 51]),
      standing('odd', [50, 50, 50]),
    ];
    expect(chosen(field)).toBe('simple');
    expect(whyOf(field, 'odd')).toContain('no faster than a simpler one');
    const clear = [
      standing('direct', [100, 100, 100]),
      standing('simple', [60, 60, 60]),
      standing('odd', [50, 50, 50]),
    ];
    expect(chosen(clear)).toBe('odd');
    expect(whyOf(clear, 'simple')).toBe('another is faster');
  });

  it('a drift of the machine that hits all alike changes nothing', () => {
    // Everything three times as slow in the last rounds: the ratio inside a round stays.
    expect(chosen([standing('direct', [100, 300, 300]), standing('other', [80, 240, 240])])).toBe('other');
    // The other was only lucky in one round.
    expect(chosen([standing('direct', [300, 100, 100]), standing('other', [100, 100, 100])])).toBe('direct');
  });

  it('wants three of four rounds won, not the median alone', () => {
    const field = [standing('direct', [100, 100, 100, 100, 100]), standing('other', [80, 80, 80, 120, 120])];
    expect(chosen(field)).toBe('direct');
    expect(whyOf(field, 'other')).toContain('noise');
  });

  it('too few looks, a failure and too much memory each rule out', () => {
    expect(chosen([standing('direct', [100, 100]), standing('other', [80, 80])])).toBe('direct');
    expect(whyOf([standing('direct', [100, 100]), standing('other', [80, 80])], 'other')).toContain('2 of 3 looks');
    expect(chosen([standing('direct', [100, 100, 100]), standing('other', [10, 10, 10], 'it crashed')])).toBe('direct');
    const big: Standing<string> = { candidate: 'big', samples: [10, 10, 10].map((ms) => sample(ms, 2e9)) };
    expect(chosen([standing('direct', [100, 100, 100]), big])).toBe('direct');
    expect(whyOf([standing('direct', [100, 100, 100]), big], 'big')).toBe(
      'takes 2000 MB, more than the 1000 MB allowed',
    );
  });

  it('never takes what is slower than the reference in the median, whatever the times', () => {
    const times = fc.array(fc.double({ min: 1, max: 1000, noNaN: true }), { minLength: 3, maxLength: 7 });
    fc.assert(
      fc.property(times, fc.array(times, { minLength: 1, maxLength: 4 }), (reference, others) => {
        const verdicts = choose(
          [
            standing('direct', reference),
            ...others.map((ms, i) => standing(`other${i}`, ms.slice(0, reference.length))),
          ],
          RULE,
        );
        const best = verdicts.find((verdict) => verdict.chosen)!;
        expect(verdicts.filter((verdict) => verdict.chosen)).toHaveLength(1);
        expect(best.candidate === 'direct' || best.ratio >= 1 + RULE.margin).toBe(true);
      }),
      { seed: 18 },
    );
  });
});

describe('race', () => {
  /** A clock that each look moves on by its time. */
  const laboratory = (times: Readonly<Record<string, (round: number) => number>>) => {
    const looked: string[] = [];
    let clock = 0;
    return {
      looked,
      now: () => clock,
      measure: async (candidate: string): Promise<Sample> => {
        const ms = times[candidate]!(looked.filter((one) => one === candidate).length);
        looked.push(candidate);
        clock += ms;
        return sample(ms);
      },
    };
  };

  it('looks in turn, and begins each round one place further on', async () => {
    const { looked, now, measure } = laboratory({ a: () => 1, b: () => 1, c: () => 1 });
    await race(['a', 'b', 'c'], { measure, now, rounds: 3, until: Number.POSITIVE_INFINITY });
    expect(looked.join('')).toBe('abcbcacab');
  });

  it('stops looking when the time is over, and keeps what it has', async () => {
    const { looked, now, measure } = laboratory({ a: () => 10, b: () => 10 });
    const standings = await race(['a', 'b'], { measure, now, rounds: 5, until: 25 });
    expect(looked.join('')).toBe('abb');
    expect(standings.map(({ samples }) => samples.filter(Boolean).length)).toEqual([1, 2]);
    expect(chosen(standings)).toBe('a');
  });

  it('a look that the end of the time cuts off is no failure', async () => {
    let clock = 0;
    const standings = await race(['a', 'b'], {
      measure: async (candidate) => {
        clock += 10;
        if (candidate === 'b') throw new Error('killed');
        return sample(10);
      },
      now: () => clock,
      rounds: 5,
      until: 20,
    });
    expect(standings[1]).toEqual({ candidate: 'b', samples: [] });
  });

  it('a hopeless candidate leaves after one look, a slow one after two, the reference never', async () => {
    const { looked, now, measure } = laboratory({ a: () => 100, b: () => 50, c: () => 15, d: () => 10 });
    const standings = await race(['a', 'b', 'c', 'd'], { measure, now, rounds: 5, until: Number.POSITIVE_INFINITY });
    const looksAt = (name: string): number => looked.filter((one) => one === name).length;
    expect(['a', 'b', 'c', 'd'].map(looksAt)).toEqual([5, 1, 2, 5]);
    expect(standings[1]!.left).toBe("5.0 times the fastest's time after 1 look");
    expect(standings[2]!.left).toBe("1.5 times the fastest's time after 2 looks");
  });

  it('a candidate that fails is out with its reason; the others go on', async () => {
    const { now, measure } = laboratory({ a: () => 10, c: () => 5 });
    const failing = async (candidate: string): Promise<Sample> => {
      if (candidate === 'b') throw new Error('out of memory');
      return await measure(candidate);
    };
    const standings = await race(['a', 'b', 'c'], { measure: failing, now, rounds: 3, until: 1e9 });
    expect(standings[1]).toMatchObject({ samples: [], left: 'out of memory' });
    expect(chosen(standings)).toBe('c');
  });

  it('without a reference there is no race', async () => {
    const standings = await race(['a', 'b'], {
      measure: async (candidate) => {
        if (candidate === 'a') throw new Error('no');
        return sample(1);
      },
      now: () => 0,
      rounds: 4,
      until: 1,
    });
    expect(standings[1]!.samples).toHaveLength(1);
    const [reference] = choose(standings, RULE);
    expect(reference).toMatchObject({ chosen: true, n: 0, why: 'no' });
  });
});

describe('names and layouts', () => {
  it('name the forms in one order', () => {
    expect(nameForms({})).toBe('direct');
    expect(nameForms({ separated: 'spectral', roi: 'gemm' })).toBe('roi=gemm+separated=spectral');
  });

  it('split the cores from as many workers as may be down to one', () => {
    expect(layoutsFor(2, 8)).toEqual([
      { workers: 2, threads: 1 },
      { workers: 1, threads: 2 },
    ]);
    expect(layoutsFor(1, 8)).toEqual([{ workers: 1, threads: 1 }]);
    expect(layoutsFor(16, 8).map(({ workers, threads }) => `${workers}x${threads}`)).toEqual([
      '8x2',
      '4x4',
      '2x8',
      '1x16',
    ]);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 256 }), (cores) => {
        for (const { workers, threads } of layoutsFor(cores, 8)) {
          expect(workers * threads).toBeLessThanOrEqual(cores);
          expect(threads).toBeGreaterThanOrEqual(1);
        }
      }),
      { seed: 18 },
    );
  });
});
