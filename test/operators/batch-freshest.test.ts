import fc from 'fast-check';
import { NEVER, of, Subject, throwError, VirtualTimeScheduler } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { batchFreshest, type FrameBatch } from '../../operators/batch-freshest.js';
import type { Frame } from '../../operators/types.js';
import { testFrame } from './support-frames.js';

const names = (batch: FrameBatch): string[] => batch.frames.map((frame) => `${frame.camera}${frame.index}`);

function setup(options: Partial<Parameters<typeof batchFreshest>[0]> = {}) {
  const scheduler = new VirtualTimeScheduler();
  const frames = new Subject<Frame>();
  const batches: FrameBatch[] = [];
  const dropped: string[] = [];
  let completed = false;
  const subscription = frames
    .pipe(
      batchFreshest({
        maxBatch: 2,
        maxWaitMs: 20,
        workers: 1,
        onDrop: (frame) => dropped.push(`${frame.camera}${frame.index}`),
        scheduler,
        ...options,
      }),
    )
    .subscribe({ next: (batch) => batches.push(batch), complete: () => (completed = true) });
  return { scheduler, frames, batches, dropped, subscription, completed: () => completed };
}

describe('batchFreshest', () => {
  it('sends a lone frame at once while a worker is idle', () => {
    const { frames, batches } = setup();
    frames.next(testFrame('a', 0));
    expect(batches.map(names)).toEqual([['a0']]);
  });

  it('fills the next batch while the worker is busy and sends it when full', () => {
    const { frames, batches } = setup();
    frames.next(testFrame('a', 0));
    frames.next(testFrame('a', 1));
    expect(batches).toHaveLength(1);
    frames.next(testFrame('b', 0));
    expect(batches.map(names)).toEqual([['a0'], ['a1', 'b0']]);
  });

  it('sends an unfilled batch when its first frame has waited maxWaitMs, not before', () => {
    const { frames, batches, scheduler } = setup();
    frames.next(testFrame('a', 0));
    frames.next(testFrame('a', 1));
    scheduler.maxFrames = 19;
    scheduler.flush();
    expect(batches).toHaveLength(1);
    scheduler.maxFrames = 20;
    scheduler.flush();
    expect(batches.map(names)).toEqual([['a0'], ['a1']]);
  });

  it('keeps only the freshest frame of a live camera, releases and reports the stale one', () => {
    const { frames, batches, dropped } = setup({ maxBatch: 4 });
    const stale = testFrame('a', 1);
    frames.next(testFrame('x', 0));
    frames.next(stale);
    frames.next(testFrame('b', 0));
    frames.next(testFrame('a', 2));
    expect(dropped).toEqual(['a1']);
    expect(stale.released()).toBe(1);
    batches[0]!.done();
    expect(names(batches[1]!)).toEqual(['a2', 'b0']);
  });

  it('never holds more batches in flight than workers + 1, and a fast camera cannot starve a slow one', () => {
    const { frames, batches } = setup({ maxBatch: 1 });
    for (const index of [0, 1, 2]) frames.next(testFrame('a', index));
    frames.next(testFrame('b', 0));
    frames.next(testFrame('a', 3));
    expect(batches.map(names)).toEqual([['a0'], ['a1']]);
    batches[0]!.done();
    batches[0]!.done(); // a second call gives no second credit
    expect(batches.map(names)).toEqual([['a0'], ['a1'], ['a3']]);
    batches[1]!.done();
    expect(names(batches[3]!)).toEqual(['b0']);
  });

  it('loses no frame of a file and keeps their order', () => {
    const { frames, batches, dropped } = setup();
    for (let index = 0; index < 5; index++) frames.next(testFrame('f', index, { droppable: false }));
    frames.complete();
    for (let sent = 0; sent < batches.length; sent++) batches[sent]!.done();
    expect(batches.flatMap(names)).toEqual(['f0', 'f1', 'f2', 'f3', 'f4']);
    expect(dropped).toEqual([]);
  });

  it('completes only after the last waiting frame has left', () => {
    const { frames, batches, completed } = setup({ maxBatch: 1 });
    for (const camera of ['a', 'b', 'c']) frames.next(testFrame(camera, 0));
    frames.complete();
    expect(completed()).toBe(false);
    batches[0]!.done();
    expect(batches).toHaveLength(3);
    expect(completed()).toBe(true);
  });

  it('releases what waits when it is unsubscribed early', () => {
    const { frames, subscription } = setup();
    const waiting = testFrame('a', 1);
    frames.next(testFrame('a', 0));
    frames.next(waiting);
    subscription.unsubscribe();
    expect(waiting.released()).toBe(1);
  });

  it('emits nothing for a silent source, completes with an empty one, passes an error on', () => {
    const options = { maxBatch: 2, maxWaitMs: 20, workers: 1 };
    const seen: string[] = [];
    NEVER.pipe(batchFreshest(options))
      .subscribe(() => seen.push('value'))
      .unsubscribe();
    of<Frame>()
      .pipe(batchFreshest(options))
      .subscribe({ complete: () => seen.push('complete') });
    throwError(() => new Error('lost'))
      .pipe(batchFreshest(options))
      .subscribe({ error: (cause: Error) => seen.push(cause.message) });
    expect(seen).toEqual(['complete', 'lost']);
  });

  it('accounts for every frame: sent, dropped or still waiting, each camera at most once a batch', () => {
    const step = fc.oneof(
      fc.record({ camera: fc.constantFrom('a', 'b', 'c'), droppable: fc.boolean() }),
      fc.constant('done' as const),
      fc.constant('wait' as const),
    );
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 80 }),
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 3 }),
        (steps, maxBatch, workers) => {
          const { frames, batches, dropped, scheduler } = setup({ maxBatch, workers });
          let given = 0;
          let returned = 0;
          for (const [index, action] of steps.entries()) {
            if (action === 'done') batches[returned]?.done();
            if (action === 'done' && returned < batches.length) returned++;
            else if (action === 'wait') {
              scheduler.maxFrames += 20;
              scheduler.flush();
            } else if (typeof action === 'object') {
              given++;
              frames.next(testFrame(action.camera, index, { droppable: action.camera !== 'c' || action.droppable }));
            }
            expect(batches.length - returned).toBeLessThanOrEqual(workers + 1);
          }
          frames.complete();
          while (returned < batches.length) batches[returned++]!.done();
          for (const batch of batches) {
            expect(batch.frames.length).toBeLessThanOrEqual(maxBatch);
            expect(new Set(batch.frames.map((frame) => frame.camera)).size).toBe(batch.frames.length);
          }
          expect(batches.flatMap(names).length + dropped.length).toBe(given);
        },
      ),
    );
  });
});
