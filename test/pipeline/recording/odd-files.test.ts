import { gap, oddFilesBecomeClips, tenth, usual } from './odd-clips.js';

/** Odd sizes, pixels, depths, ranges and times. */
oddFilesBecomeClips([
  {
    file: 'odd-size-353x241.mp4',
    shown: { width: 353, height: 241 },
    annotated: { width: 354, height: 242 },
    pictures: 30,
    sourceMs: tenth,
  },
  {
    file: 'anamorphic.mp4',
    shown: { width: 240, height: 180 },
    pictures: 30,
    sourceMs: tenth,
    aspect: '4:3',
    best: { width: 320, height: 180 },
  },
  { file: 'ten-bit.mp4', shown: usual, pictures: 30, sourceMs: tenth },
  { file: 'mjpeg.avi', shown: usual, pictures: 60, sourceMs: tenth },
  { file: 'long-gop.mp4', shown: usual, pictures: 300, sourceMs: tenth },
  { file: 'vfr-gap.mp4', shown: usual, pictures: 60, sourceMs: gap },
]);
