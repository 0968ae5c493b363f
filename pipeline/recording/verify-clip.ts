import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { type ClipProbe, countDecodedFrames, probeClip } from '../ffmpeg/media-jobs.js';
import { CLIP_FILES } from './make-clip.js';
import { readSidecar, type Sidecar } from './sidecar.js';

/** What a check of a clip's folder found. */
export interface ClipReport {
  /** Pictures of clip.mp4 that its container tells, and those that a decoder gives. */
  readonly pictures: number;
  readonly decoded: number;
  /** Analysed frames in the sidecar. */
  readonly analysed: number;
  readonly annotated: boolean;
  /** One sentence each; empty when all is well. */
  readonly problems: readonly string[];
}

/** Times of one picture in two of the files differ by less than this, ms. */
const SAME_PICTURE_MS = 0.75;
/** Source times are whole milliseconds in a clip, and cameras round too, ms. */
const SOURCE_TIME_MS = 2;

/** Checks a clip's folder: files there and readable, sidecar as its schema says, every analysed frame on its picture. */
export async function verifyClip(folder: string): Promise<ClipReport> {
  const problems: string[] = [];
  const attempt = async <T>(what: string, action: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await action();
    } catch (cause) {
      problems.push(`${what}: ${(cause as Error).message}`);
      return undefined;
    }
  };
  const path = (name: keyof typeof CLIP_FILES): string => join(folder, CLIP_FILES[name]);

  const clip = await attempt(CLIP_FILES.clip, () => probeClip(path('clip')));
  const decoded = clip && (await attempt(CLIP_FILES.clip, () => countDecodedFrames(path('clip'))));
  if (clip && decoded !== undefined && decoded < clip.timesS.length) {
    problems.push(`${CLIP_FILES.clip}: ${decoded} of ${clip.timesS.length} pictures can be decoded`);
  }
  const sidecar = await attempt(CLIP_FILES.tracks, () => readSidecar(path('tracks')));
  await attempt(CLIP_FILES.best, async () => void (await sharp(await readFile(path('best'))).stats()));
  if (clip && sidecar) problems.push(...timeProblems(clip, sidecar));

  const annotated = await stat(path('annotated')).then(
    () => true,
    () => false,
  );
  if (annotated && clip) {
    await attempt(CLIP_FILES.annotated, async () => {
      const { timesS } = await probeClip(path('annotated'));
      // Pictures that cannot be decoded cannot be drawn on either.
      const strangers = timesS.filter((tS) => !isShownAt(clip.timesS, tS)).length;
      if (strangers > 0)
        throw new Error(`${strangers} of ${timesS.length} pictures have no picture of clip.mp4 at their time`);
      const count = await countDecodedFrames(path('annotated'));
      if (count !== (decoded ?? count)) throw new Error(`${count} pictures; clip.mp4 gives ${decoded}`);
    });
  }
  return {
    pictures: clip?.timesS.length ?? 0,
    decoded: decoded ?? 0,
    analysed: sidecar?.frames.length ?? 0,
    annotated,
    problems,
  };
}

function timeProblems(clip: ClipProbe, { frames, offset, source }: Sidecar): string[] {
  const problems: string[] = [];
  const lost = frames.filter(({ t }) => !isShownAt(clip.timesS, t));
  if (lost.length > 0) {
    problems.push(
      `tracks.json: ${lost.length} of ${frames.length} frames have no picture, the first at t = ${lost[0]!.t}`,
    );
  }
  const moved = frames.filter(({ pts, t }) => Math.abs(offset + t - pts) * 1000 > SOURCE_TIME_MS);
  if (moved.length > 0) {
    problems.push(`tracks.json: ${moved.length} frames are not at pts = offset + t, the first at t = ${moved[0]!.t}`);
  }
  if (frames.some(({ t }, i) => i > 0 && t <= frames[i - 1]!.t)) problems.push('tracks.json: t does not rise');
  if (source.width !== clip.size.width || source.height !== clip.size.height) {
    const even = (side: number): number => side + (side % 2);
    if (even(source.width) !== clip.size.width || even(source.height) !== clip.size.height) {
      problems.push(
        `tracks.json: boxes are those of ${source.width} × ${source.height}, clip.mp4 is ${clip.size.width} × ${clip.size.height}`,
      );
    }
  }
  return problems;
}

/** @param timesS  rising */
function isShownAt(timesS: readonly number[], tS: number): boolean {
  let low = 0;
  let high = timesS.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (timesS[middle]! * 1000 < tS * 1000 - SAME_PICTURE_MS) low = middle + 1;
    else high = middle;
  }
  return low < timesS.length && Math.abs(timesS[low]! - tS) * 1000 <= SAME_PICTURE_MS;
}
