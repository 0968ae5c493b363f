import sharp from 'sharp';
import { InputError } from '../../config/errors.js';
import type { Frame, InputForm } from '../../operators/types.js';
import { placePicture } from '../ffmpeg/placement.js';

/**
 * A picture file as a frame: decoded, scaled and placed for the model as a camera's frames are. Orientation tags are
 * not followed, as COCO's tools do not: boxes refer to the picture as stored.
 *
 * @param file  path or encoded bytes
 * @throws InputError when it is no picture that sharp reads
 */
export async function frameFromImage(file: string | Uint8Array, input: InputForm, camera = 'image'): Promise<Frame> {
  const name = typeof file === 'string' ? file : 'the picture';
  const startMs = performance.now();
  try {
    const picture = sharp(file, { failOn: 'error' });
    const { width, height } = await picture.metadata();
    const placed = placePicture({ width, height }, input);
    const left = Math.round(placed.placement.offsetX);
    const top = Math.round(placed.placement.offsetY);
    const bytes = await picture
      .flatten({ background: '#000' })
      .toColourspace('srgb')
      .removeAlpha()
      .resize(placed.width, placed.height, { fit: 'fill', kernel: 'linear' })
      .extend({
        left,
        top,
        right: input.width - placed.width - left,
        bottom: input.height - placed.height - top,
        background: { r: input.fill, g: input.fill, b: input.fill },
      })
      .raw()
      .toBuffer();
    const pixels = new Uint8Array(new SharedArrayBuffer(bytes.byteLength));
    pixels.set(bytes);
    const receivedMs = performance.now();
    return {
      camera,
      epoch: 0,
      index: 0,
      pts: 0,
      time: 0,
      receivedMs,
      captureMs: receivedMs - startMs,
      source: { width, height },
      placement: placed.placement,
      droppable: false,
      pixels,
      release: () => {},
    };
  } catch (cause) {
    throw new InputError(
      `${name}: is not a picture that can be read (${(cause as Error).message}); give a JPEG, PNG, WebP, TIFF or AVIF file`,
      { cause },
    );
  }
}
