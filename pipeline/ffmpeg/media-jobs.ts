import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { setPriority } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import type { Size } from '../../operators/types.js';

/** ffmpeg's work on finished files: joining and cutting clips, decoding them to raw pictures, encoding them again. */

/** How much less often than the cameras a job gets a processor (the "nice" value). */
const NICE = 5;
const TAIL_CHARACTERS = 4000;
const PROBE_TIMEOUT_MS = 60_000;

/** A running ffmpeg of a job. */
export interface MediaJob {
  /** Pictures or file into it; end it when all is written. */
  readonly stdin: Writable;
  readonly stdout: Readable;
  /**
   * Resolves at exit 0.
   *
   * Errors when it ends otherwise: the message carries its last lines.
   */
  readonly done: Promise<void>;
  /** Ends it at once; `done` is then rejected. */
  kill(): void;
}

/** What a finished clip is. */
export interface ClipProbe {
  /** As shown: after rotation, in stored pixels. */
  readonly size: Size;
  readonly codec: string;
  /** Width ÷ height of a pixel, such as `4:3`; undefined for square ones. */
  readonly pixelAspect?: string;
  /** Mean frames a second; 0 when unknown. */
  readonly fps: number;
  readonly durationS: number;
  readonly colour: { readonly space?: string; readonly transfer?: string; readonly primaries?: string };
  /** Times of the pictures that are shown, s, rising. */
  readonly timesS: readonly number[];
}

/** Pictures that a codec may hold back for reordering, at most (H.264: 16). */
const REORDERED = 16;

/**
 * Joined Matroska packets on stdin into an MP4 of the same packets.
 *
 * Matroska knows no time of decoding, and ffmpeg guesses it for the first packets; where the rate varies the guess may be
 * too late and then moves the pictures. `earlyDts` puts these packets a tick apart before the first picture instead, which
 * is always right but looks odd, so it is the second choice.
 */
export function startCopy(
  output: string,
  { hevc, earlyDts }: { readonly hevc: boolean; readonly earlyDts: boolean },
): MediaJob {
  const dts = `if(lt(N,${REORDERED}),min(DTS,STARTPTS+N-${REORDERED}),DTS)`;
  return start([
    ...['-f', 'matroska', '-i', 'pipe:0', '-map', '0', '-c', 'copy'],
    ...(earlyDts ? ['-bsf:v', `setts=pts=PTS:dts='${dts}'`] : []),
    ...(hevc ? ['-tag:v', 'hvc1'] : []), // players of Apple refuse hev1
    // 90000 holds the milliseconds of the segments without rounding.
    ...['-video_track_timescale', '90000', '-movflags', '+faststart', '-f', 'mp4', '-y', `file:${output}`],
  ]);
}

/** The same for what MP4 does not hold, or would hold with other times: the pictures are encoded, near to lossless. */
export function startReencode(output: string): MediaJob {
  return start([
    ...['-f', 'matroska', '-i', 'pipe:0', '-map', '0:v:0', '-vf', EVEN, ...PASSTHROUGH],
    ...h264('18', []),
    `file:${output}`,
  ]);
}

/**
 * A clip's pictures as raw yuv420p of limited range and even sides, upright, each with its time, as Matroska.
 *
 * @param atS  only the one picture shown at this second, with a time of its own
 */
export function startDecode(input: string, probe: Pick<ClipProbe, 'colour'>, atS?: number): MediaJob {
  const matrix = probe.colour.space === 'gbr' ? ':out_color_matrix=bt709' : '';
  return start([
    // Half a millisecond before, so that no rounding of the time can pass over the picture.
    ...(atS === undefined ? [] : ['-ss', String(Math.max(0, atS - 0.0005))]),
    ...['-i', `file:${input}`, '-map', '0:v:0', '-vf', `scale=out_range=tv${matrix},format=yuv420p,${EVEN}`],
    ...(atS === undefined ? [] : ['-frames:v', '1']),
    ...[...PASSTHROUGH, '-c:v', 'rawvideo', '-f', 'matroska', 'pipe:1'],
  ]);
}

/**
 * Raw pictures on stdin, as `rawVideoHeader` and `rawPictureHead` make them, into an H.264 MP4 that browsers play.
 *
 * @param sound  file whose sound goes along when MP4 holds it
 */
export function startEncode(output: string, probe: ClipProbe, sound: string): MediaJob {
  const { space, transfer, primaries } = probe.colour;
  const rgb = space === 'gbr';
  return start([
    ...['-f', 'matroska', '-i', 'pipe:0', '-i', `file:${sound}`, '-map', '0:v:0', '-map', '1:a?', '-c:a', 'copy'],
    ...(probe.pixelAspect ? ['-vf', `setsar=${probe.pixelAspect.replace(':', '/')}`] : []),
    ...PASSTHROUGH,
    ...h264('23', [
      ...['-color_range', 'tv'],
      ...(rgb ? ['-colorspace', 'bt709'] : space ? ['-colorspace', space] : []),
      ...(transfer ? ['-color_trc', transfer] : []),
      ...(primaries ? ['-color_primaries', primaries] : []),
    ]),
    `file:${output}`,
  ]);
}

/** Raw rgb24 pictures of a steady rate on stdin into an H.264 MP4 with a key picture a second, as a camera has. */
export function startEncodePictures(output: string, { width, height }: Size, fps: number): MediaJob {
  return start([
    ...['-f', 'rawvideo', '-pix_fmt', 'rgb24', '-s', `${width}x${height}`, '-r', String(fps), '-i', 'pipe:0'],
    ...[
      '-vf',
      'scale=out_color_matrix=bt709:out_range=tv',
      ...h264('20', ['-colorspace', 'bt709', '-color_range', 'tv']),
    ],
    ...['-force_key_frames', 'expr:gte(t,n_forced)', `file:${output}`],
  ]);
}

const EVEN = "pad='ceil(iw/2)*2':'ceil(ih/2)*2'"; // H.264 in 4:2:0 has even sides
/** Every picture once, at its own time; -1: on the ticks that it came with. */
const PASSTHROUGH = ['-fps_mode', 'passthrough', '-enc_time_base', '-1'];

/** No B-frames: they would need an edit list, and a reader that ignores it would be off by a few frames. */
function h264(crf: string, colour: readonly string[]): string[] {
  return [
    ...['-c:v', 'libx264', '-preset', 'veryfast', '-crf', crf, '-pix_fmt', 'yuv420p', '-bf', '0', '-g', '60'],
    ...[...colour, '-video_track_timescale', '90000', '-movflags', '+faststart', '-f', 'mp4', '-y'],
  ];
}

function start(args: readonly string[]): MediaJob {
  const common = ['-hide_banner', '-nostats', '-loglevel', 'error', '-threads', '2'];
  const child = spawn(process.env.FFMPEG_PATH ?? 'ffmpeg', [...common, ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
    // A group of its own: Ctrl-C ends the program in good order, and that needs this job to be finished. It ends
    // with us in any case, for then its pipes do.
    detached: true,
  });
  lowerPriority(child);
  let tail = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    tail = (tail + text).slice(-TAIL_CHARACTERS);
  });
  // A pipe that breaks is told by the exit of the process.
  child.stdin.on('error', () => undefined);
  child.stdout.on('error', () => undefined);
  const done = new Promise<void>((resolve, reject) => {
    child.on('error', (cause) => reject(new Error(`ffmpeg could not be started: ${cause.message}`, { cause })));
    child.on('close', (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(`ffmpeg ended with ${signal ?? `exit code ${code}`}: ${lastLine(tail)}`));
    });
  });
  done.catch(() => undefined); // whoever waits for it sees it; nobody need to
  return { stdin: child.stdin, stdout: child.stdout, done, kill: () => child.kill('SIGKILL') };
}

function lowerPriority(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) setPriority(child.pid, NICE);
  } catch {
    // It has ended already, or the system does not allow it: then it runs like the others.
  }
}

/** The last line; a full disk is said in an earlier one, which then counts more. */
function lastLine(text: string): string {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  return lines.find((line) => /No space left|Disk quota|Permission denied/.test(line)) ?? lines.at(-1) ?? 'no message';
}

/**
 * Reads what a clip is and when its pictures are shown, without decoding.
 *
 * @throws Error when it cannot be read
 */
export async function probeClip(path: string): Promise<ClipProbe> {
  const packets = ['-select_streams', 'v:0', '-show_entries', 'packet=pts_time,flags:stream:format=duration'];
  const probe = JSON.parse(await ffprobe([...packets, path])) as RawProbe; // ffprobe's own JSON, shape as below
  const stream = probe.streams?.[0];
  if (!stream?.width || !stream.height) throw new Error(`${path} has no video stream`);
  const turned = Math.abs(stream.side_data_list?.find(({ rotation }) => rotation)?.rotation ?? 0) % 180 === 90;
  const [num, den] = (stream.avg_frame_rate ?? '').split('/').map(Number);
  const known = (value: string | undefined): value is string =>
    value !== undefined && !/^(unknown|reserved)$/.test(value);
  const timesS = (probe.packets ?? [])
    .filter(({ flags, pts_time }) => pts_time !== undefined && !flags?.includes('D'))
    .map(({ pts_time }) => Number(pts_time))
    .sort((a, b) => a - b);
  const aspect = stream.sample_aspect_ratio;
  return {
    size: turned ? { width: stream.height, height: stream.width } : { width: stream.width, height: stream.height },
    codec: stream.codec_name ?? 'unknown',
    ...(aspect &&
      !/^(1:1|0:1)$/.test(aspect) && { pixelAspect: turned ? aspect.split(':').reverse().join(':') : aspect }),
    fps: num && den ? num / den : 0,
    durationS: Number(stream.duration ?? probe.format?.duration ?? 0),
    colour: {
      ...(known(stream.color_space) && { space: stream.color_space }),
      ...(known(stream.color_transfer) && { transfer: stream.color_transfer }),
      ...(known(stream.color_primaries) && { primaries: stream.color_primaries }),
    },
    timesS,
  };
}

/**
 * Decodes a whole file and counts the pictures that it gives.
 *
 * @throws Error when it cannot be read
 */
export async function countDecodedFrames(path: string): Promise<number> {
  const args = ['-select_streams', 'v:0', '-count_frames', '-show_entries', 'stream=nb_read_frames'];
  const probe = JSON.parse(await ffprobe([...args, path])) as { streams?: { nb_read_frames?: string }[] };
  return Number(probe.streams?.[0]?.nb_read_frames ?? 0);
}

interface RawProbe {
  readonly streams?: readonly {
    readonly codec_name?: string;
    readonly width?: number;
    readonly height?: number;
    readonly avg_frame_rate?: string;
    readonly duration?: string;
    readonly sample_aspect_ratio?: string;
    readonly color_space?: string;
    readonly color_transfer?: string;
    readonly color_primaries?: string;
    readonly side_data_list?: readonly { readonly rotation?: number }[];
  }[];
  readonly packets?: readonly { readonly pts_time?: string; readonly flags?: string }[];
  readonly format?: { readonly duration?: string };
}

function ffprobe(args: readonly string[]): Promise<string> {
  const file = `file:${args.at(-1)}`;
  return new Promise((resolve, reject) => {
    execFile(
      process.env.FFPROBE_PATH ?? 'ffprobe',
      ['-v', 'error', '-of', 'json', ...args.slice(0, -1), file],
      { timeout: PROBE_TIMEOUT_MS, maxBuffer: 256 << 20 },
      (error, stdout, stderr) =>
        error ? reject(new Error(`ffprobe: ${lastLine(stderr)}`, { cause: error })) : resolve(stdout),
    );
  });
}
