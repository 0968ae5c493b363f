import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { fillRect, type YuvPicture, yuvPicture } from '../../operators/drawing/picture.js';
import type { BoxXyxy, Segment, Size } from '../../operators/types.js';
import { probeClip, startDecode } from '../../pipeline/ffmpeg/media-jobs.js';
import { evenSize } from '../../pipeline/recording/annotate.js';
import { rawPictureHead, rawVideoHeader, readRawVideo } from '../../pipeline/recording/matroska/raw-video.js';

/**
 * Videos of which every picture carries its own number (12 cells of 8 × 8 pixels at the top left: white, ten bits with
 * the highest first, black) and a square whose place follows from the number. So a test can tell which picture it sees.
 */

const run = promisify(execFile);
const CELL = 8;
const SQUARE = 40;
const WHITE = { y: 235, u: 128, v: 128 };
const BLACK = { y: 16, u: 128, v: 128 };

export interface NumberedVideoOptions extends Size {
  /** Times of the pictures: a rate such as `30000/1001`, or each one in whole milliseconds, rising from 0. */
  readonly times: { readonly rate: string; readonly count: number } | readonly number[];
  /** Codec and its settings, such as `['-c:v', 'libx264', '-bf', '3']`. */
  readonly encoder: readonly string[];
}

/** Box of the square in picture `number`; at least 4 pixels away from those of the pictures beside it. */
export function squareOf(number: number, { width, height }: Size): BoxXyxy {
  const bounce = (distance: number, room: number): number => {
    const at = distance % (2 * room);
    return at <= room ? at : 2 * room - at;
  };
  const x = bounce(20 + number * 6, width - SQUARE - 20) + 10;
  const y = bounce(number * 4, height - SQUARE - 40) + 30;
  return [x, y, x + SQUARE, y + SQUARE];
}

/** Writes the video to `path`; the container is that of its name. */
export async function writeNumberedVideo(path: string, options: NumberedVideoOptions): Promise<void> {
  const { width, height, times, encoder } = options;
  const [count, input] =
    'rate' in times
      ? [times.count, ['-f', 'rawvideo', '-pix_fmt', 'yuv420p', '-s', `${width}x${height}`, '-r', times.rate]]
      : [times.length, ['-f', 'matroska']];
  const passthrough = 'rate' in times ? [] : ['-fps_mode', 'passthrough', '-enc_time_base', '1/1000'];
  const child = spawn(
    'ffmpeg',
    ['-v', 'error', ...input, '-i', 'pipe:0', ...passthrough, ...encoder, '-y', `file:${path}`],
    { stdio: ['pipe', 'ignore', 'inherit'] },
  );
  const closed = once(child, 'close');
  if (!('rate' in times)) child.stdin.write(rawVideoHeader({ width, height }));
  for (let number = 0; number < count; number++) {
    const bytes = Buffer.alloc((width * height * 3) / 2, 128);
    drawNumbered(yuvPicture(bytes, { width, height }), number);
    if (!('rate' in times)) child.stdin.write(rawPictureHead(times[number]!, bytes.length));
    if (!child.stdin.write(bytes)) await once(child.stdin, 'drain');
  }
  child.stdin.end();
  const [code] = (await closed) as [number];
  if (code !== 0) throw new Error(`ffmpeg ended with ${code}`);
}

function drawNumbered(picture: YuvPicture, number: number): void {
  fillRect(picture, 0, 0, picture.width, picture.height, { y: 90, u: 128, v: 128 });
  for (let bar = 0; bar < picture.width; bar += 32)
    fillRect(picture, bar, 24, bar + 16, picture.height, { y: 110, u: 128, v: 128 });
  for (let cell = 0; cell < 12; cell++) {
    const white = cell === 0 || (cell < 11 && (number >> (10 - cell)) & 1);
    fillRect(picture, cell * CELL, 0, (cell + 1) * CELL, CELL, white ? WHITE : BLACK);
  }
  const [x1, y1, x2, y2] = squareOf(number, picture);
  fillRect(picture, x1, y1, x2, y2, { y: 200, u: 128, v: 128 });
}

/** Number that a picture carries; -1 when its frame of cells is not there. */
export function numberOf({ y, width }: YuvPicture): number {
  const cells = Array.from({ length: 12 }, (_, cell) => {
    let sum = 0;
    for (let i = 2; i < 6; i++) for (let j = 2; j < 6; j++) sum += y[i * width + cell * CELL + j]!;
    return sum / 16 > 125 ? 1 : 0;
  });
  if (cells[0] !== 1 || cells[11] !== 0) return -1;
  return cells.slice(1, 11).reduce<number>((number, bit) => number * 2 + bit, 0);
}

/** Every picture of a video as a decoder shows it, with its second. */
export async function readPictures(path: string): Promise<{ readonly tS: number; readonly picture: YuvPicture }[]> {
  const probe = await probeClip(path);
  const decode = startDecode(path, probe);
  const pictures: { tS: number; picture: YuvPicture }[] = [];
  for await (const { ptsMs, bytes } of readRawVideo(decode.stdout)) {
    pictures.push({ tS: ptsMs / 1000, picture: yuvPicture(Buffer.from(bytes), evenSize(probe.size)) });
  }
  await decode.done;
  return pictures;
}

/** Cuts a video into segments as the recorder of a camera does: copies, with the times of the source. */
export async function cutSegments(
  path: string,
  folder: string,
  { camera, epoch = 0, segmentS = 2, pts0Time = 0 }: Partial<Segment> & { camera: string; segmentS?: number },
): Promise<Segment[]> {
  const list = join(folder, 'segments.csv');
  await run('ffmpeg', [
    ...['-v', 'error', '-copyts', '-i', `file:${path}`, '-map', '0', '-c', 'copy', '-copytb', '1'],
    ...['-copypriorss', '1', '-avoid_negative_ts', 'disabled', '-f', 'segment', '-segment_format', 'matroska'],
    ...['-segment_time', String(segmentS), '-segment_list', list, '-y', join(folder, 's%03d.mkv')],
  ]);
  const lines = (await readFile(list, 'utf8')).trim().split('\n');
  return lines.map((line) => {
    const [name, start, end] = line.split(',');
    return { camera, epoch, path: join(folder, name!), startPts: Number(start), endPts: Number(end), pts0Time };
  });
}

/** Whether a file is there. */
export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
