import { join } from 'node:path';
import type { CameraId, Frame, InputForm, Segment, Size } from '../../operators/types.js';
import { type CapturePlan, captureArguments } from '../ffmpeg/arguments.js';
import type { FramePool } from '../ffmpeg/frame-pool.js';
import { type CapturedFrame, FrameSink } from '../ffmpeg/frame-sink.js';
import { placePicture } from '../ffmpeg/placement.js';
import { type FfmpegEnd, startFfmpeg } from '../ffmpeg/process.js';
import { type SegmentFile, segmentSpan } from '../ffmpeg/split-segment.js';
import type { Timeline } from './timeline.js';

/** Counts over all runs of a camera. */
export interface SourceStats {
  /** Decoded and selected by rate. */
  frames: number;
  delivered: number;
  /** Found no free buffer, or came out of order. */
  dropped: number;
  /** Error lines of the decoder. */
  decodeErrors: number;
  /** Epochs begun. */
  epochs: number;
  /** Frames that a file or folder will give, where it tells; an estimate for a chosen rate. */
  expected?: number;
  /** Size of the newest picture, as shown. */
  size?: Size;
}

export interface CaptureOptions {
  readonly camera: CameraId;
  readonly plan: CapturePlan;
  /** List of images for ffmpeg's stdin. */
  readonly list: string | undefined;
  readonly pool: FramePool;
  readonly timeline: Timeline;
  readonly stats: SourceStats;
  /** Pictures at the start that an earlier run over the same file has handed on. */
  readonly skip: number;
  readonly nowMs: () => number;
  readonly onFrame: (frame: Frame) => void;
  readonly onSegment: (segment: Segment) => void;
  /** Splits a segment in which the picture's size changes; never rejects. */
  readonly split: (segment: SegmentFile) => Promise<readonly SegmentFile[]>;
  /** A line of ffmpeg that is neither frame nor segment. */
  readonly onText: (text: string) => void;
}

/** One connection, from its start to the end of its ffmpeg. */
export interface Capture {
  /** Resolves when ffmpeg is gone and its last segment was handed on. */
  readonly ended: Promise<FfmpegEnd>;
  /** Frames of this run so far, dropped ones too. */
  frames(): number;
  /** Pictures handed on by this run and, of the same file, by those before it. */
  handedOn(): number;
  /** `performance.now()` of the last sign of a picture, or of the start. */
  lastSignMs(): number;
  /** `performance.now()` of the start. */
  readonly startedMs: number;
  stop(): void;
}

/** Leading pictures of an open GOP lie before its key frame: so far back a segment may reach to the one before it. */
const LEADING_S = 2;

/** Runs ffmpeg once and turns its two streams into frames and segments. */
export function startCapture(options: CaptureOptions): Capture {
  const { camera, plan, pool, timeline, stats } = options;
  let tick = { num: 1, den: 1 };
  let frames = 0;
  let seen = 0;
  let firstPtsS: number | undefined;
  const startedMs = performance.now();
  let lastSignMs = startedMs;
  const segments: SegmentFile[] = [];
  const sizeSteps: number[] = [];
  let lastSize: Size | undefined;
  let handingOn = Promise.resolve();
  let lastEndS: number | undefined;
  /** Segment that ffmpeg writes and has not yet announced as closed. */
  let openedFile: string | undefined;
  const placements = new Map<string, Pick<Frame, 'source' | 'placement'>>();

  const sink = new FrameSink({
    pool,
    whenFull: plan.live ? 'drop' : 'wait',
    dropped: () => void stats.dropped++,
    deliver: (captured) => {
      if (seen++ < options.skip) {
        captured.slot.release();
        return;
      }
      const placed = timeline.place(captured.ptsS, options.nowMs());
      if (!placed) {
        stats.dropped++;
        captured.slot.release();
        return;
      }
      if (lastSize && (lastSize.width !== captured.size.width || lastSize.height !== captured.size.height)) {
        sizeSteps.push(placed.pts);
      }
      lastSize = captured.size;
      options.onFrame(frameOf(captured, placed));
      flushSegments();
    },
  });

  const frameOf = (captured: CapturedFrame, placed: { epoch: number; pts: number; time: number }): Frame => ({
    camera,
    ...placed,
    index: stats.delivered++,
    receivedMs: captured.receivedMs,
    captureMs: captured.captureMs,
    ...placementOf(captured.size, plan.input),
    droppable: plan.live,
    pixels: captured.slot.pixels,
    release: captured.slot.release,
  });

  /** The same two objects for each frame of a size. */
  const placementOf = (source: Size, input: InputForm): Pick<Frame, 'source' | 'placement'> => {
    const key = `${source.width}x${source.height}`;
    const known = placements.get(key);
    if (known) return known;
    const fresh = { source, placement: placePicture(source, input).placement };
    placements.set(key, fresh);
    stats.size = source;
    return fresh;
  };

  /**
   * Hands on the segments that are over. One waits for the first frame after it: only then are the epoch and every
   * change of size inside it known.
   */
  const flushSegments = (all = false): void => {
    for (let next = segments[0]; next && (all || timeline.lastPts >= next.endS); next = segments[0]) {
      const segment = next;
      segments.shift();
      const era = timeline.eraOf(segment.startS);
      // Without a single frame there is no clock to place it by, and nothing was seen in it.
      if (!era) continue;
      const changes = sizeSteps.some((pts) => pts > segment.startS && pts < segment.endS);
      handingOn = handingOn.then(async () => {
        for (const { path, startS, endS } of changes ? await options.split(segment) : [segment]) {
          const { epoch, pts0Time } = era;
          options.onSegment({ camera, epoch, path, startPts: startS, endPts: endS, pts0Time });
        }
      });
    }
  };

  const ffmpeg = startFfmpeg(
    captureArguments(plan),
    sink,
    (line) => {
      if (line.kind === 'timeBase') tick = line;
      else if (line.kind === 'frame') {
        frames++;
        if (frames > options.skip) stats.frames++;
        lastSignMs = performance.now();
        const ptsS = (line.ticks * tick.num) / tick.den;
        if (!Number.isNaN(ptsS)) firstPtsS ??= ptsS;
        sink.tell(ptsS, line.size);
      } else if (line.kind === 'opened') openedFile = line.file;
      else if (line.kind === 'segment') {
        openedFile = undefined;
        // ffmpeg's list says 0 for the start of the first one, whatever its first time is.
        const first = lastEndS === undefined;
        const startS = first ? Math.max(line.startS, firstPtsS ?? line.startS) : line.startS;
        const gapS = startS - (lastEndS ?? startS);
        segments.push({
          path: join(plan.record?.folder ?? '', line.file),
          startS: gapS > 0 && gapS <= LEADING_S ? startS - gapS : startS,
          endS: line.endS,
        });
        lastEndS = line.endS;
        flushSegments();
      } else if (line.kind === 'error') stats.decodeErrors++;
      if (line.kind === 'error' || line.kind === 'other') options.onText(line.text);
    },
    options.list,
  );

  return {
    ended: ffmpeg.ended.then(async (end) => {
      const torn = openedFile && (await segmentSpan(join(plan.record?.folder ?? '', openedFile)));
      if (torn) segments.push(torn);
      flushSegments(true);
      await handingOn;
      return end;
    }),
    frames: () => frames,
    handedOn: () => Math.max(seen, options.skip),
    lastSignMs: () => lastSignMs,
    startedMs,
    stop: ffmpeg.stop,
  };
}
