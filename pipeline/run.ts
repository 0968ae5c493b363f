import { lastValueFrom } from 'rxjs';
import { InputError } from '../config/errors.js';
import type { CameraConfig, MaskcastConfig } from '../config/schema.js';
import { isDetected } from '../operators/detect.js';
import type { CameraMessage } from '../operators/share-detector.js';
import type { CameraState } from '../operators/types.js';
import { type CameraRoad, runGraph } from './graph.js';
import { openDetector } from './inference/pool.js';
import type { Log } from './log.js';
import { cameraStatusPayload, clipPayload, eventPayload, infoPayload, tracksPayload } from './mqtt/payloads.js';
import { openPublisher, type Publisher } from './mqtt/publisher.js';
import { openRecorder, type Recorder } from './recording/recorder.js';
import { openSource, type Source } from './sources/source.js';
import { VERSION } from './version.js';

/** Figures of one camera, as `run --json` prints them. */
export interface CameraSummary {
  /** Frames that the source gave at the chosen rate. */
  frames: number;
  /** Frames that went through the detector. */
  analysed: number;
  /** Frames that a fresher one replaced, or whose batch failed. */
  dropped: number;
  /** Confirmed tracks. */
  tracks: number;
  events: number;
  /** Clips that are ready. */
  clips: number;
}

export interface RunSummary {
  readonly cameras: Readonly<Record<string, CameraSummary>>;
  readonly seconds: number;
  /** Analysed frames a second, over all cameras. */
  readonly fps: number;
}

/** How a run ended. */
export interface RunResult {
  readonly summary: RunSummary;
  /** Cameras that could not run at all, while others did. */
  readonly refused: readonly string[];
}

/** What a status line or a progress bar shows of a camera while it runs. */
export interface CameraProgress extends CameraSummary {
  readonly state: CameraState;
  readonly fps: number;
  /** Instances in the last frame. */
  readonly now: number;
  /** Frames that will come, when the source is a file that tells. */
  readonly expected?: number;
}

export interface RunOptions {
  readonly config: MaskcastConfig & { readonly model: { readonly file: string } };
  readonly log: Log;
  /** Sees each message that is published. */
  readonly tap?: (topic: string, payload: string | Uint8Array) => void;
  /** Ends the run in good order. */
  readonly signal?: AbortSignal;
  /** Called once, when everything is open and the cameras start. */
  readonly onReady?: (run: {
    readonly broker: string;
    readonly prefix: string;
    progress(): ReadonlyMap<string, CameraProgress>;
  }) => void;
}

const SEGMENT_S = 4;
/** SIGTERM must be through in ten seconds; what rendering does not manage in this time is given up. */
const STOP_DRAIN_MS = 6000;

/**
 * Runs the cameras of a configuration until they end or the signal comes: detector, broker, recorder and sources are
 * opened, joined by the graph, and closed in the reverse order, events ended and clips finished.
 *
 * @throws InputError when the model, the broker's settings or every camera is at fault
 */
export async function runPipeline({ config, log, tap, signal, onReady }: RunOptions): Promise<RunResult> {
  const names = Object.keys(config.cameras);
  if (names.length === 0)
    throw new InputError('no camera is named; give one with --source URL or under "cameras" in the configuration');
  const startedMs = Date.now();
  const detector = await openDetector({
    ...config.model,
    dataFolder: config.data,
    thumbnails: config.tracker.cameraMotion === 'auto',
    log,
  });
  let publisher: Publisher | undefined;
  let recorder: Recorder | undefined;
  try {
    publisher = await openPublisher({ config: config.mqtt, dataFolder: config.data, log, ...(tap && { tap }) });
    const { info } = detector;
    recorder = openRecorder({
      dataFolder: config.data,
      cameras: Object.fromEntries(
        Object.entries(config.cameras).flatMap(([name, { record }]) => (record ? [[name, record]] : [])),
      ),
      clips: config.clips,
      model: { name: info.name, digest: info.digest },
      log,
    });
    const run = new Run(config, publisher, recorder, log);
    const sources = Object.entries(config.cameras).map(([name, camera]) => {
      const source = openSource({
        camera: name,
        config: camera,
        input: info.input,
        ...(camera.record && { record: { folder: recorder!.segmentFolder(name), segmentS: SEGMENT_S } }),
        log: log.child({ camera: name }),
      });
      return { name, camera, source };
    });
    publisher.publish(
      'info',
      infoPayload({
        version: VERSION,
        started: startedMs,
        model: { name: info.name, digest: info.digest },
        cameras: names,
        provider: info.provider,
      }),
      { qos: 1, retain: true },
    );
    run.publishRecordings();
    const roads = sources.map(({ name, camera, source }) => run.road(name, camera, source));
    const prefixes = createIdPrefixes(startedMs);
    const graph = runGraph({
      cameras: roads,
      detector,
      model: config.model,
      tracker: config.tracker,
      idPrefix: prefixes,
      now: () => performance.now(),
      onFailedBatch: (cause) => log.error({ cause: String(cause) }, 'a batch was lost; the stream goes on'),
    });
    const stop = (): void => void Promise.allSettled(sources.map(({ source }) => source.stop()));
    signal?.addEventListener('abort', stop, { once: true });
    if (signal?.aborted) stop();
    onReady?.({ broker: publisher.url, prefix: publisher.prefix, progress: () => run.progress() });
    await lastValueFrom(graph, { defaultValue: undefined });
    signal?.removeEventListener('abort', stop);
    await drain(recorder, signal);
    if (run.refused.size === names.length) throw [...run.refused.values()][0];
    const seconds = (Date.now() - startedMs) / 1000;
    const cameras = Object.fromEntries(
      [...run.progress()].map(([name, { frames, analysed, dropped, tracks, events, clips }]) => [
        name,
        { frames, analysed, dropped, tracks, events, clips },
      ]),
    );
    const analysed = Object.values(cameras).reduce((sum, camera) => sum + camera.analysed, 0);
    return {
      summary: { cameras, seconds, fps: seconds > 0 ? analysed / seconds : 0 },
      refused: [...run.refused.keys()],
    };
  } finally {
    await recorder?.close();
    await publisher?.close(2000);
    await detector.close();
  }
}

/** Finishes the clips: however long it takes, unless the signal came, or comes while they are made. */
async function drain(recorder: Recorder, signal: AbortSignal | undefined): Promise<void> {
  const hurried = new Promise<void>((resolve) => {
    if (signal?.aborted) resolve();
    else signal?.addEventListener('abort', () => resolve(), { once: true });
  }).then(() => recorder.drain(STOP_DRAIN_MS));
  await (signal?.aborted ? hurried : Promise.race([recorder.drain(), hurried]));
}

/**
 * `<camera>-<start in base 36>`: the start is that of the run, moved on by a millisecond for each epoch, so that no two
 * epochs of a camera share a prefix.
 */
function createIdPrefixes(startedMs: number): (camera: string, epoch: number) => string {
  return (camera, epoch) => `${camera}-${(startedMs + epoch).toString(36)}`;
}

/** Joins the graph's callbacks to the broker, the recorder and the figures. */
class Run {
  readonly refused = new Map<string, unknown>();
  readonly #config: MaskcastConfig;
  readonly #publisher: Publisher;
  readonly #recorder: Recorder;
  readonly #log: Log;
  readonly #cameras = new Map<
    string,
    { counts: CameraSummary; source: Source; state: CameraState; fps: number; now: number; ids: Set<string> }
  >();

  constructor(config: MaskcastConfig, publisher: Publisher, recorder: Recorder, log: Log) {
    this.#config = config;
    this.#publisher = publisher;
    this.#recorder = recorder;
    this.#log = log;
  }

  progress(): ReadonlyMap<string, CameraProgress> {
    return new Map(
      [...this.#cameras].map(([name, { counts, source, state, fps, now }]) => {
        const { frames, dropped, expected } = source.stats();
        return [
          name,
          {
            ...counts,
            frames,
            dropped: counts.dropped + dropped,
            state,
            fps,
            now,
            ...(expected !== undefined && { expected }),
          },
        ];
      }),
    );
  }

  road(name: string, config: CameraConfig, source: Source): CameraRoad {
    const counts: CameraSummary = { frames: 0, analysed: 0, dropped: 0, tracks: 0, events: 0, clips: 0 };
    let lastIndex = -1;
    const camera = { counts, source, state: 'connecting' as CameraState, fps: 0, now: 0, ids: new Set<string>() };
    this.#cameras.set(name, camera);
    const records = config.record !== false;
    return {
      name,
      config,
      source,
      onMessage: (message: CameraMessage) => {
        if (message.kind === 'status') {
          camera.state = message.status.state;
          camera.fps = message.status.fps;
          this.#publisher.publish(`${name}/status`, cameraStatusPayload(message.status), { qos: 1, retain: true });
        } else if (message.kind === 'segment') {
          if (records) this.#recorder.segment(message.segment);
        } else if (isDetected(message.outcome)) counts.analysed++;
        else counts.dropped++;
      },
      onTracked: (frame) => {
        camera.now = frame.instances.length;
        for (const { id } of frame.instances) {
          if (camera.ids.has(id)) continue;
          camera.ids.add(id);
          counts.tracks++;
        }
        for (const { id } of frame.ended) camera.ids.delete(id);
        // The closing frame of an epoch only ends tracks: its picture was told before.
        if (frame.index === lastIndex) return;
        lastIndex = frame.index;
        if (records) this.#recorder.tracked(frame);
        this.#publisher.publish(`${name}/tracks`, tracksPayload(frame), { qos: 0, retain: false });
      },
      onEvent: (event) => {
        if (event.type === 'start') counts.events++;
        if (records) this.#recorder.event(event);
        const clip = records ? this.#recorder.clipOf(event.event) : undefined;
        this.#publisher.publish(`${name}/events`, eventPayload(event, { clip }), { qos: 1, retain: false });
      },
      onEpochEnd: (epoch) => {
        camera.now = 0;
        camera.ids.clear();
        if (records) this.#recorder.epochEnded(name, epoch);
      },
      onRefused: (cause) => {
        this.refused.set(name, cause);
        const reason = cause instanceof Error ? cause.message : String(cause);
        camera.state = 'failed';
        if (Object.keys(this.#config.cameras).length > 1) this.#log.error({ camera: name }, reason);
        this.#publisher.publish(
          `${name}/status`,
          cameraStatusPayload({ camera: name, state: 'failed', since: Date.now(), reason, fps: 0, epoch: 0 }),
          { qos: 1, retain: true },
        );
      },
    };
  }

  publishRecordings(): void {
    this.#recorder.messages.subscribe((message) => {
      const camera = this.#cameras.get(message.camera);
      if (camera && message.state === 'ready') camera.counts.clips++;
      this.#publisher.publish(`${message.camera}/clips`, clipPayload(message), { qos: 1, retain: false });
    });
    this.#recorder.snapshots.subscribe(({ camera, jpeg }) => {
      this.#publisher.publish(`${camera}/snapshot`, jpeg, { qos: 1, retain: true });
    });
  }
}
