import { once } from 'node:events';
import type { Matrix } from '../../operators/drawing/colour.js';
import { createInstanceDrawer, type DrawnInstance } from '../../operators/drawing/draw-instances.js';
import { instancesAt, type TimedInstances } from '../../operators/drawing/instances-at.js';
import { yuvPicture } from '../../operators/drawing/picture.js';
import type { Instance, Size } from '../../operators/types.js';
import { type ClipProbe, type MediaJob, startDecode, startEncode } from '../ffmpeg/media-jobs.js';
import { rawPictureHead, rawVideoHeader, readRawVideo } from './matroska/raw-video.js';
import type { Sidecar } from './sidecar.js';

/** Pictures decoded, and written with what was drawn on them. */
export interface Annotated {
  readonly pictures: number;
}

/**
 * Draws what the sidecar tells onto the pictures of a clip, each at its own time.
 *
 * @param signal  gives up: ffmpeg is ended at once
 * @param onPicture  called after each picture
 * @throws Error when a picture cannot be decoded at all, the encoder fails, or `signal` came
 */
export async function annotateClip(
  clip: string,
  output: string,
  probe: ClipProbe,
  sidecar: Pick<Sidecar, 'frames' | 'source'>,
  { signal, onPicture }: { readonly signal?: AbortSignal; readonly onPicture?: () => void } = {},
): Promise<Annotated> {
  const size = evenSize(probe.size);
  const draw = createInstanceDrawer(size.height, matrixOf(probe));
  const frames: TimedInstances[] = sidecar.frames.map(({ t, instances }) => ({
    tMs: t * 1000,
    instances: instances as readonly Instance[], // without a mask the key is absent, as in Instance
  }));
  const decode = startDecode(clip, probe);
  const encode = startEncode(output, probe, clip);
  const giveUp = (): void => {
    decode.kill();
    encode.kill();
  };
  signal?.addEventListener('abort', giveUp);
  let pictures = 0;
  try {
    signal?.throwIfAborted();
    await write(encode, rawVideoHeader(size));
    for await (const { ptsMs, bytes } of readRawVideo(decode.stdout)) {
      const picture = yuvPicture(bytes, size);
      draw(picture, scaleBoxes(instancesAt(frames, ptsMs), sidecar.source, probe.size));
      await write(encode, rawPictureHead(ptsMs, bytes.length));
      await write(encode, bytes);
      pictures++;
      onPicture?.();
    }
    encode.stdin.end();
    await Promise.all([decode.done, encode.done]);
    signal?.throwIfAborted();
    if (pictures === 0) throw new Error('no picture of the clip could be decoded');
    return { pictures };
  } catch (cause) {
    giveUp();
    await Promise.allSettled([decode.done, encode.done]);
    throw cause;
  } finally {
    signal?.removeEventListener('abort', giveUp);
  }
}

/** Sides of the raw pictures: H.264 in 4:2:0 has even ones. */
export function evenSize({ width, height }: Size): Size {
  return { width: width + (width % 2), height: height + (height % 2) };
}

/** The colour matrix that a picture says, or that players assume for its size. */
export function matrixOf({ colour, size }: Pick<ClipProbe, 'colour' | 'size'>): Matrix {
  if (colour.space) return /^(bt709|gbr)$/.test(colour.space) ? 'bt709' : 'bt601';
  return size.height >= 720 ? 'bt709' : 'bt601';
}

/** Boxes of `source` pixels in those of the decoded picture, which are the same but for odd recorders. */
export function scaleBoxes(instances: readonly DrawnInstance[], source: Size, shown: Size): readonly DrawnInstance[] {
  const [x, y] = [shown.width / source.width, shown.height / source.height];
  if (x === 1 && y === 1) return instances;
  return instances.map(({ mask: _, maskBox: __, box, ...rest }) => ({
    ...rest,
    box: [box[0] * x, box[1] * y, box[2] * x, box[3] * y],
  }));
}

async function write({ stdin, done }: MediaJob, bytes: Buffer): Promise<void> {
  if (stdin.write(bytes)) return;
  // A process that has ended drains nothing; its own error tells why.
  await Promise.race([once(stdin, 'drain'), done.then(() => Promise.reject(new Error('the encoder ended too early')))]);
}
