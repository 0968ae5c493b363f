import { concatMap, map, type OperatorFunction } from 'rxjs';
import type { FrameBatch } from './batch-freshest.js';
import type { DetectedFrame, Detection, Frame, Thumbnail } from './types.js';

/** What came of one frame that went to the detector: its detections, or the reason why there are none. */
export type FrameOutcome = DetectedFrame | LostFrame;

/** A frame that never reached the tracker. */
export interface LostFrame {
  readonly camera: string;
  readonly epoch: number;
  readonly index: number;
  readonly lost: 'stale' | 'failed';
}

/** True for a frame that has detections (perhaps none), false for a lost one. */
export const isDetected = (outcome: FrameOutcome): outcome is DetectedFrame => 'detections' in outcome;

/** Runs a model on one batch; the frames stay the caller's. */
export type DetectBatch = (frames: readonly Frame[]) => Promise<{
  readonly detections: readonly (readonly Detection[])[];
  /** One a frame, where there are any. */
  readonly thumbnails?: readonly Thumbnail[];
  readonly detectMs: number;
}>;

/**
 * Runs the detector on each batch as soon as it arrives (the batcher's credits bound how many at once) and emits one
 * outcome for each frame, in the order of the batches. Releases the frames and returns the credit. A batch whose
 * run fails is counted as lost and the stream goes on.
 *
 * @param now       monotonic clock in ms, the one of `Frame.receivedMs`
 * @param onFailed  called with what a failed run threw
 */
export function detect(
  run: DetectBatch,
  now: () => number,
  onFailed: (cause: unknown, frames: readonly Frame[]) => void,
): OperatorFunction<FrameBatch, FrameOutcome> {
  const runBatch = async ({ frames, done }: FrameBatch): Promise<FrameOutcome[]> => {
    const startMs = now();
    try {
      const { detections, thumbnails, detectMs } = await run(frames);
      return frames.map((frame, row) => ({
        camera: frame.camera,
        epoch: frame.epoch,
        index: frame.index,
        pts: frame.pts,
        time: frame.time,
        receivedMs: frame.receivedMs,
        captureMs: frame.captureMs,
        queueMs: startMs - frame.receivedMs,
        detectMs,
        source: frame.source,
        detections: detections[row] ?? [],
        ...(thumbnails?.[row] && { thumbnail: thumbnails[row] }),
      }));
    } catch (cause) {
      onFailed(cause, frames);
      return frames.map(({ camera, epoch, index }) => ({ camera, epoch, index, lost: 'failed' as const }));
    } finally {
      for (const frame of frames) frame.release();
      done();
    }
  };
  // `map` starts the run at once; `concatMap` only keeps the results in order.
  return (batches) =>
    batches.pipe(
      map(runBatch),
      concatMap((outcomes) => outcomes),
      concatMap((outcomes) => outcomes),
    );
}
