import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { Detection, Size } from '../../../operators/types.js';
import { runCli } from '../../support/cli.js';

export const MEDIA = '../shared/media';
const WEIGHTS = '../shared/weights';

/** Our own models, which give masks, and the two small box detectors beside the repository. */
export const MODELS = ['default', 'wide', 'yolox-nano', 'picodet-s-416'] as const;

/** A clip as a detector sees it. */
export interface DetectedClip {
  readonly source: Size;
  readonly frames: readonly { readonly pts: number; readonly detections: readonly Detection[] }[];
}

/** What of the clips and detectors is not there; empty when all is. */
export const missing = (clips: readonly string[], models: readonly string[] = MODELS): string[] =>
  [...clips.map(clipFile), ...models.map(modelFile)].filter((file) => !existsSync(file));

const clipFile = (clip: string): string => join(MEDIA, clip);
const modelFile = (model: string): string =>
  join(['default', 'wide'].includes(model) ? 'models/weights' : WEIGHTS, `${model}.onnx`);

/**
 * Detections of a whole clip, of all classes, from a score of 0.1 on, as `maskcast detect` finds them. Kept in the system's folder for
 * temporary files, by the content of both files, so that a clip meets a detector once.
 */
export async function detectClip(clip: string, model: string): Promise<DetectedClip> {
  const [video, weights] = [clipFile(clip), modelFile(model)];
  const hash = createHash('sha256')
    .update(readFileSync(video))
    .update(readFileSync(weights))
    .digest('hex')
    .slice(0, 16);
  const folder = join(tmpdir(), 'maskcast-detections');
  const kept = join(folder, `${basename(clip, '.mp4')}-${model}-${hash}.json`);
  if (!existsSync(kept)) {
    const { code, stdout, stderr } = await runCli([
      'detect',
      video,
      '--model',
      weights,
      '--min-score',
      '0.1',
      '--json',
    ]);
    if (code !== 0) throw new Error(`maskcast detect ${video} failed (${code}): ${stderr}`);
    mkdirSync(folder, { recursive: true });
    // Written beside and renamed: two runs at once never read half a file.
    const part = `${kept}.${process.pid}`;
    writeFileSync(part, stdout);
    renameSync(part, kept);
  }
  const { images } = JSON.parse(readFileSync(kept, 'utf8')) as {
    images: readonly (Size & { readonly pts: number; readonly instances: readonly Detection[] })[];
  };
  const { width, height } = images[0]!;
  return { source: { width, height }, frames: images.map(({ pts, instances }) => ({ pts, detections: instances })) };
}
