import type { z } from 'zod';
import type {
  BoxXyxy,
  CameraId,
  CameraStatus,
  ClipMessage,
  Instance,
  MaskRle,
  TrackEvent,
  TrackedFrame,
} from '../../operators/types.js';
import type { cameraStatusMessage, clipMessage, eventMessage, infoMessage, tracksMessage } from './messages.js';

/**
 * Values of the pipeline as payloads of the contract. Pure. `schema`, `camera`, `seq` and, where it is missing,
 * `time` are stamped by the publisher, which knows the topic.
 */

type Stamped = 'schema' | 'camera' | 'seq';
export type InfoPayload = Omit<z.output<typeof infoMessage>, 'schema'>;
export type CameraStatusPayload = Omit<z.output<typeof cameraStatusMessage>, Stamped | 'time'>;
export type TracksPayload = Omit<z.output<typeof tracksMessage>, Stamped>;
export type EventPayload = Omit<z.output<typeof eventMessage>, Stamped>;
export type ClipPayload = Omit<z.output<typeof clipMessage>, Stamped | 'time'>;

/** Payload of `<c>/tracks`: boxes and velocities to 0.01 px, scores to 0.0001, pts to the microsecond. */
export function tracksPayload(frame: TrackedFrame): TracksPayload {
  const { capture, queue, detect, track, total } = frame.latency;
  return {
    time: isoTime(frame.time),
    epoch: frame.epoch,
    pts: round(frame.pts, 1e6),
    width: frame.source.width,
    height: frame.source.height,
    latency: {
      capture: round(capture, 100),
      queue: round(queue, 100),
      detect: round(detect, 100),
      track: round(track, 100),
      total: round(total, 100),
    },
    instances: frame.instances.map(instancePayload),
  };
}

/** One instance as `tracks` and the sidecar of a clip show it. */
export function instancePayload(instance: Instance): TracksPayload['instances'][number] {
  return {
    id: instance.id,
    label: instance.label,
    score: round(instance.score, 1e4),
    box: boxPayload(instance.box),
    ...(instance.mask && { mask: maskPayload(instance.mask) }),
    state: instance.state,
    zones: [...instance.zones],
    age: round(instance.age, 1e3),
    velocity: [round(instance.velocity[0], 100), round(instance.velocity[1], 100)],
  };
}

/**
 * Payload of `<c>/events`.
 *
 * @param clip      id of the clip that records the event
 * @param snapshot  path of its best picture, relative to the data folder
 */
export function eventPayload(
  event: TrackEvent,
  { clip, snapshot }: { clip?: string | undefined; snapshot?: string | undefined } = {},
): EventPayload {
  return {
    time: isoTime(event.time),
    type: event.type,
    event: event.event,
    track: event.track,
    label: event.label,
    score: round(event.score, 1e4),
    box: boxPayload(event.box),
    ...(event.mask && { mask: maskPayload(event.mask) }),
    zones: [...event.zones],
    entered: [...event.entered],
    start: isoTime(event.start),
    ...(event.end !== undefined && { end: isoTime(event.end) }),
    ...(clip !== undefined && { clip }),
    ...(snapshot !== undefined && { snapshot }),
  };
}

/** Payload of `<c>/clips`. */
export function clipPayload(message: ClipMessage): ClipPayload {
  const { clip, annotated, best, tracks } = message.files;
  return {
    clip: message.clip,
    event: message.event,
    state: message.state,
    start: isoTime(message.start),
    end: isoTime(message.end),
    duration: round(message.duration, 1e3),
    files: {
      ...(clip !== undefined && { clip }),
      ...(annotated !== undefined && { annotated }),
      ...(best !== undefined && { best }),
      ...(tracks !== undefined && { tracks }),
    },
    ...(message.reason !== undefined && { reason: message.reason }),
  };
}

/** Payload of `<c>/status`. */
export function cameraStatusPayload(status: CameraStatus): CameraStatusPayload {
  return {
    state: status.state,
    since: isoTime(status.since),
    ...(status.reason !== undefined && { reason: status.reason }),
    fps: round(status.fps, 100),
    epoch: status.epoch,
  };
}

/**
 * Payload of `info`.
 *
 * @param started  UTC ms
 */
export function infoPayload(info: {
  readonly version: string;
  readonly started: number;
  readonly model: { readonly name: string; readonly digest?: string | undefined };
  readonly cameras: readonly CameraId[];
  readonly provider: string;
}): InfoPayload {
  const { name, digest } = info.model;
  return {
    version: info.version,
    started: isoTime(info.started),
    model: { name, ...(digest !== undefined && { digest }) },
    cameras: [...info.cameras],
    provider: info.provider,
  };
}

/** UTC ms (fractions allowed) → `2026-05-01T08:15:02.040Z`, to the nearest millisecond. */
export function isoTime(utcMs: number): string {
  return new Date(Math.round(utcMs)).toISOString();
}

function boxPayload([x1, y1, x2, y2]: BoxXyxy): [number, number, number, number] {
  return [round(x1, 100), round(y1, 100), round(x2, 100), round(y2, 100)];
}

function maskPayload({ size, origin, counts }: MaskRle): {
  size: [number, number];
  origin: [number, number];
  counts: string;
} {
  return { size: [size[0], size[1]], origin: [origin[0], origin[1]], counts };
}

/** Nearest multiple of 1 ÷ `per`. */
function round(value: number, per: number): number {
  return Math.round(value * per) / per;
}
