import { type MonoTypeOperatorFunction, map } from 'rxjs';
import type { DetectedFrame } from './types.js';

/**
 * Leaves out detections of classes that nobody asked for: a detector of eighty classes sees kites in road markings, and
 * they would steal boxes from the tracks that matter.
 */
export function keepLabels(labels: ReadonlySet<string>): MonoTypeOperatorFunction<DetectedFrame> {
  return map((frame) => ({ ...frame, detections: frame.detections.filter(({ label }) => labels.has(label)) }));
}
