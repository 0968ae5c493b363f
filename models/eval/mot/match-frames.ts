import { InputError } from '../../../config/errors.js';
import { assign } from '../../../operators/tracking/assignment.js';
import type { MotRow } from './rows.js';

/** MOT15 scores rows of flag 1 and forgives nothing; MOT16, MOT17 and MOT20 have classes and forgive distractors. */
export type MotLayout = 'MOT15' | 'MOT16' | 'MOT20';

/** A sequence's ground truth. */
export interface MotTruth {
  readonly name: string;
  readonly layout: MotLayout;
  /** Frames of the sequence. */
  readonly frames: number;
  readonly rows: readonly MotRow[];
}

/** One frame ready to be scored: dense track numbers and the overlap of every pair. */
export interface ScoredFrame {
  /** Ground truth tracks, 0 … gtTracks − 1. */
  readonly gt: Int32Array;
  /** Result tracks, 0 … resultTracks − 1. */
  readonly results: Int32Array;
  /** `[gt.length, results.length]`, IoU 0…1. */
  readonly iou: Float64Array;
}

export interface ScoredSequence {
  readonly frames: readonly ScoredFrame[];
  readonly gtTracks: number;
  readonly resultTracks: number;
  /** Last frame of the ground truth (from 1), and of the results. */
  readonly lastGtFrame: number;
  readonly lastResultFrame: number;
  /** Result boxes taken out because they lie on a distractor. */
  readonly removed: number;
}

const EPS = 2 ** -52;
const PEDESTRIAN = 1;
/** Person on vehicle, static person, distractor, reflection; MOT20: any vehicle too. */
const DISTRACTORS = new Set([2, 7, 8, 12]);
const DISTRACTORS_MOT20 = new Set([2, 6, 7, 8, 12]);

/**
 * Cleans the results as the benchmark's layout asks and prepares every frame. Cleaning (MOT16 and later): all result
 * boxes against all ground truth boxes of the frame, optimal by summed IoU, pairs of 0.5 and more; a result box on a
 * distractor is removed.
 *
 * @param file   name of the results, for errors
 * @param cutAt  frames after this one are left out; rows before frame 1 always are
 * @throws InputError when a frame has an id twice
 */
export function matchFrames(truth: MotTruth, results: readonly MotRow[], file: string, cutAt: number): ScoredSequence {
  const gtNumbers = new Map<number, number>();
  const resultNumbers = new Map<number, number>();
  const gtByFrame = byFrame(truth.rows, cutAt, `${truth.name}: ground truth`);
  const resultsByFrame = byFrame(results, cutAt, file);
  const frames: ScoredFrame[] = [];
  let removed = 0;
  let lastResultFrame = 0;
  for (let frame = 1; frame <= cutAt; frame++) {
    const allGt = gtByFrame.get(frame) ?? [];
    const allResults = resultsByFrame.get(frame) ?? [];
    const kept = truth.layout === 'MOT15' ? allResults : withoutDistractors(truth.layout, allGt, allResults);
    removed += allResults.length - kept.length;
    const scored = allGt.filter((row) => row.value !== 0 && (truth.layout === 'MOT15' || row.classId === PEDESTRIAN));
    if (kept.length > 0) lastResultFrame = frame;
    frames.push({
      gt: Int32Array.from(scored, ({ id }) => numberOf(gtNumbers, id)),
      results: Int32Array.from(kept, ({ id }) => numberOf(resultNumbers, id)),
      iou: overlaps(scored, kept),
    });
  }
  return {
    frames,
    gtTracks: gtNumbers.size,
    resultTracks: resultNumbers.size,
    lastGtFrame: truth.rows.reduce((last, row) => Math.max(last, row.frame), 0),
    lastResultFrame,
    removed,
  };
}

/** IoU of every pair, `[a.length, b.length]`. */
export function overlaps(a: readonly MotRow[], b: readonly MotRow[]): Float64Array {
  const iou = new Float64Array(a.length * b.length);
  let at = 0;
  for (const p of a) {
    for (const q of b) {
      const width = Math.min(p.left + p.width, q.left + q.width) - Math.max(p.left, q.left);
      const height = Math.min(p.top + p.height, q.top + q.height) - Math.max(p.top, q.top);
      const both = Math.max(0, width) * Math.max(0, height);
      const all = p.width * p.height + q.width * q.height - both;
      iou[at++] = all > 0 ? both / all : 0;
    }
  }
  return iou;
}

function withoutDistractors(layout: MotLayout, gt: readonly MotRow[], results: readonly MotRow[]): readonly MotRow[] {
  const distractors = layout === 'MOT20' ? DISTRACTORS_MOT20 : DISTRACTORS;
  const weight = overlaps(gt, results).map((iou) => (iou < 0.5 - EPS ? 0 : iou));
  const gone = new Set<number>();
  assign(weight, gt.length, results.length).forEach((column, row) => {
    if (column >= 0 && distractors.has(gt[row]!.classId!)) gone.add(column);
  });
  return gone.size === 0 ? results : results.filter((_, index) => !gone.has(index));
}

function byFrame(rows: readonly MotRow[], cutAt: number, file: string): Map<number, MotRow[]> {
  const frames = new Map<number, { rows: MotRow[]; ids: Set<number> }>();
  for (const row of rows) {
    if (row.frame < 1 || row.frame > cutAt) continue;
    let same = frames.get(row.frame);
    if (!same) {
      same = { rows: [], ids: new Set() };
      frames.set(row.frame, same);
    }
    if (same.ids.has(row.id)) {
      throw new InputError(`${file} has id ${row.id} twice in frame ${row.frame}; an id may stand for one box a frame`);
    }
    same.ids.add(row.id);
    same.rows.push(row);
  }
  return new Map([...frames].map(([frame, one]) => [frame, one.rows]));
}

function numberOf(numbers: Map<number, number>, id: number): number {
  const known = numbers.get(id);
  if (known !== undefined) return known;
  numbers.set(id, numbers.size);
  return numbers.size - 1;
}
