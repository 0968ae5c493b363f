import { pino } from 'pino';
import type { Log } from '../../../pipeline/log.js';

/** A log whose lines a test can read. */
export function recordingLog(): { log: Log; text: () => string; warnings: () => string[] } {
  const lines: string[] = [];
  const log = pino({ level: 'debug', base: null }, { write: (line: string) => void lines.push(line) });
  return {
    log,
    text: () => lines.join(''),
    warnings: () => lines.filter((line) => (JSON.parse(line) as { level: number }).level >= 40),
  };
}
