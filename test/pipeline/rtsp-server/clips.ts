import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** 29.97 fps, 60 pictures in groups of 15 with B-frames: every picture differs. */
export async function makeClip(path: string): Promise<void> {
  const source = ['-f', 'lavfi', '-i', 'testsrc2=size=320x180:rate=30000/1001', '-frames:v', '60'];
  const codec = ['-c:v', 'libx264', '-preset', 'fast', '-g', '15', '-bf', '3', '-pix_fmt', 'yuv420p'];
  await run('ffmpeg', ['-v', 'error', '-y', ...source, ...codec, '-video_track_timescale', '30000', path]);
}

/** Picture sums (MD5 of the decoded pixels) of the first `frames` pictures that ffmpeg reads from `input`. */
export async function pictureSums(input: readonly string[], frames: number): Promise<string[]> {
  const output = ['-frames:v', String(frames), '-fps_mode', 'passthrough', '-f', 'framemd5', '-'];
  const { stdout } = await run('ffmpeg', ['-v', 'error', '-nostdin', ...input, ...output]);
  const lines = stdout.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return lines.map((line) => line.split(',')[5]!.trim());
}
