import { concat, defer, EMPTY, map, type Observable, type OperatorFunction, of } from 'rxjs';
import {
  closeTracker,
  createTracker,
  stepTracker,
  type TrackerFrame,
  type TrackerOptions,
} from './tracking/step-tracker.js';
import type { DetectedFrame, TrackedFrame } from './types.js';

export { TRACKER_DEFAULTS, type TrackerOptions } from './tracking/step-tracker.js';

/** A detected frame, with what the capture side and an appearance model may add to it. */
export type TrackableFrame = DetectedFrame & Pick<TrackerFrame, 'cameraMotion' | 'cut' | 'embeddings'>;

/**
 * Gives the detections of one camera their identity, frame by frame, at once. On completion the tracks that are open
 * end: a last frame with the time of the last one, no instances and all of them in `ended`. Fails with a RangeError
 * when the time of a frame does not rise inside its epoch.
 *
 * @param options.idPrefix  `<camera>-<start in base 36>`
 * @param options.now       monotonic clock in ms, the one of `Frame.receivedMs`
 */
export function trackInstances(
  options: Partial<TrackerOptions> & { readonly idPrefix: string; readonly now: () => number },
): OperatorFunction<TrackableFrame, TrackedFrame> {
  const { idPrefix, now, ...rules } = options;
  return (frames) =>
    defer(() => {
      let state = createTracker(rules, idPrefix);
      let last: TrackedFrame | undefined;

      const track = (frame: TrackableFrame): TrackedFrame => {
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
        return last;
      };

      const close = defer((): Observable<TrackedFrame> => {
        const { ended } = closeTracker(state);
        return last && ended.length > 0 ? of({ ...last, instances: [], ended }) : EMPTY;
      });
      return concat(frames.pipe(map(track)), close);
    });
}
