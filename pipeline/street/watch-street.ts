import { readFile } from 'node:fs/promises';
import { concatMap, filter, from, lastValueFrom, toArray } from 'rxjs';
import { checkConfig } from '../../config/load.js';
import { createTracker, stepTracker } from '../../operators/tracking/step-tracker.js';
import { openDetector } from '../inference/pool.js';
import type { Log } from '../log.js';
import { openSource } from '../sources/source.js';
import { type FoundFrame, SCORE_RULES, type StreetScore, scoreStreet } from './score-street.js';
import type { StreetTruth } from './street-truth.js';
import { cachedStreetVideo, type StreetVideoOptions, truthFile } from './street-video.js';

export interface WatchOptions extends StreetVideoOptions {
  /** Where drawn videos are kept. */
  readonly folder: string;
  /** Detector, an ONNX file. */
  readonly model: string;
  readonly log: Log;
  readonly onDrawn?: (done: number, all: number) => void;
}

/**
 * Lets a detector and the tracker watch a drawn street, as a camera's video, and scores what they find against what was
 * drawn.
 *
 * @throws InputError when the model is at fault
 */
export async function watchStreet({ folder, model, log, onDrawn, ...street }: WatchOptions): Promise<StreetScore> {
  const video = await cachedStreetVideo(folder, street, onDrawn);
  const truth = JSON.parse(await readFile(truthFile(video), 'utf8')) as StreetTruth; // written by ourselves
  const detector = await openDetector({ ...checkConfig({}).model, file: model, log });
  try {
    const config = checkConfig({ cameras: { street: { source: video, record: false, live: false } } }).cameras.street!;
    const known = new Set(Object.keys(config.labels));
    const source = openSource({ camera: 'street', config, input: detector.info.input, log });
    let tracker = createTracker({}, 'street');
    const watched = source.messages.pipe(
      filter((message) => message.kind === 'frame'),
      concatMap(({ frame }) =>
        from(
          detector
            .detect([frame])
            .then(({ detections: [found = []] }): FoundFrame => {
              const detections = found.filter(({ label }) => known.has(label));
              const step = stepTracker(tracker, {
                epoch: frame.epoch,
                pts: frame.pts,
                source: frame.source,
                detections,
              });
              tracker = step.state;
              return { detections, instances: step.instances };
            })
            .finally(() => frame.release()),
        ),
      ),
      toArray(),
    );
    return scoreStreet(truth.frames, await lastValueFrom(watched), SCORE_RULES);
  } finally {
    await detector.close();
  }
}
