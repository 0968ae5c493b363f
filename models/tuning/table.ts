import { nameForms } from './candidate.js';
import { describeProcessor } from './processor.js';
import type { TuningEntry, TuningRow } from './record.js';

/** The table of `--explain`: every candidate with its figures and why it is, or is not, the choice. */
export function explainTable(entry: TuningEntry): string {
  const head = [
    'batch',
    'form',
    'workers x threads',
    'looks',
    'ms/frame',
    'least',
    'ms/run',
    'cpu ms',
    'ratio',
    'agree',
    'peak MB',
    '',
  ];
  const rows = entry.table.map(cells);
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]!.length)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, i) => (i === 1 || i === row.length - 1 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join('  ')
      .trimEnd();
  return [
    `${describeProcessor(entry.processor)}, ${entry.runtime}, on ${entry.ranOn}, measured ${entry.measured}`,
    line(head),
    ...rows.map(line),
    'ms/frame: all workers busy, median of the looks; cpu ms: of all cores, a frame; ratio: to the first of its race; agree: instances shared with the direct form',
  ].join('\n');
}

function cells(row: TuningRow): string[] {
  const ms = (value: number | null): string => (value === null ? '-' : value.toFixed(value < 100 ? 1 : 0));
  return [
    String(row.batch),
    nameForms(row.forms),
    `${row.workers}x${row.threads}`,
    String(row.n),
    ms(row.medianMs),
    ms(row.minMs),
    ms(row.runMs),
    ms(row.cpuMs),
    row.ratio === null ? '-' : row.ratio.toFixed(2),
    row.agreement.toFixed(2),
    row.peakMB ? String(row.peakMB) : '-',
    row.chosen ? 'chosen' : (row.why ?? ''),
  ];
}
