import { join } from 'node:path';
import type { CameraConfig } from '../../config/schema.js';
import type { InputForm } from '../../operators/types.js';
import type { SourceKind } from './input-kind.js';
import { placementFilter } from './placement.js';
import { selectFilter } from './select.js';

/**
 * Added to the times of a segment, in seconds, for each step back of the source, so that they go on rising; the frames
 * get the same (`Timeline`). Longer than a camera stays connected, and small enough
 * for the nanosecond ticks of WebM in 64 bits.
 */
export const STEP_BACK_SHIFT_S = 10_000_000;
/** Smaller steps back are disorder in a stream, not a new clock. */
export const STEP_BACK_S = 0.5;
/** Forward jumps up to this are gaps and stay; ffmpeg closes longer ones in MPEG-TS, where they mean a clock that wrapped. */
export const LONGEST_GAP_S = 43_200;

export type Hardware = CameraConfig['hardware'];

/** How pictures get into a segment: as they are, or encoded, where a copy would not show the same pictures at the same times. */
export type RecordMode = 'copy' | 'encode';

/** Everything that decides ffmpeg's command line. */
export interface CapturePlan {
  readonly kind: SourceKind;
  /** URL, path of the file, or device; for images undefined: their list comes on stdin. */
  readonly source: string;
  readonly input: InputForm;
  /** Most pictures a second; undefined: every one. */
  readonly fps: number | undefined;
  readonly live: boolean;
  readonly transport: 'tcp' | 'udp';
  readonly hardware: Hardware;
  /** Silence on the network after which ffmpeg itself gives up, s. */
  readonly silenceS: number;
  /** Live: how much of the stream ffmpeg may look at before it begins, s. */
  readonly analyseS: number;
  /** Live HTTP without times of its own (Motion JPEG): stamped at arrival. */
  readonly stampAtArrival: boolean;
  readonly record?: {
    readonly folder: string;
    /** First part of the files' names, so that a later run never overwrites them. */
    readonly prefix: string;
    readonly segmentS: number;
    readonly mode: RecordMode;
  };
}

export interface CaptureArguments {
  readonly input: string;
  readonly inputOptions: readonly string[];
  /** Options of the frame pipe; its target is stdout. */
  readonly frames: readonly string[];
  readonly segments?: { readonly target: string; readonly options: readonly string[] };
}

/** The first video stream that is not a cover picture. */
const VIDEO = ['-map', '0:V:0'];

/** ffmpeg's arguments for `plan`; pure, nothing is started. */
export function captureArguments(plan: CapturePlan): CaptureArguments {
  const { record } = plan;
  return {
    ...inputArguments(plan),
    frames: [
      ...VIDEO,
      '-vf',
      // showinfo after select: one line for each picture in the pipe, with the size before scaling.
      [
        ...(plan.kind === 'rtsp' ? [FIRST_AT_ZERO] : []),
        ...(plan.fps ? [selectFilter(plan.fps)] : []),
        'showinfo=checksum=0',
        placementFilter(plan.input),
      ].join(','),
      ...['-fps_mode', 'passthrough', '-enc_time_base', '-1'], // every picture once, on the source's ticks
      ...['-c:v', 'rawvideo', '-pix_fmt', 'rgb24', '-avoid_negative_ts', 'disabled'],
      ...['-f', 'nut', '-write_index', '0', '-flush_packets', '1'],
    ],
    ...(record && {
      segments: {
        // A % in a folder's name is text, not a pattern.
        target: `${join(record.folder, record.prefix).replaceAll('%', '%%')}%06d.mkv`,
        options: [
          ...VIDEO,
          ...(record.mode === 'copy' ? copyOptions() : encodeOptions(record.segmentS)),
          ...['-avoid_negative_ts', 'disabled', '-f', 'segment', '-segment_format', 'matroska'],
          ...['-segment_format_options', 'cluster_time_limit=100:flush_packets=1'], // a killed process loses a moment only
          ...['-segment_time', String(record.segmentS), '-segment_list_type', 'csv', '-segment_list', 'pipe:2'],
        ],
      },
    }),
  };
}

function inputArguments(plan: CapturePlan): { input: string; inputOptions: string[] } {
  const options = ['-hide_banner', '-nostats', '-nostdin', '-loglevel', 'level+info', '-threads', '2'];
  options.push('-dts_delta_threshold', String(LONGEST_GAP_S));
  if (plan.hardware === 'v4l2m2m') options.push('-c:v', 'h264_v4l2m2m');
  else if (plan.hardware !== 'none') options.push('-hwaccel', plan.hardware);
  if (plan.live && plan.kind !== 'file' && plan.kind !== 'images') {
    // Streams without a header (MPEG-TS) are looked at for all of that time, so it is their delay at the start.
    options.push('-analyzeduration', String(Math.round(plan.analyseS * 1e6)), '-fpsprobesize', '0');
  }
  const silenceUs = String(Math.round(plan.silenceS * 1e6));
  switch (plan.kind) {
    case 'rtsp':
      // Without the sound, which may keep silent, the wait for its parameters falls away.
      options.push('-rtsp_transport', plan.transport, '-timeout', silenceUs, '-allowed_media_types', 'video');
      // The first picture comes without pts, so ffmpeg takes a later one for the start and would subtract its time.
      options.push('-copyts');
      return { input: plan.source, inputOptions: options };
    case 'http':
      options.push('-rw_timeout', silenceUs);
      if (plan.stampAtArrival) options.push('-use_wallclock_as_timestamps', '1');
      return { input: plan.source, inputOptions: options };
    case 'file':
      if (plan.live) options.push('-re');
      // The prefix keeps a leading dash from being an option and a colon from being a protocol.
      return { input: `file:${plan.source}`, inputOptions: options };
    case 'images':
      options.push('-f', 'concat', '-safe', '0', '-protocol_whitelist', 'file,pipe,fd,crypto,data');
      if (plan.live) options.push('-re');
      return { input: 'pipe:0', inputOptions: options.filter((option) => option !== '-nostdin') };
    case 'device':
      return deviceArguments(plan.source, options);
  }
}

function deviceArguments(source: string, options: string[]): { input: string; inputOptions: string[] } {
  const [format, ...rest] = source.split(':');
  if (rest.length > 0 && (format === 'avfoundation' || format === 'dshow')) {
    return { input: rest.join(':'), inputOptions: [...options, '-f', format] };
  }
  return { input: source, inputOptions: [...options, '-f', 'v4l2'] };
}

/**
 * RTP carries no dts: ffmpeg guesses them for the first pictures, too late where there are B-frames, and then pushes
 * the pts of those that follow. Matroska stores pts only, so the dts of so many pictures are put well before.
 */
const GUESSED_DTS = 16;

/**
 * The first picture of an RTSP stream comes without pts, which is 0 by RFC 3550's first timestamp; ffmpeg guesses one
 * before zero where there are B-frames, and NUT takes none below it.
 */
const FIRST_AT_ZERO = "setpts='max(PTS,0)'";

/** `-copytb 1`: else the filter's TB is 1/fps. `-copypriorss 1`: else the first GOP goes where times begin below zero. */
function copyOptions(): string[] {
  // An RTSP stream's first picture, when it takes more than four packets, has lost its pts on the way: it is 0.
  const jumped = `if(lt(DTS,PREV_INDTS-${STEP_BACK_S}/TB),${STEP_BACK_SHIFT_S}/TB,0)`;
  const stepBack = `st(0,ld(0)+if(eq(DTS,NOPTS)+eq(PREV_INDTS,NOPTS),0,${jumped}))`;
  const dts = `${stepBack};if(eq(DTS,NOPTS),NOPTS,DTS+ld(0)-if(lt(N,${GUESSED_DTS}),(${GUESSED_DTS}-N)*0.5/TB,0))`;
  const pts = `${stepBack};if(eq(PTS,NOPTS),max(DTS,0),PTS)+ld(0)`;
  const shift = `setts=dts='${dts}':pts='${pts}'`;
  return ['-c:v', 'copy', '-copytb', '1', '-copypriorss', '1', '-bsf:v', shift];
}

/**
 * H.264 of every picture at its own time, near to lossless.
 *
 * @param before  a filter that chooses pictures
 */
export function encodeOptions(segmentS: number, before?: string): string[] {
  const even = "pad='ceil(iw/2)*2':'ceil(ih/2)*2'"; // H.264 in 4:2:0 has even sides
  return [
    ...['-vf', before ? `${before},${even}` : even, '-pix_fmt', 'yuv420p'],
    ...['-fps_mode', 'passthrough', '-enc_time_base', '-1'],
    ...['-c:v', 'libx264', '-preset', 'ultrafast', '-crf', '18', '-bf', '0', '-g', '50'],
    ...['-force_key_frames', `expr:gte(t,n_forced*${segmentS})`],
  ];
}
