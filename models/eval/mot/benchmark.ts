import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { InputError } from '../../../config/errors.js';
import type { MotLayout, MotTruth } from './match-frames.js';
import { countColumns, type MotRow, parseMotRows } from './rows.js';

/** What `seqinfo.ini` of a MOTChallenge sequence says. */
export interface SequenceInfo {
  readonly frames: number;
  readonly fps: number;
  readonly width: number;
  readonly height: number;
}

/**
 * Reads `seqinfo.ini` of a sequence folder.
 *
 * @returns undefined when there is none
 * @throws InputError when a value is missing or no positive number
 */
export function readSequenceInfo(folder: string): SequenceInfo | undefined {
  const file = join(folder, 'seqinfo.ini');
  const text = readIfThere(file);
  if (text === undefined) return undefined;
  const numberOf = (key: string): number => {
    const found = new RegExp(`^\\s*${key}\\s*=\\s*(.*?)\\s*$`, 'im').exec(text)?.[1];
    const value = Number(found);
    if (!(value > 0)) {
      throw new InputError(
        `${file}: ${key} is ${found === undefined ? 'missing' : JSON.stringify(found)}; it must be a number above 0`,
      );
    }
    return value;
  };
  return {
    frames: numberOf('seqLength'),
    fps: numberOf('frameRate'),
    width: numberOf('imWidth'),
    height: numberOf('imHeight'),
  };
}

/**
 * Reads the ground truth of a benchmark: a folder of sequence folders, or one sequence folder; a sequence folder holds
 * `gt/gt.txt`. Ten columns are MOT15, fewer MOT16 and later (MOT20 by the sequence's name).
 *
 * @returns sorted by name
 * @throws InputError when nothing is found or a file is malformed
 */
export function readBenchmark(folder: string): MotTruth[] {
  const folders = sequenceFolders(folder, 'gt/gt.txt');
  if (folders.length === 0) {
    throw new InputError(
      `${folder}: no gt/gt.txt in it or in a folder below it; name a folder of MOTChallenge sequences`,
    );
  }
  return folders.map((sequence) => {
    const name = basename(resolve(sequence));
    const file = join(sequence, 'gt/gt.txt');
    const text = readFileSync(file, 'utf8');
    const layout: MotLayout = countColumns(text) >= 10 ? 'MOT15' : name.startsWith('MOT20') ? 'MOT20' : 'MOT16';
    const rows = parseMotRows(text, file, layout !== 'MOT15');
    const frames = readSequenceInfo(sequence)?.frames ?? rows.reduce((last, { frame }) => Math.max(last, frame), 0);
    return { name, layout, frames, rows };
  });
}

/** Folders that hold `inside`: the folder itself, or those directly below it, sorted by name. */
export function sequenceFolders(folder: string, inside: string): string[] {
  if (isFile(join(folder, inside))) return [folder];
  let names: string[];
  try {
    names = readdirSync(folder).sort();
  } catch (cause) {
    throw new InputError(`${folder}: cannot be read (${codeOf(cause)}); name a folder of MOTChallenge sequences`, {
      cause,
    });
  }
  return names.map((name) => join(folder, name)).filter((path) => isFile(join(path, inside)));
}

/**
 * Reads the results of one sequence: `<results>/<name>.txt`, or the path itself with `{seq}` put in.
 *
 * @throws InputError when it is not there or malformed
 */
export function readResults(results: string, name: string): { readonly file: string; readonly rows: MotRow[] } {
  const file = results.includes('{seq}') ? results.replaceAll('{seq}', name) : join(results, `${name}.txt`);
  const text = readIfThere(file);
  if (text === undefined) {
    throw new InputError(
      `${file} is missing; every sequence of the ground truth needs its results (an empty file for none), or name fewer with --sequences`,
    );
  }
  return { file, rows: parseMotRows(text, file) };
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT' || codeOf(cause) === 'ENOTDIR') return undefined;
    throw new InputError(`${file}: cannot be read (${codeOf(cause)})`, { cause });
  }
}

function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false; // whatever stands in the way (no such folder, a file in its place), no sequence is here
  }
}

const codeOf = (cause: unknown): string => (cause as NodeJS.ErrnoException).code ?? 'unknown error';
