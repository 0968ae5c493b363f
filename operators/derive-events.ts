import { Observable, type OperatorFunction } from 'rxjs';
import { closeEvents, type EventRules, NO_EVENTS, stepEvents } from './events/step-events.js';
import type { TrackEvent, TrackedFrame } from './types.js';

/**
 * Turns the tracked frames of one camera into its events; ends what is open when the stream completes or fails.
 *
 * @param rules  chosen labels with their least scores, and the least distance of updates in seconds
 */
export function deriveEvents(rules: EventRules): OperatorFunction<TrackedFrame, TrackEvent> {
  return (frames) =>
    new Observable<TrackEvent>((subscriber) => {
      let state = NO_EVENTS;
      const close = (): void => {
        for (const event of closeEvents(state)) subscriber.next(event);
        state = NO_EVENTS;
      };
      return frames.subscribe({
        next: (frame) => {
          const step = stepEvents(state, frame, rules);
          state = step.state;
          for (const event of step.events) subscriber.next(event);
        },
        error: (cause: unknown) => {
          close();
          subscriber.error(cause);
        },
        complete: () => {
          close();
          subscriber.complete();
        },
      });
    });
}
