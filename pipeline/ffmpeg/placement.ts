import type { InputForm, Placement, Size } from '../../operators/types.js';

/** Where a picture of a known size lies in the model's input: whole pixels, so that `placement` is exact. */
export interface PlacedPicture extends Size {
  readonly left: number;
  readonly top: number;
  readonly placement: Placement;
}

/**
 * Scaled size and place of a `source` picture in `input`.
 * The same arithmetic in the same order as `placementFilter`, which ffmpeg evaluates for each new size.
 */
export function placePicture(source: Size, input: InputForm): PlacedPicture {
  const scale = Math.min(input.width / source.width, input.height / source.height);
  const stretch = input.fit === 'stretch';
  const width = stretch ? input.width : Math.max(1, Math.round(source.width * scale));
  const height = stretch ? input.height : Math.max(1, Math.round(source.height * scale));
  const centered = input.fit === 'letterbox-center';
  const left = centered ? Math.floor((input.width - width) / 2) : 0;
  const top = centered ? Math.floor((input.height - height) / 2) : 0;
  return {
    width,
    height,
    left,
    top,
    placement: { scaleX: width / source.width, scaleY: height / source.height, offsetX: left, offsetY: top },
  };
}

/**
 * ffmpeg filters that scale, convert to rgb24 and fill up to `input`; expressions in `iw` and `ih`, for a stream may
 * change its size. Padding comes after the conversion: on yuv420p the offsets would be rounded to even numbers.
 */
export function placementFilter({ width, height, fit, fill }: InputForm): string {
  if (fit === 'stretch') return `scale=w=${width}:h=${height}:flags=bilinear,format=rgb24`;
  const scale = `min(${width}/iw,${height}/ih)`;
  const grey = Math.max(0, Math.min(255, Math.round(fill)))
    .toString(16)
    .padStart(2, '0')
    .repeat(3);
  const [x, y] = fit === 'letterbox-center' ? ["'floor((ow-iw)/2)'", "'floor((oh-ih)/2)'"] : ['0', '0'];
  return [
    `scale=w='max(1,round(iw*${scale}))':h='max(1,round(ih*${scale}))':flags=bilinear`,
    'format=rgb24',
    `pad=w=${width}:h=${height}:x=${x}:y=${y}:color=0x${grey}`,
  ].join(',');
}
