import { oddFilesBecomeClips, tenth, usual } from './odd-clips.js';

/** The other odd pictures. */
oddFilesBecomeClips([
  { file: 'yuv444.mp4', shown: usual, pictures: 30, sourceMs: tenth },
  { file: 'grey.mp4', shown: usual, pictures: 30, sourceMs: tenth },
  { file: 'hevc.mp4', shown: usual, pictures: 60, sourceMs: tenth },
  { file: 'vp9-alpha.webm', shown: usual, pictures: 60, sourceMs: tenth },
  { file: 'alaw-audio.mkv', shown: usual, pictures: 60, sourceMs: tenth },
  { file: 'single-frame.mp4', shown: usual, pictures: 1, sourceMs: tenth },
  { file: 'start-5h.ts', shown: usual, pictures: 60, sourceMs: (index) => 18_000_000 + index * 100 },
]);
