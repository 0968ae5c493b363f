import { InputError } from '../../../config/errors.js';

/** One line of a MOTChallenge text file. Boxes are left, top, width, height in pixels. */
export interface MotRow {
  /** From 1. */
  readonly frame: number;
  readonly id: number;
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  /** Column 7: flag of a ground truth, score of a detection; 1 where the file has no such column. */
  readonly value: number;
  /** Columns 8 and 9, only in ground truth of MOT16 and later. */
  readonly classId?: number;
  readonly visibility?: number;
}

/**
 * Reads a MOTChallenge text file, in any order of frames. Empty lines are skipped, anything else must be numbers.
 *
 * @param file       its name, for errors
 * @param withClass  read columns 8 and 9 as class and visibility (MOT15 has world coordinates there)
 * @throws InputError naming file, line and rule
 */
export function parseMotRows(text: string, file: string, withClass = false): MotRow[] {
  const rows: MotRow[] = [];
  let line = 0;
  for (const raw of text.split('\n')) {
    line++;
    const trimmed = raw.trim();
    if (trimmed === '') continue;
    const fields = trimmed.split(trimmed.includes(',') ? ',' : /\s+/);
    const least = withClass ? 8 : 6;
    if (fields.length < least) {
      throw new InputError(
        `${file}:${line} has ${fields.length} columns; at least ${least} are expected: frame, id, left, top, width, height${withClass ? ', flag, class' : ''}`,
      );
    }
    // Large files: a plain loop reads them several times faster than map and destructuring.
    const numbers = new Float64Array(9);
    const known = Math.min(fields.length, 9);
    for (let column = 0; column < known; column++) {
      const field = fields[column]!;
      numbers[column] = field.trim() === '' ? Number.NaN : Number(field);
      if (!Number.isFinite(numbers[column])) {
        throw new InputError(`${file}:${line} column ${column + 1} is ${JSON.stringify(field)}; it must be a number`);
      }
    }
    const frame = numbers[0]!;
    if (!Number.isInteger(frame)) {
      throw new InputError(`${file}:${line} frame is ${frame}; it must be a whole number, counted from 1`);
    }
    const row = {
      frame,
      id: numbers[1]!,
      left: numbers[2]!,
      top: numbers[3]!,
      width: numbers[4]!,
      height: numbers[5]!,
      value: known > 6 ? numbers[6]! : 1,
    };
    rows.push(withClass ? { ...row, classId: numbers[7]!, visibility: known > 8 ? numbers[8]! : 1 } : row);
  }
  return rows;
}

/** Columns of the first line that is not empty; 0 for an empty file. */
export function countColumns(text: string): number {
  const first = text.split('\n', 1000).find((line) => line.trim() !== '');
  return first ? first.split(',').length : 0;
}
