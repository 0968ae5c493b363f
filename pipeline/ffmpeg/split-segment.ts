import { execFile } from 'node:child_process';
import { rename, rm } from 'node:fs/promises';
import type { Size } from '../../operators/types.js';
import { encodeOptions } from './arguments.js';
import { readFfmpegLine } from './frame-lines.js';

/** A segment file and the times (s) of its first and of the end of its last picture. */
export interface SegmentFile {
  readonly path: string;
  readonly startS: number;
  readonly endS: number;
}

/** Pictures of one size that follow each other. */
interface Stretch {
  readonly size: Size;
  readonly fromS: number;
  toS: number;
}

/** Decoding or encoding one segment; far more than it takes. */
const TIMEOUT_MS = 60_000;

/**
 * Splits a segment in which the picture changes its size, so that no file goes across the change. The parts are encoded:
 * in a copy the second one would keep the first one's header, and its players the old size. Times stay as they are.
 *
 * @returns the parts in order, or the segment itself when all its pictures are of one size; the original is deleted
 * @throws Error when ffmpeg fails; the original is then still there
 */
export async function splitSegment(segment: SegmentFile): Promise<SegmentFile[]> {
  const stretches = sizesOver(
    await ffmpeg(['-i', `file:${segment.path}`, '-vf', 'showinfo=checksum=0', '-f', 'null', '-']),
  );
  if (stretches.length < 2) return [segment];
  const parts = stretches.map(({ fromS }, index) => ({
    path: segment.path.replace(/\.mkv$/, `-${index}.mkv`),
    startS: index === 0 ? segment.startS : fromS,
    endS: stretches[index + 1]?.fromS ?? segment.endS,
  }));
  const outputs = parts.flatMap(({ path }, index) => {
    const { fromS, toS } = stretches[index]!;
    const wanted = `select='between(t,${fromS - 0.0005},${toS + 0.0005})'`;
    // The encoder takes the size of its first picture; ffmpeg would else scale all to the first one of the file.
    return [...encodeOptions(3600, wanted), '-autoscale', '0', '-f', 'matroska', '-y', `file:${path}.part`];
  });
  await ffmpeg(['-i', `file:${segment.path}`, ...outputs]);
  for (const { path } of parts) await rename(`${path}.part`, path);
  await rm(segment.path);
  return parts;
}

/**
 * Times of a segment whose end ffmpeg could not announce, because it was killed.
 *
 * @returns undefined when nothing in the file can be read
 */
export function segmentSpan(path: string): Promise<SegmentFile | undefined> {
  const args = ['-v', 'error', '-show_entries', 'packet=pts_time,duration_time', '-of', 'csv=p=0', `file:${path}`];
  return new Promise((resolve) => {
    execFile(
      process.env.FFPROBE_PATH ?? 'ffprobe',
      args,
      { timeout: TIMEOUT_MS, maxBuffer: 64 << 20 },
      (_error, stdout) => {
        // A torn file makes ffprobe fail at its end; what it read until then counts.
        const packets = stdout
          .split('\n')
          .filter((line) => line !== '')
          .map((line) => line.split(',').map(Number));
        const times = packets.flatMap(([pts]) => (pts !== undefined && Number.isFinite(pts) ? [pts] : []));
        const last = times.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
        const lasting = packets.find(([pts]) => pts === last)?.[1];
        resolve(
          times.length > 0
            ? { path, startS: times.reduce((a, b) => Math.min(a, b)), endS: last + (lasting || 0) }
            : undefined,
        );
      },
    );
  });
}

function sizesOver(stderr: string): Stretch[] {
  const stretches: Stretch[] = [];
  let tick = { num: 1, den: 1000 };
  for (const line of stderr.split('\n').map(readFfmpegLine)) {
    if (line.kind === 'timeBase') tick = line;
    if (line.kind !== 'frame') continue;
    const ptsS = (line.ticks * tick.num) / tick.den;
    const last = stretches.at(-1);
    if (last && last.size.width === line.size.width && last.size.height === line.size.height) last.toS = ptsS;
    else stretches.push({ size: line.size, fromS: ptsS, toS: ptsS });
  }
  return stretches;
}

function ffmpeg(args: readonly string[]): Promise<string> {
  const common = ['-hide_banner', '-nostats', '-nostdin', '-loglevel', 'level+info', '-copyts'];
  return new Promise((resolve, reject) => {
    execFile(
      process.env.FFMPEG_PATH ?? 'ffmpeg',
      [...common, ...args],
      { timeout: TIMEOUT_MS, maxBuffer: 64 << 20 },
      (error, _stdout, stderr) => (error ? reject(error) : resolve(stderr)),
    );
  });
}
