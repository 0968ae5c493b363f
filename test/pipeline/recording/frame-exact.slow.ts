import { clipsAreFrameExact, x264 } from './frame-exact-law.js';

/** Those that differ less. */
const CASES = [
  { name: '25 fps', rate: '25', fps: 25, encoder: x264('-g', '25', '-bf', '3') },
  { name: 'one key frame in ten seconds', rate: '25', fps: 25, encoder: x264('-g', '1000', '-bf', '3') },
  { name: 'MPEG-4', rate: '25', fps: 25, encoder: ['-c:v', 'mpeg4', '-q:v', '2', '-g', '25', '-bf', '2'] },
  {
    name: 'VP9',
    rate: '25',
    fps: 25,
    encoder: ['-c:v', 'libvpx-vp9', '-deadline', 'realtime', '-cpu-used', '8', '-b:v', '3M', '-g', '25'],
  },
];
for (const one of CASES) clipsAreFrameExact(one);
