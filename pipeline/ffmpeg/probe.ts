import { execFile } from 'node:child_process';
import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { InputError } from '../../config/errors.js';
import type { Size } from '../../operators/types.js';
import type { RecordMode } from './arguments.js';

/** What is known of a file before it is decoded. */
export interface ProbedFile {
  /** As shown: after rotation, in stored pixels (a pixel's aspect ratio changes nothing). */
  readonly size: Size;
  readonly codec: string;
  /** Container as ffmpeg names it, such as `mov,mp4,m4a,3gp,3g2,mj2`. */
  readonly format: string;
  /** Mean frames a second, where the file tells. */
  readonly fps?: number;
  /** Seconds, where the file tells and can be believed. */
  readonly durationS?: number;
  /** Pictures announced by the container. */
  readonly frames?: number;
  /** UTC ms of pts 0: the `creation_time` tag, else the modification time. */
  readonly timeMs: number;
  readonly recordMode: RecordMode;
  /** Video streams beside the one that is used. */
  readonly otherVideos: number;
}

const PROBE_TIMEOUT_MS = 30_000;

interface ProbeStream {
  readonly index: number;
  readonly codec_type?: string;
  readonly codec_name?: string;
  readonly width?: number;
  readonly height?: number;
  readonly avg_frame_rate?: string;
  readonly r_frame_rate?: string;
  readonly nb_frames?: string;
  readonly duration?: string;
  readonly tags?: Readonly<Record<string, string>>;
  readonly disposition?: Readonly<Record<string, number>>;
  readonly side_data_list?: readonly { readonly rotation?: number }[];
}

interface Probe {
  readonly streams?: readonly ProbeStream[];
  readonly format?: {
    readonly format_name?: string;
    readonly duration?: string;
    readonly tags?: Readonly<Record<string, string>>;
  };
  readonly packets?: readonly {
    readonly stream_index?: number;
    readonly pts?: number;
    readonly dts?: number;
    readonly flags?: string;
  }[];
}

/**
 * Looks at a video file with ffprobe.
 *
 * @throws InputError when it is missing, empty, unreadable, incomplete, not a video, or has no video stream
 */
export async function probeFile(path: string): Promise<ProbedFile> {
  const info = await stat(path).catch((cause: NodeJS.ErrnoException) => {
    const why = cause.code === 'EACCES' ? 'may not be read by this user; change its permissions' : 'does not exist';
    throw new InputError(`source "${path}" ${why}${cause.code === 'EACCES' ? '' : '; give the path of a video file'}`);
  });
  if (info.size === 0) throw new InputError(`source "${path}" is empty (0 bytes); give a file with pictures in it`);
  const probe = await runProbe(path);
  const videos = (probe.streams ?? []).filter(
    ({ codec_type, disposition, width }) => codec_type === 'video' && !disposition?.attached_pic && (width ?? 0) > 0,
  );
  const video = videos[0];
  if (!video) {
    throw new InputError(`source "${path}" has no video stream, only ${contents(probe)}; give a file with video`);
  }
  const rotation = Math.abs(video.side_data_list?.find((data) => data.rotation !== undefined)?.rotation ?? 0);
  const stored = { width: video.width ?? 0, height: video.height ?? 0 };
  const format = probe.format?.format_name ?? '';
  const duration = Number(video.duration ?? (format.startsWith('matroska') ? probe.format?.duration : undefined));
  const fps = rate(video.avg_frame_rate) ?? rate(video.r_frame_rate);
  const created = Date.parse(video.tags?.creation_time ?? probe.format?.tags?.creation_time ?? '');
  return {
    size: rotation % 180 === 90 ? { width: stored.height, height: stored.width } : stored,
    codec: video.codec_name ?? 'unknown',
    format,
    ...(fps !== undefined && { fps }),
    // MPEG-TS has no length of its own: ffprobe subtracts times, which may be those of two clocks.
    ...(Number.isFinite(duration) && duration > 0 && format !== 'mpegts' && { durationS: duration }),
    ...(Number(video.nb_frames) > 0 && { frames: Number(video.nb_frames) }),
    // 1904 and 1970 stand for "not set" in MP4.
    timeMs: created > 0 ? created : info.mtimeMs,
    recordMode: recordMode(probe, video, rotation),
    otherVideos: videos.length - 1,
  };
}

/**
 * A copy is exact, free and the rule. It is no choice where Matroska would show other pictures than the decoder does:
 * a display matrix (not kept by ffmpeg 5's muxer), pictures hidden by an edit list (they would come back), no times at
 * all (elementary streams, still pictures), or a codec that Matroska does not hold.
 */
function recordMode(probe: Probe, video: ProbeStream, rotation: number): RecordMode {
  const first = probe.packets?.find(({ stream_index }) => stream_index === video.index);
  const timeless = first !== undefined && first.pts === undefined && first.dts === undefined;
  const hidden = first?.flags?.includes('D') ?? false;
  const foreign = video.codec_name === 'gif' || /_pipe$/.test(probe.format?.format_name ?? '');
  return rotation % 360 !== 0 || timeless || hidden || foreign ? 'encode' : 'copy';
}

function runProbe(path: string): Promise<Probe> {
  const args = ['-v', 'error', '-of', 'json', '-show_format', '-show_streams', '-show_packets'];
  return new Promise((resolve, reject) => {
    execFile(
      process.env.FFPROBE_PATH ?? 'ffprobe',
      [...args, '-read_intervals', '%+#24', `file:${path}`],
      { timeout: PROBE_TIMEOUT_MS, maxBuffer: 16 << 20 },
      (error, stdout, stderr) => {
        if (!error) return resolve(JSON.parse(stdout) as Probe); // ffprobe's own JSON, shape as above
        if ('code' in error && error.code === 'ENOENT') return reject(new InputError(missingTool('ffprobe')));
        refusal(path, stderr).then((message) => reject(new InputError(message, { cause: error })), reject);
      },
    );
  });
}

/** One sentence for a machine without ffmpeg. */
export function missingTool(tool: 'ffmpeg' | 'ffprobe'): string {
  return `${tool} was not found; install ffmpeg 5 or newer (Debian: apt-get install ffmpeg) or set ${tool.toUpperCase()}_PATH`;
}

async function refusal(path: string, stderr: string): Promise<string> {
  if (/Permission denied/.test(stderr)) {
    return `source "${path}" may not be read by this user; change its permissions`;
  }
  if (/moov atom not found/.test(stderr) && (await startsLikeMp4(path))) {
    return `source "${path}" is incomplete: its index is missing, the recording was cut off before its end; copy or record it again`;
  }
  return `source "${path}" is not a video that ffmpeg can read; give a video file`;
}

/** An MP4 begins with a box `ftyp` (or, without it, `mdat` or `moov`); ffmpeg says the same of any text. */
async function startsLikeMp4(path: string): Promise<boolean> {
  return /^(ftyp|mdat|moov|free|wide|skip)$/.test((await firstBytes(path, 8)).toString('latin1', 4));
}

async function firstBytes(path: string, count: number): Promise<Buffer> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(count), 0, count, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

function contents(probe: Probe): string {
  const names = (probe.streams ?? []).map(({ codec_type, disposition }) =>
    disposition?.attached_pic ? 'a cover picture' : (codec_type ?? 'data'),
  );
  return names.length > 0 ? [...new Set(names)].join(' and ') : 'nothing that is known';
}

function rate(text: string | undefined): number | undefined {
  const [num, den] = (text ?? '').split('/').map(Number);
  return num && den ? num / den : undefined;
}

const IMAGE = /\.(jpe?g|png|bmp|webp|tiff?)$/i;

/**
 * Paths of the pictures of a folder, sorted by name (numbers by value: `2.jpg` before `10.jpg`), in groups of one
 * format: ffmpeg decodes a list with the decoder of its first picture. The content decides, not the name.
 *
 * @throws InputError when there is none
 */
export async function listImages(folder: string): Promise<string[][]> {
  const order = new Intl.Collator('en', { numeric: true });
  const names = (await readdir(folder)).filter((name) => IMAGE.test(name)).sort(order.compare);
  if (names.length === 0) {
    throw new InputError(
      `source "${folder}" is a folder without pictures; put .jpg, .png, .bmp, .webp or .tiff into it`,
    );
  }
  const groups: string[][] = [];
  let last: string | undefined;
  for (const path of names.map((name) => join(folder, name))) {
    const format = await imageFormat(path);
    if (format === last) groups.at(-1)!.push(path);
    else groups.push([path]);
    last = format;
  }
  return groups;
}

/** The first bytes tell formats apart; BMP's and TIFF's are shorter than these. */
async function imageFormat(path: string): Promise<string> {
  return (await firstBytes(path, 2)).toString('hex');
}

/** The list for ffmpeg's concat demuxer; each picture lasts 1/fps s. */
export function imageList(paths: readonly string[], fps: number): string {
  // Single quotes end, an escaped one, quotes begin again: ffmpeg's own quoting rule.
  const entries = paths.map(
    (path) => `file 'file:${path.replaceAll("'", "'\\''")}'\noption pattern_type none\nduration ${1 / fps}`,
  );
  return `ffconcat version 1.0\n${entries.join('\n')}\n`;
}
