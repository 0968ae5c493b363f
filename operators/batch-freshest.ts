import { asyncScheduler, Observable, type OperatorFunction, type SchedulerLike, type Subscription } from 'rxjs';
import type { CameraId, Frame } from './types.js';

/** Frames of different cameras for one inference. Whoever takes it releases every frame and calls `done()` once. */
export interface FrameBatch {
  readonly frames: readonly Frame[];
  /** Gives the batch's credit back: a further batch may leave. */
  done(): void;
}

export interface BatchOptions {
  /** Most frames in a batch, ≥ 1. */
  readonly maxBatch: number;
  /** Longest wait (ms) of a batch's first frame for others while every worker is busy. */
  readonly maxWaitMs: number;
  /** Inference workers. One batch more than that may be under way, so that no worker waits for the next. */
  readonly workers: number;
  /** Called with each droppable frame that a fresher one of its camera replaced, after its release. */
  readonly onDrop?: (stale: Frame) => void;
  readonly scheduler?: SchedulerLike;
}

/**
 * Batches the freshest frames of all cameras: at most one frame a camera per batch, the one waiting longest first.
 * A batch leaves when it is full, when its first frame has waited `maxWaitMs`, or at once while a worker is idle.
 * Of a live camera only the newest frame waits; the frames of a file (`droppable: false`) wait in order and none is
 * lost: the source's pool bounds how many there are.
 */
export function batchFreshest(options: BatchOptions): OperatorFunction<Frame, FrameBatch> {
  const { maxBatch, maxWaitMs, workers, onDrop, scheduler = asyncScheduler } = options;
  return (frames) =>
    new Observable<FrameBatch>((subscriber) => {
      // A Map keeps the place of a camera whose frame is replaced, so a fast camera cannot push a slow one back.
      const waiting = new Map<CameraId, Frame[]>();
      let inFlight = 0;
      let sourceEnded = false;
      let timer: { readonly due: number; readonly handle: Subscription } | undefined;
      const since = new Map<CameraId, number>();

      const send = (): void => {
        const batch: Frame[] = [];
        for (const [camera, queue] of [...waiting].slice(0, maxBatch)) {
          batch.push(queue.shift()!);
          // Whoever was served goes to the end of the line.
          waiting.delete(camera);
          since.delete(camera);
          if (queue.length > 0) {
            waiting.set(camera, queue);
            since.set(camera, scheduler.now());
          }
        }
        inFlight++;
        let returned = false;
        subscriber.next({
          frames: batch,
          done: () => {
            if (returned) return;
            returned = true;
            inFlight--;
            pump();
          },
        });
      };

      const pump = (): void => {
        while (waiting.size > 0 && inFlight <= workers && !subscriber.closed) {
          const due = Math.min(...since.values()) + maxWaitMs;
          const mayLeave = inFlight < workers || waiting.size >= maxBatch || sourceEnded || scheduler.now() >= due;
          if (!mayLeave) {
            wakeAt(due);
            return;
          }
          send();
        }
        if (sourceEnded && waiting.size === 0) subscriber.complete();
      };

      const wakeAt = (due: number): void => {
        if (timer && !timer.handle.closed && timer.due <= due) return;
        timer?.handle.unsubscribe();
        timer = { due, handle: scheduler.schedule(pump, Math.max(0, due - scheduler.now())) };
      };

      const subscription = frames.subscribe({
        next: (frame) => {
          const queue = waiting.get(frame.camera);
          if (!queue) {
            waiting.set(frame.camera, [frame]);
            since.set(frame.camera, scheduler.now());
          } else if (frame.droppable) {
            for (const stale of queue.splice(0, queue.length, frame)) {
              stale.release();
              onDrop?.(stale);
            }
          } else queue.push(frame);
          pump();
        },
        error: (cause: unknown) => subscriber.error(cause),
        complete: () => {
          sourceEnded = true;
          pump();
        },
      });

      return () => {
        subscription.unsubscribe();
        timer?.handle.unsubscribe();
        for (const queue of waiting.values()) for (const frame of queue) frame.release();
        waiting.clear();
      };
    });
}
