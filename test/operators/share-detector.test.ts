import { delay, map, mergeMap, of, Subject, timer } from 'rxjs';
import { describe, expect, it } from 'vitest';
import type { FrameOutcome } from '../../operators/detect.js';
import { type CameraMessage, shareDetector } from '../../operators/share-detector.js';
import { splitEpochs } from '../../operators/split-epochs.js';
import type { CameraStatus, DetectedFrame, Frame, SourceMessage } from '../../operators/types.js';
import { detectedFrame, testFrame } from './support-frames.js';

const status = (state: CameraStatus['state'], epoch = 0): SourceMessage => ({
  kind: 'status',
  status: { camera: 'a', state, since: 0, fps: 0, epoch },
});
const toDetected = (frame: Frame): FrameOutcome => detectedFrame(frame.camera, frame.index, { epoch: frame.epoch });
const brief = (message: CameraMessage): string =>
  message.kind === 'outcome'
    ? `${message.outcome.index}${'lost' in message.outcome ? ' lost' : ''}`
    : message.kind === 'status'
      ? message.status.state
      : message.kind;

describe('shareDetector', () => {
  it('keeps a status behind the outcomes of the frames that came before it', async () => {
    const shared = shareDetector((frames) => frames.pipe(delay(1), map(toDetected)));
    const seen: string[] = [];
    const messages: SourceMessage[] = [
      { kind: 'frame', frame: testFrame('a', 0) },
      { kind: 'frame', frame: testFrame('a', 1) },
      status('ended'),
    ];
    await of(...messages)
      .pipe(shared.throughDetector())
      .forEach((message) => seen.push(brief(message)));
    expect(seen).toEqual(['0', '1', 'ended']);
  });

  it('never lets one camera wait for another', async () => {
    const shared = shareDetector((frames) =>
      frames.pipe(mergeMap((frame) => timer(frame.camera === 'slow' ? 50 : 0).pipe(map(() => toDetected(frame))))),
    );
    const seen: string[] = [];
    const road = (camera: string) =>
      of<SourceMessage>({ kind: 'frame', frame: testFrame(camera, 0) })
        .pipe(shared.throughDetector())
        .forEach(() => seen.push(camera));
    await Promise.all([road('slow'), road('fast')]);
    expect(seen).toEqual(['fast', 'slow']);
  });

  it('turns a dropped frame into its outcome, in its place', async () => {
    const shared = shareDetector((frames) =>
      frames.pipe(mergeMap((frame) => (frame.index === 1 ? [] : of(toDetected(frame)).pipe(delay(2))))),
    );
    const seen: string[] = [];
    const source = new Subject<SourceMessage>();
    const done = source.pipe(shared.throughDetector()).forEach((message) => seen.push(brief(message)));
    const dropped = testFrame('a', 1);
    for (const frame of [testFrame('a', 0), dropped, testFrame('a', 2)]) source.next({ kind: 'frame', frame });
    shared.lose(dropped, 'stale');
    source.complete();
    await done;
    expect(seen).toEqual(['0', '1 lost', '2']);
  });

  it('fails every camera when the shared road fails, also those that come later', async () => {
    const breaker = new Subject<FrameOutcome>();
    const shared = shareDetector(() => breaker);
    const road = () =>
      of<SourceMessage>({ kind: 'frame', frame: testFrame('a', 0) })
        .pipe(shared.throughDetector())
        .forEach(() => {});
    const first = expect(road()).rejects.toThrow('broken');
    breaker.error(new Error('broken'));
    await first;
    await expect(road()).rejects.toThrow('broken');
  });
});

describe('splitEpochs', () => {
  it('ends an epoch with the loss of the camera and begins the next with its first frame', () => {
    const source = new Subject<CameraMessage>();
    const seen: string[] = [];
    source.pipe(splitEpochs()).subscribe(({ epoch, frames }) => {
      frames.subscribe({
        next: (frame: DetectedFrame) => seen.push(`${epoch}:${frame.index}`),
        complete: () => seen.push(`${epoch} over`),
      });
    });
    const frame = (index: number, epoch: number): CameraMessage => ({
      kind: 'outcome',
      outcome: detectedFrame('a', index, { epoch }),
    });
    source.next(frame(0, 0));
    source.next({ kind: 'outcome', outcome: { camera: 'a', epoch: 0, index: 1, lost: 'stale' } });
    source.next(status('reconnecting') as CameraMessage);
    source.next(status('live', 1) as CameraMessage);
    source.next(frame(2, 1));
    source.next(frame(3, 2));
    source.complete();
    expect(seen).toEqual(['0:0', '0 over', '1:2', '1 over', '2:3', '2 over']);
  });
});
