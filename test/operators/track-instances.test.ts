import { EMPTY, map, NEVER, of, Subject, throwError } from 'rxjs';
import { TestScheduler } from 'rxjs/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import { trackInstances } from '../../operators/track-instances.js';
import type { DetectedFrame, TrackedFrame } from '../../operators/types.js';
import { detectedFrame } from './support-frames.js';

const car = { label: 'car', score: 0.98, box: [10, 10, 50, 40] as const };
const frame = (index: number, more: Partial<DetectedFrame> = {}): DetectedFrame =>
  detectedFrame('gate', index, { detections: [car], ...more });
const track = () => trackInstances({ idPrefix: 'gate-x', now: () => 0 });
/** `0:gate-x-1` for instances, `2!gate-x-1 closed` for the end of a track. */
const brief = ({ index, instances, ended }: TrackedFrame): string =>
  [...instances.map(({ id }) => `${index}:${id}`), ...ended.map(({ id, reason }) => `${index}!${id} ${reason}`)].join(
    ' ',
  ) || `${index}`;

describe('trackInstances', () => {
  let scheduler: TestScheduler;
  beforeEach(() => {
    scheduler = new TestScheduler((actual, expected) => expect(actual).toEqual(expected));
  });

  it('says nothing while the camera says nothing', () => {
    scheduler.run(({ expectObservable }) => {
      expectObservable(NEVER.pipe(track())).toBe('');
    });
  });

  it('completes at once without frames', () => {
    scheduler.run(({ expectObservable }) => {
      expectObservable(EMPTY.pipe(track())).toBe('|');
    });
  });

  it('gives each frame its instances at once, and ends what is open when the camera ends', () => {
    scheduler.run(({ cold, expectObservable }) => {
      const frames = cold('a-b-c-|', { a: frame(0), b: frame(1), c: frame(2) });
      const expected = { a: '0', b: '1:gate-x-1', c: '2:gate-x-1', d: '2!gate-x-1 closed' };
      expectObservable(frames.pipe(track(), map(brief))).toBe('a-b-c-(d|)', expected);
    });
  });

  it('hands an error on', () => {
    scheduler.run(({ expectObservable }) => {
      expectObservable(throwError(() => 'lost').pipe(track())).toBe('#', undefined, 'lost');
    });
  });

  it('fails with a clear error when time does not rise, and lets go of the source', () => {
    const frames = new Subject<DetectedFrame>();
    let failure: unknown;
    frames.pipe(track()).subscribe({
      error: (cause: unknown) => {
        failure = cause;
      },
    });
    frames.next(frame(1));
    frames.next(frame(1));
    expect(failure).toBeInstanceOf(RangeError);
    expect(frames.observed).toBe(false);
  });

  it('follows an endless source without growing, and lets go when nobody listens', () => {
    const frames = new Subject<DetectedFrame>();
    let last: TrackedFrame | undefined;
    const subscription = frames.pipe(track()).subscribe((tracked) => {
      last = tracked;
    });
    for (let index = 0; index < 20_000; index++) frames.next(frame(index));
    expect(last?.instances.map(({ id }) => id)).toEqual(['gate-x-1']);
    subscription.unsubscribe();
    expect(frames.observed).toBe(false);
  });

  it('keeps a tracker for each subscriber', () => {
    const tracked = of(frame(0), frame(1)).pipe(track());
    const runs = [0, 1].map(() => {
      const seen: string[] = [];
      tracked.subscribe((one) => seen.push(brief(one)));
      return seen;
    });
    expect(runs[0]).toEqual(['0', '1:gate-x-1', '1!gate-x-1 closed']);
    expect(runs[1]).toEqual(runs[0]);
  });

  it('tells latency from the first byte to the end of tracking', () => {
    let clock = 1000;
    const seen: TrackedFrame[] = [];
    const now = (): number => {
      clock += 2;
      return clock;
    };
    of(frame(0, { receivedMs: 970, captureMs: 5, queueMs: 3, detectMs: 20 }))
      .pipe(trackInstances({ idPrefix: 'x', now }))
      .subscribe((tracked) => seen.push(tracked));
    expect(seen[0]!.latency).toEqual({ capture: 5, queue: 3, detect: 20, track: 2, total: 5 + 1004 - 970 });
  });

  it('takes a hard cut from the capture side', () => {
    const seen: string[] = [];
    of(frame(0), frame(1), { ...frame(2), cut: true })
      .pipe(track())
      .subscribe((tracked) => seen.push(brief(tracked)));
    expect(seen.at(-1)).toBe('2!gate-x-1 cut');
  });
});
