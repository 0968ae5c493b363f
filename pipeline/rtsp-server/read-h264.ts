import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { InputError } from '../../config/errors.js';
import type { Log } from '../log.js';
import { buildTrack, type H264Track, parsePacketList } from './h264-track.js';

/**
 * Reads a video file's first video stream as H.264 access units with their exact times. H.264 is copied untouched,
 * B-frames and all; anything else, and H.264 without times, is encoded once (libx264, no B-frames, a key picture a
 * second). The stream stays in memory: meant for clips, not for hours.
 *
 * Rotation and pixel aspect that only the container knows are lost, as they are with many real cameras.
 *
 * @throws InputError when ffmpeg is missing, or the file is not a readable video
 */
export async function readH264(file: string, log: Log): Promise<H264Track> {
  const codec = await videoCodec(file);
  if (codec === 'h264') {
    const track = await readPackets(file, ['-c:v', 'copy', '-copytb', '1'], log);
    if (track) return track;
    log.info({ file }, 'its H.264 stream has no usable times or parameter sets, so it is encoded anew');
  } else {
    log.info({ file, codec }, 'not H.264, so it is encoded once before it is served');
  }
  const encode = ['-c:v', 'libx264', '-preset', 'veryfast', '-crf', '20', '-bf', '0', '-pix_fmt', 'yuv420p'];
  const times = ['-fps_mode', 'passthrough', '-enc_time_base', '1/90000', '-force_key_frames', 'expr:gte(t,n_forced)'];
  // yuv420p needs even sides.
  const track = await readPackets(file, ['-vf', 'crop=trunc(iw/2)*2:trunc(ih/2)*2', ...encode, ...times], log);
  if (!track)
    throw new InputError(`${file}: no picture could be read from it; give the RTSP server a playable video file`);
  return track;
}

/** Codec name of the first video stream that is not a cover picture. */
async function videoCodec(file: string): Promise<string> {
  const args = ['-v', 'error', '-select_streams', 'V:0', '-show_entries', 'stream=codec_name', '-of', 'csv=p=0'];
  const { code, stdout, stderr } = await runTool('ffprobe', [...args, file], false);
  const codec = stdout.toString().trim().split('\n')[0]?.replace(/,.*$/, '') ?? '';
  if (code !== 0) {
    throw new InputError(
      `${file}: cannot be read as a video (${lastLine(stderr)}); give the RTSP server a playable video file`,
    );
  }
  if (!codec) throw new InputError(`${file}: has no video stream; give the RTSP server a playable video file`);
  return codec;
}

/**
 * One ffmpeg run with two outputs of the very same packets: their bytes (Annex B) on stdout, their sizes and times on
 * descriptor 3. `-f tee` keeps the two alike; a container on one pipe would round the times (FLV) or need a parser.
 */
async function readPackets(file: string, codec: readonly string[], log: Log): Promise<H264Track | undefined> {
  const outputs = '[f=h264:bsfs/v=h264_mp4toannexb]pipe:1|[f=framecrc:bsfs/v=h264_mp4toannexb]pipe:3';
  const args = ['-v', 'error', '-nostdin', '-i', file, '-map', '0:V:0', ...codec, '-f', 'tee', outputs];
  const { code, stdout, extra, stderr } = await runTool('ffmpeg', args, true);
  const { secondsPerTick, packets } = parsePacketList(extra.toString('latin1'));
  if (code !== 0 && !packets?.length) {
    throw new InputError(
      `${file}: ffmpeg cannot read it (${lastLine(stderr)}); give the RTSP server a playable video file`,
    );
  }
  if (stderr) log.warn({ file, reason: lastLine(stderr) }, 'the file is damaged; what could be read of it is served');
  return packets && buildTrack(stdout, packets, secondsPerTick);
}

interface ToolResult {
  readonly code: number | null;
  readonly stdout: Buffer;
  /** Descriptor 3. */
  readonly extra: Buffer;
  readonly stderr: string;
}

async function runTool(tool: 'ffmpeg' | 'ffprobe', args: readonly string[], withExtra: boolean): Promise<ToolResult> {
  const child = spawn(tool, args, { stdio: ['ignore', 'pipe', 'pipe', withExtra ? 'pipe' : 'ignore'] });
  const collect = (stream: unknown): Buffer[] => {
    const chunks: Buffer[] = [];
    // With the `stdio` above each of these is a pipe; the types of `spawn` cannot say so for descriptor 3.
    (stream as Readable | null)?.on('data', (chunk: Buffer) => chunks.push(chunk));
    return chunks;
  };
  const [stdout, stderr, extra] = [child.stdout, child.stderr, child.stdio[3]].map(collect);
  try {
    const [code] = await once(child, 'close');
    return {
      // `close` gives a number, or null after a signal.
      code: code as number | null,
      stdout: Buffer.concat(stdout!),
      extra: Buffer.concat(extra!),
      stderr: Buffer.concat(stderr!).toString(),
    };
  } catch (cause) {
    throw new InputError(`${tool} cannot be started; install ffmpeg 5 or newer (Debian: apt install ffmpeg)`, {
      cause,
    });
  }
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) || 'no reason given';
}
