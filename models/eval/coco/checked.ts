import { InputError } from '../../../config/errors.js';

/** Reads values of a JSON file; each throws an InputError `file: place is …; it must be …` when the value is another. */
export class Checked {
  readonly file: string;

  constructor(file: string) {
    this.file = file;
  }

  /** The error to throw for a value at fault. */
  fault(place: string, value: unknown, rule: string): InputError {
    return new InputError(`${this.file}: ${place} is ${show(value)}; ${rule}`);
  }

  record(value: unknown, place: string): Readonly<Record<string, unknown>> {
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return value as Readonly<Record<string, unknown>>; // any object may be looked up by name
    }
    throw this.fault(place, value, 'it must be an object');
  }

  list(value: unknown, place: string): readonly unknown[] {
    if (Array.isArray(value)) return value;
    throw this.fault(place, value, 'it must be a list');
  }

  text(value: unknown, place: string): string {
    if (typeof value === 'string' && value !== '') return value;
    throw this.fault(place, value, 'it must be a text');
  }

  id(value: unknown, place: string): number {
    if (Number.isSafeInteger(value)) return value as number;
    throw this.fault(place, value, 'it must be a whole number');
  }

  number(value: unknown, place: string, rule = 'it must be a finite number', holds = (_: number) => true): number {
    if (typeof value === 'number' && Number.isFinite(value) && holds(value)) return value;
    throw this.fault(place, value, rule);
  }

  /** `[x, y, width, height]`. */
  box(value: unknown, place: string): CocoBox {
    const [x, y, width, height, ...more] = Array.isArray(value) ? (value as readonly unknown[]) : [];
    const rule = 'it must be [x, y, width, height], finite, width and height 0 or more';
    if (!isFinite4(x, y, width, height) || more.length > 0) throw this.fault(place, value, rule);
    const box = [x, y, width, height] as CocoBox; // all four were just seen to be numbers
    if (box[2] < 0 || box[3] < 0) throw this.fault(place, value, rule);
    return box;
  }
}

/** `[x, y, width, height]` in pixels, as COCO files have it. */
export type CocoBox = readonly [number, number, number, number];

function isFinite4(...values: unknown[]): boolean {
  return values.every(Number.isFinite);
}

/** A value as JSON, cut short. */
function show(value: unknown): string {
  const text = value === undefined ? 'missing' : JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
