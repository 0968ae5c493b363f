import { concatMap, map, type Observable, type OperatorFunction, Subject } from 'rxjs';
import type { FrameOutcome, LostFrame } from './detect.js';
import type { Frame, SourceMessage } from './types.js';

/** What a camera's own stream carries once its frames went through the detector: in the order in which it happened. */
export type CameraMessage =
  | Exclude<SourceMessage, { readonly kind: 'frame' }>
  | { readonly kind: 'outcome'; readonly outcome: FrameOutcome };

/** One detector for many cameras. */
export interface SharedDetector {
  /**
   * Sends the frames of one camera through the shared detector and gives back its messages in order: a status or a
   * segment that came after a frame also leaves after that frame's outcome. Completes when all outcomes are there.
   */
  readonly throughDetector: () => OperatorFunction<SourceMessage, CameraMessage>;
  /** Reports a frame that was dropped on the way; it becomes its outcome. */
  readonly lose: (frame: Frame, why: LostFrame['lost']) => void;
  /** Completes the shared stream. Call after the cameras have completed. */
  readonly close: () => void;
}

/**
 * Lets many cameras share one stream of batches without waiting for each other.
 *
 * @param detection  the shared road from frames to outcomes, exactly one outcome (or `lose`) for each frame
 */
export function shareDetector(detection: (frames: Observable<Frame>) => Observable<FrameOutcome>): SharedDetector {
  const frames = new Subject<Frame>();
  const waiting = new Map<string, { resolve: (outcome: FrameOutcome) => void; reject: (cause: unknown) => void }>();
  let failure: { readonly cause: unknown } | undefined;

  const key = ({ camera, index }: Pick<Frame, 'camera' | 'index'>): string => `${camera}/${index}`;
  const settle = (outcome: FrameOutcome): void => {
    waiting.get(key(outcome))?.resolve(outcome);
    waiting.delete(key(outcome));
  };
  detection(frames).subscribe({
    next: settle,
    error: (cause: unknown) => {
      failure = { cause };
      for (const { reject } of waiting.values()) reject(cause);
      waiting.clear();
    },
  });

  const submit = (frame: Frame): Promise<CameraMessage> =>
    new Promise<FrameOutcome>((resolve, reject) => {
      if (failure) {
        frame.release();
        reject(failure.cause);
        return;
      }
      waiting.set(key(frame), { resolve, reject });
      frames.next(frame);
    }).then((outcome) => ({ kind: 'outcome', outcome }));

  return {
    // `map` submits at once; `concatMap` only keeps the order.
    throughDetector: () => (messages) =>
      messages.pipe(
        map((message) => {
          const settled = message.kind === 'frame' ? submit(message.frame) : Promise.resolve(message);
          // A rejection that waits behind others must not count as unhandled; `concatMap` still meets it.
          settled.catch(() => {});
          return settled;
        }),
        concatMap((settled) => settled),
      ),
    lose: ({ camera, epoch, index }, lost) => settle({ camera, epoch, index, lost }),
    close: () => frames.complete(),
  };
}
