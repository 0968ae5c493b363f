import { once } from 'node:events';
import sharp from 'sharp';
import { toRgb24 } from '../../operators/drawing/colour.js';
import { createInstanceDrawer } from '../../operators/drawing/draw-instances.js';
import { type YuvPicture, yuvPicture } from '../../operators/drawing/picture.js';
import type { Instance, Size } from '../../operators/types.js';
import { type ClipProbe, startDecode } from '../ffmpeg/media-jobs.js';
import { evenSize, matrixOf, scaleBoxes } from './annotate.js';
import { readRawVideo } from './matroska/raw-video.js';
import type { Sidecar } from './sidecar.js';

/** Weight of an instance that the border of the picture cuts. */
const CUT_WEIGHT = 0.5;
/** So near to the border, as a share of the side, counts as cut. */
const BORDER = 0.02;
const JPEG_QUALITY = 88;

/** The frame in which an instance is seen best. */
export interface BestMoment {
  readonly tS: number;
  readonly instance?: Instance;
}

/**
 * Where a track is seen best: score × √(share of the picture), halved when the border cuts its box. The square root,
 * because twice the width should not outweigh a much better score. The earliest of equals; without any observation the
 * first frame.
 */
export function bestMoment(sidecar: Pick<Sidecar, 'frames' | 'source'>, track: string): BestMoment {
  const { width, height } = sidecar.source;
  let best: BestMoment = { tS: sidecar.frames[0]?.t ?? 0 };
  let bestWorth = 0;
  for (const { t, instances } of sidecar.frames) {
    const instance = instances.find(({ id, state }) => id === track && state !== 'lost');
    if (!instance) continue;
    const [x1, y1, x2, y2] = instance.box;
    const cut = x1 < width * BORDER || y1 < height * BORDER || x2 > width * (1 - BORDER) || y2 > height * (1 - BORDER);
    const share = ((x2 - x1) * (y2 - y1)) / (width * height);
    const worth = instance.score * Math.sqrt(share) * (cut ? CUT_WEIGHT : 1);
    if (worth > bestWorth) {
      bestWorth = worth;
      best = { tS: t, instance: instance as Instance }; // without a mask the key is absent, as in Instance
    }
  }
  return best;
}

/** The picture of the best moment as JPEG, in full size and as it is meant to be seen, with the one instance drawn. */
export async function renderBest(clip: string, probe: ClipProbe, moment: BestMoment, source: Size): Promise<Buffer> {
  const picture = await pictureAt(clip, probe, moment.tS);
  const matrix = matrixOf(probe);
  const draw = createInstanceDrawer(picture.height, matrix);
  if (moment.instance) draw(picture, scaleBoxes([moment.instance], source, probe.size));
  const { width, height } = probe.size;
  const [num, den] = (probe.pixelAspect ?? '1:1').split(':').map(Number);
  const rgb = toRgb24(picture, width, height, matrix);
  return sharp(rgb, { raw: { width, height, channels: 3 } })
    .resize({ width: Math.max(1, Math.round((width * num!) / den!)), height, fit: 'fill' })
    .jpeg({ quality: JPEG_QUALITY, chromaSubsampling: '4:4:4' })
    .toBuffer();
}

async function pictureAt(clip: string, probe: ClipProbe, tS: number): Promise<YuvPicture> {
  const decode = startDecode(clip, probe, tS);
  try {
    for await (const { bytes } of readRawVideo(decode.stdout)) return yuvPicture(bytes, evenSize(probe.size));
    await decode.done;
    throw new Error(`no picture could be decoded at ${tS} s`);
  } finally {
    decode.kill();
    if (!decode.stdout.closed) await once(decode.stdout, 'close').catch(() => undefined);
  }
}
