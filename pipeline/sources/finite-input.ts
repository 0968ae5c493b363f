import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { InputError } from '../../config/errors.js';
import type { CameraConfig } from '../../config/schema.js';
import type { RecordMode } from '../ffmpeg/arguments.js';
import type { SourceKind } from '../ffmpeg/input-kind.js';
import { imageList, listImages, type ProbedFile, probeFile } from '../ffmpeg/probe.js';

/** A source that ends: a file or a folder of images, looked at before the start. */
export interface FiniteInput {
  /** In quotes, for messages. */
  readonly name: string;
  /** UTC ms of pts 0. */
  readonly timeMs: number;
  /** `none`: a folder of images is no recording. */
  readonly recordMode: RecordMode | 'none';
  /** Seconds between pictures, where known. */
  readonly intervalS?: number;
  /** Number of pictures of a folder. */
  readonly images?: number;
  /** Lists of images for ffmpeg's stdin, one for each run. */
  readonly lists?: readonly string[];
  /** Worth a line in the log. */
  readonly note?: string;
  readonly probed?: ProbedFile;
}

/** Pictures of a folder have no time of their own: one a second. */
const DEFAULT_IMAGE_FPS = 1;

/**
 * @returns undefined for sources that go on
 * @throws InputError naming the camera when the file is refused
 */
export async function openFinite(
  kind: SourceKind,
  config: CameraConfig,
  camera: string,
): Promise<FiniteInput | undefined> {
  if (kind !== 'file' && kind !== 'images') return undefined;
  try {
    const name = `"${basename(config.source)}"`;
    if (kind === 'images') {
      const groups = await listImages(config.source);
      const count = groups.flat().length;
      const { mtimeMs } = await stat(config.source);
      return {
        name,
        timeMs: mtimeMs,
        recordMode: 'none',
        intervalS: 1 / (config.fps ?? DEFAULT_IMAGE_FPS),
        images: count,
        lists: groups.map((paths) => imageList(paths, config.fps ?? DEFAULT_IMAGE_FPS)),
        note: `${count} pictures; a folder of images is analysed, not recorded`,
      };
    }
    const probed = await probeFile(config.source);
    const others = probed.otherVideos;
    return {
      name,
      timeMs: probed.timeMs,
      recordMode: probed.recordMode,
      probed,
      ...(probed.fps !== undefined && { intervalS: 1 / Math.min(probed.fps, config.fps ?? probed.fps) }),
      ...(others > 0 && {
        note: `source ${name} has ${others + 1} video streams; the first one is analysed and recorded`,
      }),
    };
  } catch (error) {
    if (error instanceof InputError) throw new InputError(`camera ${camera}: ${error.message}`, { cause: error });
    throw error;
  }
}

/** Frames to come, for a progress bar; undefined where the container does not tell. */
export function expectedFrames({ images, probed }: FiniteInput, fps: number | undefined): number | undefined {
  if (images !== undefined) return images;
  if (!probed) return undefined;
  const { durationS, frames, fps: own } = probed;
  // A container also counts what its edit list hides, so the length has a say as well.
  const within = (rate: number | undefined): number[] =>
    durationS !== undefined && rate !== undefined ? [Math.max(1, Math.ceil(durationS * rate - 0.01))] : [];
  const bounds = [...(frames === undefined ? [] : [frames]), ...within(own), ...within(fps)];
  return bounds.length > 0 ? Math.min(...bounds) : undefined;
}

export interface EndOfFile {
  readonly frames: number;
  readonly lastPtsS: number;
  readonly intervalS: number;
  readonly errors: number;
  /** No rate was set, so frames may be compared with the container's count. */
  readonly everyFrame: boolean;
  readonly finite: FiniteInput | undefined;
}

/** What to say of a file that ended too early or had errors; undefined when all was well. */
export function endOfFile({ frames, lastPtsS, intervalS, errors, everyFrame, finite }: EndOfFile): string | undefined {
  const { durationS, frames: announced } = finite?.probed ?? {};
  const reached = lastPtsS + intervalS;
  // Lengths are given with the last picture's duration, which for a variable rate is anyone's guess.
  const early = durationS !== undefined && durationS - reached > Math.max(1, 0.05 * durationS);
  const damage = errors > 0 ? `${errors} decoder errors` : '';
  if (!early) return damage === '' ? undefined : `is damaged: ${damage}; ${frames} frames were delivered`;
  const count = everyFrame && announced ? `${frames} of ${announced} frames` : `${frames} frames`;
  const span = `${reached.toFixed(1)} of ${durationS.toFixed(1)} s`;
  return `ended early: ${count}, ${span}${damage && `, ${damage}`}; the file was cut off or is damaged`;
}
