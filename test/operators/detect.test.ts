import { from, Subject, toArray } from 'rxjs';
import { describe, expect, it } from 'vitest';
import type { FrameBatch } from '../../operators/batch-freshest.js';
import { detect, type FrameOutcome, isDetected } from '../../operators/detect.js';
import type { Detection, Thumbnail } from '../../operators/types.js';
import { testFrame } from './support-frames.js';

const person: Detection = { label: 'person', score: 0.9, box: [0, 0, 10, 20] };

describe('detect', () => {
  it('gives each frame its own detections, releases it and returns the credit', async () => {
    const frames = [testFrame('a', 0), testFrame('b', 7)];
    let credits = 0;
    const outcomes: FrameOutcome[] = [];
    await from([{ frames, done: () => credits++ }])
      .pipe(
        detect(
          async () => ({ detections: [[person], []], detectMs: 5 }),
          () => 12,
          () => {},
        ),
      )
      .forEach((outcome) => outcomes.push(outcome));
    expect(
      outcomes
        .filter(isDetected)
        .map(({ camera, detections, queueMs }) => ({ camera, count: detections.length, queueMs })),
    ).toEqual([
      { camera: 'a', count: 1, queueMs: 12 },
      { camera: 'b', count: 0, queueMs: 12 },
    ]);
    expect(frames.map((frame) => frame.released())).toEqual([1, 1]);
    expect(credits).toBe(1);
  });

  it('gives each frame its own thumbnail where the detector makes them', async () => {
    const thumbnail = (grey: number): Thumbnail => ({
      width: 1,
      height: 1,
      cellWidth: 100,
      cellHeight: 100,
      luma: Float32Array.of(grey),
    });
    const outcomes: FrameOutcome[] = [];
    await from([{ frames: [testFrame('a', 0), testFrame('b', 7)], done: () => {} }])
      .pipe(
        detect(
          async () => ({ detections: [[], []], thumbnails: [thumbnail(1), thumbnail(2)], detectMs: 5 }),
          () => 0,
          () => {},
        ),
      )
      .forEach((outcome) => outcomes.push(outcome));
    expect(outcomes.filter(isDetected).map((outcome) => outcome.thumbnail)).toEqual([thumbnail(1), thumbnail(2)]);
  });

  it('keeps the order of the batches when a later run is faster', async () => {
    const batches = new Subject<FrameBatch>();
    let finish = (): void => {};
    const slow = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const run = batches
      .pipe(
        detect(
          async ([frame]) => {
            if (frame!.index === 0) await slow;
            return { detections: [[]], detectMs: 1 };
          },
          () => 0,
          () => {},
        ),
        toArray(),
      )
      .forEach((outcomes) => expect(outcomes.map((outcome) => outcome.index)).toEqual([0, 1]));
    for (const index of [0, 1]) batches.next({ frames: [testFrame('a', index)], done: () => {} });
    batches.complete();
    setTimeout(finish, 1);
    await run;
    expect.assertions(1);
  });

  it('counts a failed batch as lost and goes on', async () => {
    const failures: unknown[] = [];
    const outcomes: FrameOutcome[] = [];
    const frames = [testFrame('a', 0), testFrame('a', 1)];
    await from(frames.map((frame) => ({ frames: [frame], done: () => {} })))
      .pipe(
        detect(
          async ([frame]) => {
            if (frame!.index === 0) throw new Error('worker died');
            return { detections: [[person]], detectMs: 1 };
          },
          () => 0,
          (cause) => failures.push(cause),
        ),
      )
      .forEach((outcome) => outcomes.push(outcome));
    expect(outcomes.map((outcome) => (isDetected(outcome) ? 'detected' : outcome.lost))).toEqual([
      'failed',
      'detected',
    ]);
    expect(failures).toHaveLength(1);
    expect(frames.map((frame) => frame.released())).toEqual([1, 1]);
  });
});
