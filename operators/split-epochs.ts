import { Observable, type OperatorFunction, Subject } from 'rxjs';
import { isDetected } from './detect.js';
import type { CameraMessage } from './share-detector.js';
import type { CameraState, DetectedFrame } from './types.js';

/** The detected frames of one unbroken connection. Completes when the connection is lost, ended or the run stops. */
export interface EpochStream {
  readonly epoch: number;
  readonly frames: Observable<DetectedFrame>;
}

const OVER: readonly CameraState[] = ['reconnecting', 'paused', 'ended', 'failed'];

/**
 * Cuts one camera's stream into epochs, so that tracks and events end with the connection they belong to and not
 * when the camera comes back, which may be tomorrow.
 */
export function splitEpochs(): OperatorFunction<CameraMessage, EpochStream> {
  return (messages) =>
    new Observable<EpochStream>((subscriber) => {
      let open: { readonly epoch: number; readonly frames: Subject<DetectedFrame> } | undefined;
      const end = (): void => {
        open?.frames.complete();
        open = undefined;
      };
      return messages.subscribe({
        next: (message) => {
          if (message.kind === 'status' && OVER.includes(message.status.state)) end();
          if (message.kind !== 'outcome' || !isDetected(message.outcome)) return;
          const frame = message.outcome;
          if (frame.epoch !== open?.epoch) {
            end();
            open = { epoch: frame.epoch, frames: new Subject() };
            subscriber.next(open);
          }
          open.frames.next(frame);
        },
        error: (cause: unknown) => {
          end();
          subscriber.error(cause);
        },
        complete: () => {
          end();
          subscriber.complete();
        },
      });
    });
}
