import type { Size } from '../../operators/types.js';

/** What ffmpeg says on stderr and we act on. Lines of other threads may stand in the same line, so nothing is anchored. */
export type FfmpegLine =
  /** Seconds of a tick as a fraction: 2.9 s stays 2.9 s. */
  | { readonly kind: 'timeBase'; readonly num: number; readonly den: number }
  | { readonly kind: 'frame'; readonly ticks: number; readonly size: Size }
  | { readonly kind: 'opened'; readonly file: string }
  | { readonly kind: 'segment'; readonly file: string; readonly startS: number; readonly endS: number }
  | { readonly kind: 'error'; readonly text: string }
  | { readonly kind: 'other'; readonly text: string };

const TIME_BASE = /config in time_base: (\d+)\/(\d+)/;
const FRAME = /n: *\d+ pts: *(-?\d+|NOPTS) .*? s:(\d+)x(\d+) /;
/** Second line that showinfo prints for each frame, and the first words of its side data. */
const NOISE = /Parsed_showinfo_\d+ @ /;
const OPENED = /Opening '.*?([\w-]+\.mkv)' for writing/;
const SEGMENT = /([\w-]+\.mkv),(-?[\d.]+),(-?[\d.]+)/;

/** Understands one line of `ffmpeg -loglevel level+info` with `showinfo` and a segment list on stderr. */
export function readFfmpegLine(line: string): FfmpegLine {
  const frame = FRAME.exec(line);
  if (frame) {
    const ticks = frame[1] === 'NOPTS' ? Number.NaN : Number(frame[1]);
    return { kind: 'frame', ticks, size: { width: Number(frame[2]), height: Number(frame[3]) } };
  }
  const segment = SEGMENT.exec(line);
  if (segment) return { kind: 'segment', file: segment[1]!, startS: Number(segment[2]), endS: Number(segment[3]) };
  const opened = OPENED.exec(line);
  if (opened) return { kind: 'opened', file: opened[1]! };
  const base = TIME_BASE.exec(line);
  if (base) return { kind: 'timeBase', num: Number(base[1]), den: Number(base[2]) };
  if (/\[(error|fatal|panic)\]/.test(line)) return { kind: 'error', text: line };
  return { kind: 'other', text: NOISE.test(line) ? '' : line };
}
