import { defer, map, type OperatorFunction } from 'rxjs';
import { type CameraState, stepCamera } from './camera/step-camera.js';
import type { TrackableFrame } from './track-instances.js';
import type { DetectedFrame } from './types.js';

/**
 * Tells, for each frame that carries a thumbnail, how the camera moved since the last one that did, and whether the picture is
 * another one altogether (a hard cut), for `trackInstances` to go by. Frames without a thumbnail pass as they are. The thumbnail
 * ends here.
 */
export function watchCamera(): OperatorFunction<DetectedFrame, TrackableFrame> {
  return (frames) =>
    defer(() => {
      let seen: { readonly epoch: number; readonly state: CameraState | undefined } | undefined;
      return frames.pipe(
        map(({ thumbnail, ...frame }): TrackableFrame => {
          if (!thumbnail) return frame;
          const { state, motion, cut } = stepCamera(seen?.epoch === frame.epoch ? seen.state : undefined, thumbnail);
          seen = { epoch: frame.epoch, state };
          return { ...frame, ...(motion && { cameraMotion: motion }), ...(cut && { cut }) };
        }),
      );
    });
}
