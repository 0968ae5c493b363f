import { catchError, EMPTY, finalize, merge, mergeMap, type Observable, share, tap } from 'rxjs';
import type { MaskcastConfig } from '../config/schema.js';
import { batchFreshest } from '../operators/batch-freshest.js';
import { deriveEvents } from '../operators/derive-events.js';
import { detect } from '../operators/detect.js';
import { keepLabels } from '../operators/keep-labels.js';
import { type CameraMessage, shareDetector } from '../operators/share-detector.js';
import { type EpochStream, splitEpochs } from '../operators/split-epochs.js';
import { trackInstances } from '../operators/track-instances.js';
import { TRACKER_DEFAULTS } from '../operators/tracking/step-tracker.js';
import type { TrackEvent, TrackedFrame } from '../operators/types.js';
import { watchCamera } from '../operators/watch-camera.js';
import { findZones } from '../operators/zones/find-zones.js';
import type { Detector } from './inference/pool.js';
import type { Source } from './sources/source.js';

/** One camera of the graph: where its frames come from and where its results go. */
export interface CameraRoad {
  readonly name: string;
  readonly config: MaskcastConfig['cameras'][string];
  readonly source: Source;
  readonly onMessage: (message: CameraMessage) => void;
  readonly onTracked: (frame: TrackedFrame) => void;
  readonly onEvent: (event: TrackEvent) => void;
  /** No frame, track or event of this epoch will come any more. */
  readonly onEpochEnd: (epoch: number) => void;
  /** The camera cannot run at all (a refused file); the others go on. */
  readonly onRefused: (cause: unknown) => void;
}

export interface GraphOptions {
  readonly cameras: readonly CameraRoad[];
  readonly detector: Detector;
  readonly model: MaskcastConfig['model'];
  readonly tracker: MaskcastConfig['tracker'];
  /** Makes the prefix of a new epoch's track ids, unique across cameras, runs and restarts. */
  readonly idPrefix: (camera: string, epoch: number) => string;
  /** Monotonic clock in ms. */
  readonly now: () => number;
  readonly onFailedBatch: (cause: unknown) => void;
}

/**
 * The whole road: cameras → freshest frames of all in a batch → detector → tracks → zones → events. What leaves the
 * road (MQTT, recording, figures) hangs on the callbacks of each camera. Completes when every camera has.
 */
export function runGraph({
  cameras,
  detector,
  model,
  tracker,
  idPrefix,
  now,
  onFailedBatch,
}: GraphOptions): Observable<never> {
  const shared = shareDetector((frames) =>
    frames.pipe(
      batchFreshest({
        maxBatch: Math.min(detector.info.maxBatch, cameras.length),
        maxWaitMs: model.maxWait * 1000,
        workers: detector.info.workers,
        onDrop: (frame) => shared.lose(frame, 'stale'),
      }),
      detect((frames) => detector.detect(frames), now, onFailedBatch),
    ),
  );

  const analyse = ({ name, config, onTracked, onEvent, onEpochEnd }: CameraRoad, { epoch, frames }: EpochStream) => {
    const tracked = frames.pipe(
      keepLabels(new Set(Object.keys(config.labels))),
      watchCamera(),
      trackInstances({
        highScore: tracker.highScore,
        lowScore: Math.min(TRACKER_DEFAULTS.lowScore, tracker.highScore),
        // What was detected in a frame is drawn and published as it was detected.
        smoothing: 0,
        newScore: tracker.newScore,
        cameraMotion: tracker.cameraMotion,
        keepLostS: tracker.keepLost,
        maxGapS: tracker.maxGap,
        idPrefix: idPrefix(name, epoch),
        now,
      }),
      findZones(config.zones),
      share(),
    );
    const events = tracked.pipe(deriveEvents({ labels: config.labels, minUpdateS: 1 }));
    return merge(tracked.pipe(tap(onTracked)), events.pipe(tap(onEvent))).pipe(finalize(() => onEpochEnd(epoch)));
  };

  const roads = cameras.map((camera) =>
    camera.source.messages.pipe(
      shared.throughDetector(),
      tap(camera.onMessage),
      splitEpochs(),
      mergeMap((epoch) => analyse(camera, epoch)),
      catchError((cause: unknown) => {
        camera.onRefused(cause);
        return EMPTY;
      }),
      mergeMap(() => EMPTY),
    ),
  );
  return merge(...roads).pipe(finalize(shared.close));
}
