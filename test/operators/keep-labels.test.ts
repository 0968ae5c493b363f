import { of } from 'rxjs';
import { expect, it } from 'vitest';
import { keepLabels } from '../../operators/keep-labels.js';
import { detectedFrame } from './support-frames.js';

it('keepLabels leaves only the classes that were asked for', async () => {
  const detections = ['person', 'kite', 'car'].map((label) => ({ label, score: 0.9, box: [0, 0, 1, 1] as const }));
  const seen: string[] = [];
  await of(detectedFrame('a', 0, { detections }))
    .pipe(keepLabels(new Set(['person', 'car'])))
    .forEach((frame) => seen.push(...frame.detections.map(({ label }) => label)));
  expect(seen).toEqual(['person', 'car']);
});
