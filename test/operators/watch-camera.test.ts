import { EMPTY, map, NEVER, of, Subject, throwError } from 'rxjs';
import { TestScheduler } from 'rxjs/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import type { TrackableFrame } from '../../operators/track-instances.js';
import type { DetectedFrame } from '../../operators/types.js';
import { watchCamera } from '../../operators/watch-camera.js';
import { look, lookMoved, wallOf } from './camera/world.js';
import { detectedFrame } from './support-frames.js';

const here = look(wallOf(1));
const aside = lookMoved(wallOf(1), 63, 0);
const elsewhere = look(wallOf(2));
const frame = (index: number, thumbnail?: DetectedFrame['thumbnail'], epoch = 0): DetectedFrame =>
  detectedFrame('gate', index, { epoch, ...(thumbnail && { thumbnail }) });
/** `2:63` for a frame that the camera moved by so many pixels to, `2:cut`, `2` for neither. */
const brief = ({ index, cameraMotion, cut }: TrackableFrame): string =>
  `${index}${cameraMotion ? `:${Math.round(cameraMotion[2])}` : ''}${cut ? ':cut' : ''}`;

describe('watchCamera', () => {
  let scheduler: TestScheduler;
  beforeEach(() => {
    scheduler = new TestScheduler((actual, expected) => expect(actual).toEqual(expected));
  });

  it('says nothing while the camera says nothing', () => {
    scheduler.run(({ expectObservable }) => {
      expectObservable(NEVER.pipe(watchCamera())).toBe('');
    });
  });

  it('completes at once without frames', () => {
    scheduler.run(({ expectObservable }) => {
      expectObservable(EMPTY.pipe(watchCamera())).toBe('|');
    });
  });

  it('tells motion and cut with the frame that shows them, at once', () => {
    scheduler.run(({ cold, expectObservable }) => {
      const frames = { a: frame(0, here), b: frame(1, here), c: frame(2, aside), d: frame(3, elsewhere) };
      const expected = { a: '0', b: '1', c: '2:63', d: '3:cut' };
      expectObservable(cold('a-b-c-d|', frames).pipe(watchCamera(), map(brief))).toBe('a-b-c-d|', expected);
    });
  });

  it('hands an error on', () => {
    scheduler.run(({ expectObservable }) => {
      expectObservable(throwError(() => 'lost').pipe(watchCamera())).toBe('#', undefined, 'lost');
    });
  });

  it('follows an endless source and lets go when nobody listens', () => {
    const frames = new Subject<DetectedFrame>();
    let last = '';
    const subscription = frames.pipe(watchCamera(), map(brief)).subscribe((one) => {
      last = one;
    });
    for (let index = 0; index < 5000; index++) frames.next(frame(index, here));
    expect(last).toBe('4999');
    subscription.unsubscribe();
    expect(frames.observed).toBe(false);
  });

  it('compares across frames without a thumbnail, never across epochs, and for each subscriber anew', () => {
    const watched = of(frame(0, here), frame(1), frame(2, aside), frame(3, elsewhere, 1)).pipe(
      watchCamera(),
      map(brief),
    );
    for (let run = 0; run < 2; run++) {
      const seen: string[] = [];
      watched.subscribe((one) => seen.push(one));
      expect(seen).toEqual(['0', '1', '2:63', '3']);
    }
  });

  it('keeps the thumbnail to itself', () => {
    of(frame(0, here), frame(1, aside))
      .pipe(watchCamera())
      .subscribe((one) => expect(one).not.toHaveProperty('thumbnail'));
    expect.assertions(2);
  });
});
