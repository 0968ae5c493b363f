import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { pino } from 'pino';
import { cameraSchema } from '../../../config/schema.js';
import type { CameraStatus, Frame, InputForm, Segment } from '../../../operators/types.js';
import { openSource, type Source, type SourceOptions } from '../../../pipeline/sources/source.js';

/** Media that the repository must not hold; tests skip loudly without it. */
export const MEDIA = '../shared/media';
export const ODD = `${MEDIA}/odd`;

/** One frame without its pixels. */
export interface Seen extends Omit<Frame, 'pixels' | 'release' | 'camera'> {
  /** The number burnt into the picture. */
  readonly number: number;
  /** Mean of each channel over every fifth pixel and row of the picture proper. */
  readonly mean: readonly [number, number, number];
}

export interface Collected {
  readonly frames: readonly Seen[];
  readonly segments: readonly Segment[];
  readonly statuses: readonly CameraStatus[];
  readonly error: unknown;
  readonly warnings: readonly string[];
  readonly stats: ReturnType<Source['stats']>;
}

/** At the size of most odd files, so that the cells with the number stay 8 pixels wide. */
export const INPUT: InputForm = { width: 320, height: 320, fit: 'letterbox-top-left', fill: 114 };

/** A log that keeps warnings as text. */
export function quietLog(warnings: string[]): SourceOptions['log'] {
  return pino(
    { level: 'info', base: null },
    { write: (line: string) => void warnings.push((JSON.parse(line) as { msg: string }).msg) },
  );
}

export function optionsFor(
  source: string,
  more: Partial<Omit<SourceOptions, 'config'>> & { config?: Record<string, unknown> } = {},
  warnings: string[] = [],
): SourceOptions {
  const { config, ...rest } = more;
  return {
    camera: 'gate',
    config: cameraSchema.parse({ source, ...config }),
    input: INPUT,
    log: quietLog(warnings),
    ...rest,
  };
}

/** Runs a source to its end, or until `until` is true for what was seen so far. */
export function collect(
  source: string,
  more: Partial<Omit<SourceOptions, 'config'>> & { config?: Record<string, unknown> } = {},
  until?: (frames: readonly Seen[]) => boolean,
): Promise<Collected> {
  const warnings: string[] = [];
  const options = optionsFor(source, more, warnings);
  const opened = openSource(options);
  const frames: Seen[] = [];
  const segments: Segment[] = [];
  const statuses: CameraStatus[] = [];
  return new Promise((resolve) => {
    const end = (error: unknown): void =>
      resolve({ frames, segments, statuses, error, warnings, stats: opened.stats() });
    opened.messages.subscribe({
      next: (message) => {
        if (message.kind === 'segment') segments.push(message.segment);
        else if (message.kind === 'status') statuses.push(message.status);
        else {
          frames.push(look(message.frame, options.input));
          message.frame.release();
          if (until?.(frames)) void opened.stop();
        }
      },
      error: end,
      complete: () => end(undefined),
    });
  });
}

function look(frame: Frame, input: InputForm): Seen {
  const { pixels, release: _release, camera: _camera, ...rest } = frame;
  return { ...rest, number: burntNumber(frame, input), mean: meanColour(frame, input) };
}

/** The number in the top left of each odd file: 12 cells of 8 source pixels, white = 1, highest bit first after a white one. */
export function burntNumber({ pixels, placement }: Frame, input: InputForm): number {
  let number = 0;
  for (let i = 1; i <= 10; i++) {
    let sum = 0;
    for (const dx of [-0.2, 0.2]) {
      for (const dy of [-0.2, 0.2]) {
        const x = Math.floor((i + 0.5 + dx) * 8 * placement.scaleX + placement.offsetX);
        const y = Math.floor((0.5 + dy) * 8 * placement.scaleY + placement.offsetY);
        sum += pixels[(y * input.width + x) * 3 + 1]!;
      }
    }
    number = number * 2 + (sum / 4 > 125 ? 1 : 0);
  }
  return number;
}

function meanColour({ pixels, placement, source }: Frame, input: InputForm): [number, number, number] {
  const width = Math.round(source.width * placement.scaleX);
  const height = Math.round(source.height * placement.scaleY);
  const sums: [number, number, number] = [0, 0, 0];
  let count = 0;
  for (let y = 0; y < height; y += 5) {
    for (let x = 0; x < width; x += 5) {
      count++;
      const at = ((y + placement.offsetY) * input.width + x + placement.offsetX) * 3;
      sums[0] += pixels[at]!;
      sums[1] += pixels[at + 1]!;
      sums[2] += pixels[at + 2]!;
    }
  }
  return sums.map((sum) => sum / count) as [number, number, number]; // three in, three out
}

/**
 * Times (s) of the pictures in the segments, in order. Packets, not decoded pictures: the leading pictures of an open
 * GOP decode only together with the segment before.
 */
export function segmentTimes(segments: readonly Segment[]): number[] {
  return segments.flatMap(({ path }) => {
    const args = ['-v', 'error', '-show_entries', 'packet=pts_time', '-of', 'csv=p=0', `file:${path}`];
    const { stdout } = spawnSync('ffprobe', args, { encoding: 'utf8' });
    const times = stdout.split(/[\s,]+/).filter((text) => text !== '');
    return times.map(Number).sort((a, b) => a - b);
  });
}

/** Reason to skip, said aloud. */
export function missingMedia(path: string): boolean {
  if (existsSync(path)) return false;
  console.warn(`SKIPPED: ${path} is not there`);
  return true;
}
