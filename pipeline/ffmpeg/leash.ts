import { spawn } from 'node:child_process';

/**
 * Ends the process `pid` when ours dies in whatever way. An ffmpeg whose reader is gone ends at its next picture, but
 * one whose camera is silent would wait on. A shell holds the other end of a pipe: a line means "ended well", the end
 * of the pipe without one means that we crashed. Not `setpriv --pdeathsig`: fluent-ffmpeg runs ffmpeg itself only, and
 * this works on macOS too.
 *
 * @returns call it once the process has ended
 */
export function leash(pid: number): () => void {
  if (process.platform === 'win32') return () => undefined;
  // Detached and deaf to the terminal's signals, else Ctrl-C would end the watchman first.
  const script =
    'trap "" INT TERM HUP; read -r done && exit 0; kill -TERM "$1" 2>/dev/null; sleep 3; kill -KILL "$1" 2>/dev/null';
  const shell = spawn('/bin/sh', ['-c', script, 'maskcast-leash', String(pid)], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  shell.on('error', () => undefined); // without a shell there is no leash; ffmpeg still ends with its pipe
  shell.stdin.on('error', () => undefined);
  shell.unref();
  return () => shell.stdin.end('done\n');
}
