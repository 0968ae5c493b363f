import { open, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { TrackedFrame } from '../../operators/types.js';
import { type ClipProbe, type MediaJob, probeClip, startCopy, startReencode } from '../ffmpeg/media-jobs.js';
import { annotateClip } from './annotate.js';
import { bestMoment, renderBest } from './best-moment.js';
import { type Cut, cutClip } from './cut.js';
import { readSegmentFile, type SegmentFile, writeSegmentFile } from './matroska/segment-file.js';
import { type ClipPicture, placeFrames, SIDECAR_SCHEMA, type Sidecar } from './sidecar.js';

/** Names of the files in a clip's folder. */
export const CLIP_FILES = {
  clip: 'clip.mp4',
  annotated: 'annotated.mp4',
  best: 'best.jpg',
  tracks: 'tracks.json',
} as const;

/** Everything that a clip is made of; plain data, for it goes to another thread. */
export interface ClipJob {
  /** Existing folder that the files are written into. */
  readonly folder: string;
  readonly clip: string;
  readonly event: string;
  readonly camera: string;
  readonly model: Sidecar['model'];
  /** Segment files in order of time. */
  readonly segments: readonly string[];
  /** UTC ms of pts 0. */
  readonly pts0Time: number;
  /** Range of source time to cover, s. */
  readonly fromPts: number;
  readonly toPts: number;
  /** A time that the event is about, s: decides between segments that cannot be joined. */
  readonly anchorPts: number;
  readonly annotate: boolean;
  /** Analysed frames of the range and around it, by rising pts. */
  readonly frames: readonly TrackedFrame[];
}

/** What became of it. */
export interface ClipResult {
  /** UTC ms. */
  readonly start: number;
  readonly end: number;
  readonly duration: number;
  readonly annotated: boolean;
  /** What is not as wished, in one sentence. */
  readonly note?: string;
  readonly best: Uint8Array;
}

/** What the disk says when it is not there, full, or not ours. */
export const DISK_TROUBLE =
  /E(NOSPC|ACCES|PERM|ROFS|IO|DQUOT|NOENT|NOTDIR)\b|No space left|Disk quota|Permission denied|Read-only|minFree/;

/** Two files tell the time of one picture at most so far apart, ms: segments and clips both hold whole milliseconds. */
const EXACT_MS = 0.6;
export const NOT_RENDERED =
  'annotated.mp4 was left out because the program was ending; "maskcast clip render" makes it';

/**
 * Makes the files of a clip and has them on the disk when it returns.
 *
 * @param hurry  gives up rendering; the clip is then whole but for annotated.mp4
 * @throws Error with a reason for the user when there is nothing to show or the disk does not take it
 */
export async function makeClip(job: ClipJob, hurry: AbortSignal): Promise<ClipResult> {
  const path = (name: keyof typeof CLIP_FILES): string => join(job.folder, CLIP_FILES[name]);
  const cut = cutClip(await readSegments(job.segments), job.fromPts * 1000, job.toPts * 1000, job.anchorPts * 1000);
  if (!cut) throw new Error('no recorded segment shows the event');
  const { probe, pictures, note } = await writeClip(path('clip'), cut);

  const frames = placeFrames(job.frames, pictures);
  const start = job.pts0Time + cut.picturesMs[0]!;
  const end = start + probe.durationS * 1000;
  const sidecar: Sidecar = {
    schema: SIDECAR_SCHEMA,
    clip: job.clip,
    event: job.event,
    camera: job.camera,
    model: job.model,
    source: { ...(job.frames[0]?.source ?? probe.size), fps: Math.round(probe.fps * 1000) / 1000 },
    start: new Date(start).toISOString(),
    end: new Date(end).toISOString(),
    offset: cut.picturesMs[0]! / 1000,
    frames,
  };
  await writeFile(path('tracks'), JSON.stringify(sidecar));
  const best = await renderBest(path('clip'), probe, bestMoment(sidecar, job.event), sidecar.source);
  await writeFile(path('best'), best);

  const notes = note ? [note] : [];
  let annotated = false;
  if (job.annotate) {
    try {
      await annotateClip(path('clip'), path('annotated'), probe, sidecar, { signal: hurry });
      annotated = true;
    } catch (cause) {
      const reason = (cause as Error).message;
      if (!hurry.aborted && DISK_TROUBLE.test(reason)) throw cause;
      await rm(path('annotated'), { force: true });
      notes.push(hurry.aborted ? NOT_RENDERED : `annotated.mp4 could not be made: ${reason}`);
    }
  }
  for (const name of ['clip', 'tracks', 'best', ...(annotated ? ['annotated' as const] : [])] as const) {
    await syncToDisk(path(name));
  }
  await syncToDisk(job.folder);
  return {
    start,
    end,
    duration: probe.durationS,
    annotated,
    best,
    ...(notes.length > 0 && { note: notes.join('; ') }),
  };
}

/** Waits until the disk has a file, or the names of a folder. */
export async function syncToDisk(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Segments that are gone or broken are passed over: what is left of the event is worth having. */
async function readSegments(paths: readonly string[]): Promise<SegmentFile[]> {
  const files: SegmentFile[] = [];
  let broken: unknown;
  for (const path of paths) {
    try {
      files.push(readSegmentFile(await readFile(path)));
    } catch (cause) {
      broken = cause;
    }
  }
  if (files.length === 0 && broken) throw new Error(`no segment could be read: ${(broken as Error).message}`);
  return files;
}

/** Copies the packets; where the copy would not show the same pictures at the same times, they are encoded. */
async function writeClip(
  path: string,
  cut: Cut,
): Promise<{ probe: ClipProbe; pictures: readonly ClipPicture[]; note?: string }> {
  const hevc = cut.codec === 'V_MPEGH/ISO/HEVC';
  for (const earlyDts of cut.copyable ? [false, true] : []) {
    const refused = await feed(startCopy(path, { hevc, earlyDts }), cut).catch((cause: Error) => cause);
    if (refused && DISK_TROUBLE.test(refused.message)) throw refused;
    if (refused) continue;
    const probe = await probeClip(path);
    const pictures = showTimes(cut.picturesMs, probe.timesS);
    if (probe.timesS.length === pictures.length && pictures.length === cut.picturesMs.length)
      return { probe, pictures };
  }
  await feed(startReencode(path), cut);
  const probe = await probeClip(path);
  return {
    probe,
    pictures: showTimes(cut.picturesMs, probe.timesS),
    note: `clip.mp4 was encoded anew: MP4 does not hold the camera's ${cut.codec} as it is`,
  };
}

async function feed(job: MediaJob, cut: Cut): Promise<void> {
  const written = pipeline(Readable.from(writeSegmentFile(cut, cut.packets, showDurations(cut))), job.stdin).catch(
    () => undefined,
  );
  job.stdout.resume();
  await job.done; // tells more than the broken pipe of its input
  await written;
}

/**
 * How long each picture is shown, by its time. Cameras' files do not say, and without it ffmpeg's MP4 ends with the
 * beginning of the last picture, which is then never seen.
 */
function showDurations({ picturesMs }: Cut): ReadonlyMap<number, number> {
  const last = picturesMs.length - 1;
  const usual = last > 0 ? picturesMs[last]! - picturesMs[last - 1]! : 40;
  return new Map(picturesMs.map((ptsMs, i) => [ptsMs, (picturesMs[i + 1] ?? ptsMs + usual) - ptsMs]));
}

/** Pictures of the cut that the clip shows where they belong: second 0 is the first one. */
function showTimes(picturesMs: readonly number[], timesS: readonly number[]): ClipPicture[] {
  let at = 0;
  return picturesMs.flatMap((sourceMs) => {
    const expectedMs = sourceMs - picturesMs[0]!;
    while (at < timesS.length && timesS[at]! * 1000 < expectedMs - EXACT_MS) at++;
    const tS = timesS[at];
    return tS !== undefined && Math.abs(tS * 1000 - expectedMs) <= EXACT_MS ? [{ sourceMs, tS }] : [];
  });
}
