import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import cliProgress from 'cli-progress';
import { Command } from 'commander';
import { InputError } from '../../config/errors.js';
import { readSequenceInfo, type SequenceInfo, sequenceFolders } from '../../models/eval/mot/benchmark.js';
import { parseMotRows } from '../../models/eval/mot/rows.js';
import { formatMotRows, trackRows } from '../../models/eval/mot/track-rows.js';

interface TrackOptions {
  readonly detections: string;
  readonly out: string;
  readonly fps?: string;
  readonly coast: string;
  readonly json?: boolean;
}

/** One sequence to track. */
interface Sequence {
  readonly name: string;
  readonly file: string;
  readonly out: string;
  readonly fps: number;
  readonly info: SequenceInfo | undefined;
}

/** `maskcast track --detections FILE|FOLDER --out FILE|FOLDER [--fps n] [--json]`: MOTChallenge detections in, tracks out. */
export function trackCommand(): Command {
  return new Command('track')
    .description('track detections in MOTChallenge format, one file or a folder of sequences')
    .requiredOption('--detections <path>', 'det.txt, or a folder of sequences with det/det.txt each')
    .requiredOption('--out <path>', 'tracks.txt, or a folder for SEQUENCE.txt files')
    .option('--fps <n>', 'frames a second; left out: from seqinfo.ini')
    .option('--coast <seconds>', 'also write trusted tracks while unseen for so long; 0: only seen ones', '0.2')
    .option('--json', 'print one JSON object')
    .action((options: TrackOptions) => {
      const coastS = Number(options.coast);
      if (!(coastS >= 0 && coastS <= 10)) {
        throw new InputError(`--coast is "${options.coast}"; it must be a number of seconds from 0 to 10`);
      }
      const sequences = sequencesOf(options);
      const bar = process.stderr.isTTY
        ? new cliProgress.SingleBar({
            stream: process.stderr,
            clearOnComplete: true,
            format: '{bar} {value}/{total} {name}',
          })
        : undefined;
      const done: TrackedSequence[] = [];
      try {
        bar?.start(sequences.length, 0, { name: '' });
        for (const sequence of sequences) {
          done.push(trackSequence(sequence, coastS));
          bar?.increment({ name: sequence.name });
        }
      } finally {
        bar?.stop();
      }
      if (options.json) process.stdout.write(`${JSON.stringify({ sequences: done })}\n`);
      else {
        for (const { name, frames, tracks, out } of done) {
          process.stdout.write(`${name}: ${frames} frames, ${tracks} tracks -> ${out}\n`);
        }
      }
    });
}

function sequencesOf({ detections, out, fps: given }: TrackOptions): Sequence[] {
  const fps = given === undefined ? undefined : Number(given);
  if (fps !== undefined && !(fps > 0 && fps <= 1000)) {
    throw new InputError(`--fps is "${given}"; it must be a number above 0 and up to 1000`);
  }
  const sequence = (name: string, folder: string, file: string, target: string): Sequence => {
    const info = readSequenceInfo(folder);
    const rate = fps ?? info?.fps;
    if (rate === undefined) {
      throw new InputError(`${folder}: no seqinfo.ini tells the frame rate; give it with --fps`);
    }
    return { name, file, out: target, fps: rate, info };
  };
  if (!isFolder(detections)) {
    // A detections file lies in SEQUENCE/det/, beside which seqinfo.ini is.
    const folder = dirname(dirname(resolve(detections)));
    return [sequence(basename(folder), folder, detections, out)];
  }
  const folders = sequenceFolders(detections, 'det/det.txt');
  if (folders.length === 0) {
    throw new InputError(
      `${detections}: no det/det.txt in it or in a folder below it; name a folder of MOTChallenge sequences`,
    );
  }
  return folders.map((folder) => {
    const name = basename(resolve(folder));
    return sequence(name, folder, join(folder, 'det/det.txt'), join(out, `${name}.txt`));
  });
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch (cause) {
    throw new InputError(
      `${path}: cannot be read (${(cause as NodeJS.ErrnoException).code}); name a det.txt or a folder of sequences`,
      { cause },
    );
  }
}

interface TrackedSequence {
  readonly name: string;
  readonly frames: number;
  readonly tracks: number;
  readonly out: string;
}

function trackSequence({ name, file, out, fps, info }: Sequence, coastS: number): TrackedSequence {
  const detections = parseMotRows(readFileSync(file, 'utf8'), file);
  const tracked = trackRows(detections, { fps, coastS, frames: info?.frames, source: info });
  try {
    mkdirSync(dirname(resolve(out)), { recursive: true });
    writeFileSync(out, formatMotRows(tracked));
  } catch (cause) {
    throw new InputError(
      `${out}: cannot be written (${(cause as NodeJS.ErrnoException).code}); name a file in a folder that may be written`,
      { cause },
    );
  }
  const frames = detections.reduce((last, { frame }) => Math.max(last, frame), info?.frames ?? 0);
  return { name, frames, tracks: new Set(tracked.map(({ id }) => id)).size, out };
}
