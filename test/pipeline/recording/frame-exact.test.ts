import { clipsAreFrameExact, x264 } from './frame-exact-law.js';

/** Rates and codecs in which the way from a camera's packets to a player's pictures differs most. */
const CASES = [
  { name: '29.97 fps', rate: '30000/1001', fps: 30000 / 1001, encoder: x264('-g', '30', '-bf', '2') },
  {
    name: 'open GOP',
    rate: '25',
    fps: 25,
    encoder: x264('-g', '25', '-bf', '3', '-x264-params', 'open-gop=1:scenecut=0'),
  },
  {
    name: 'HEVC',
    rate: '25',
    fps: 25,
    encoder: ['-c:v', 'libx265', '-preset', 'ultrafast', '-x265-params', 'log-level=error:keyint=25'],
  },
  { name: 'variable rate', encoder: x264('-g', '20', '-bf', '3') },
];
for (const one of CASES) clipsAreFrameExact(one);
