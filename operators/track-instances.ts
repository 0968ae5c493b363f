import { Observable, type OperatorFunction } from 'rxjs';
import { closeTracker, createTracker, stepTracker, type TrackerOptions } from './tracking/step-tracker.js';
import type { DetectedFrame, TrackedFrame } from './types.js';

/**
 * Gives the detections of one camera their identity. On completion the tracks that are open end: a last frame with the
 * time of the last one, no instances and all of them in `ended`.
 *
 * @param options.idPrefix  `<camera>-<start in base 36>`
 * @param options.now       monotonic clock in ms, the one of `Frame.receivedMs`
 */
export function trackInstances(
  options: Partial<TrackerOptions> & { readonly idPrefix: string; readonly now: () => number },
): OperatorFunction<DetectedFrame, TrackedFrame> {
  const { idPrefix, now, ...rules } = options;
  return (frames) =>
    new Observable<TrackedFrame>((subscriber) => {
      let state = createTracker(rules, idPrefix);
      let last: TrackedFrame | undefined;
      return frames.subscribe({
        next: (frame) => {
          const startMs = now();
          const step = stepTracker(state, frame);
          state = step.state;
          const endMs = now();
          const { camera, epoch, index, pts, time, source, captureMs, queueMs, detectMs, receivedMs } = frame;
          const latency = {
            capture: captureMs,
            queue: queueMs,
            detect: detectMs,
            track: endMs - startMs,
            total: captureMs + endMs - receivedMs,
          };
          last = { camera, epoch, index, pts, time, source, latency, instances: step.instances, ended: step.ended };
          subscriber.next(last);
        },
        error: (cause: unknown) => subscriber.error(cause),
        complete: () => {
          const { ended } = closeTracker(state);
          if (last && ended.length > 0) subscriber.next({ ...last, instances: [], ended });
          subscriber.complete();
        },
      });
    });
}
