import type { ChildProcess } from 'node:child_process';
import { Readable } from 'node:stream';
import ffmpeg from 'fluent-ffmpeg';
import { redactUrl } from '../log.js';
import type { CaptureArguments } from './arguments.js';
import { type FfmpegLine, readFfmpegLine } from './frame-lines.js';
import type { FrameSink } from './frame-sink.js';
import { leash } from './leash.js';
import { missingTool } from './probe.js';

/** How an ffmpeg ended. */
export interface FfmpegEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Last lines of stderr that are no frame and no segment, without credentials. */
  readonly tail: readonly string[];
  /** Error lines in all. */
  readonly errors: number;
  /** It could not even be started: a whole sentence. */
  readonly unstarted?: string;
}

export interface FfmpegProcess {
  readonly ended: Promise<FfmpegEnd>;
  /** SIGTERM, so that segments are closed, and SIGKILL after a grace period. Safe at any time, more than once. */
  stop(): void;
}

const TAIL_LINES = 30;
/** A read that hangs on a silent camera is interrupted by the second SIGTERM only; it may spoil a file's last bytes. */
const SECOND_TERM_MS = 1_000;
const KILL_MS = 3_000;

/**
 * Starts one ffmpeg through fluent-ffmpeg.
 *
 * @param sink    gets stdout, the picture pipe
 * @param onLine  gets every line of stderr that means something
 * @param stdin   text for its input (the list of images)
 */
export function startFfmpeg(
  args: CaptureArguments,
  sink: FrameSink,
  onLine: (line: FfmpegLine) => void,
  stdin?: string,
): FfmpegProcess {
  const tail: string[] = [];
  let errors = 0;
  let child: ChildProcess | undefined;
  let stopping = false;
  let timers: NodeJS.Timeout[] = [];

  const command = ffmpeg({ stdoutLines: 1 })
    .input(stdin === undefined ? args.input : Readable.from([stdin]))
    .inputOptions([...args.inputOptions])
    .output(sink)
    .outputOptions([...args.frames]);
  if (args.segments) command.output(args.segments.target).outputOptions([...args.segments.options]);

  const kill = (): void => {
    sink.discard();
    if (timers.length > 0 || !child) return;
    child.kill('SIGTERM');
    timers = [
      setTimeout(() => child?.kill('SIGTERM'), SECOND_TERM_MS),
      setTimeout(() => child?.kill('SIGKILL'), KILL_MS),
    ];
  };

  const ended = new Promise<FfmpegEnd>((resolve) => {
    const end = (code: number | null, signal: NodeJS.Signals | null, unstarted?: string): void => {
      timers.forEach(clearTimeout);
      resolve({ code, signal, tail, errors, ...(unstarted !== undefined && { unstarted }) });
    };
    command.on('start', () => {
      // fluent-ffmpeg does not document its child, but its own 'end' and 'error' come before the pipes are empty.
      child = (command as unknown as { ffmpegProc: ChildProcess }).ffmpegProc;
      const unleash = child.pid === undefined ? undefined : leash(child.pid);
      child.once('close', (code, signal) => {
        unleash?.();
        const done = (): void => end(code, signal);
        if (sink.writableFinished || sink.errored) done();
        else sink.once('finish', done).once('error', done);
      });
      if (stopping) kill();
    });
    command.on('error', (error: Error) => {
      if (child?.pid !== undefined) return; // its 'close' tells more
      end(null, null, /Cannot find ffmpeg|ENOENT/.test(error.message) ? missingTool('ffmpeg') : error.message);
    });
    command.on('stderr', (line: string) => {
      const meant = readFfmpegLine(line);
      if (meant.kind === 'error') errors++;
      if ((meant.kind === 'error' || meant.kind === 'other') && meant.text) {
        if (tail.push(redactUrl(meant.text)) > TAIL_LINES) tail.shift();
      }
      onLine(meant);
    });
    command.run();
  });

  return {
    ended,
    stop: () => {
      stopping = true;
      kill();
    },
  };
}
