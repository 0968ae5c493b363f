import { describe, expect, it } from 'vitest';
import { encodeRle } from '../../../operators/masks/rle.js';
import type { BoxXyxy, Detection, Instance, MaskRle } from '../../../operators/types.js';
import { scoreStreet } from '../../../pipeline/street/score-street.js';
import type { TruthFigure } from '../../../pipeline/street/street-truth.js';

const filled = ([x1, y1, x2, y2]: BoxXyxy): MaskRle => ({
  size: [y2 - y1, x2 - x1],
  origin: [x1, y1],
  counts: encodeRle(new Uint8Array((y2 - y1) * (x2 - x1)).fill(1), y2 - y1, x2 - x1),
});
const figure = (id: number, box: BoxXyxy, extra: Partial<TruthFigure> = {}): TruthFigure => ({
  id,
  label: 'person',
  box,
  mask: filled(box),
  visible: 1,
  cut: false,
  ...extra,
});
const seen = (box: BoxXyxy, extra: Partial<Detection> = {}): Detection => ({
  label: 'person',
  score: 0.9,
  box,
  ...extra,
});
const tracked = (id: string, box: BoxXyxy): Instance => ({
  id,
  label: 'person',
  score: 0.9,
  box,
  state: 'moving',
  zones: [],
  age: 1,
  velocity: [0, 0],
});

const A: BoxXyxy = [10, 10, 30, 60];
const B: BoxXyxy = [100, 10, 120, 60];
const frame = (detections: readonly Detection[], instances: readonly Instance[] = []) => ({ detections, instances });

describe('scoring a detector on a drawn street', () => {
  it('counts figures found with their class, and what is nothing', () => {
    const truth = [{ t: 0, figures: [figure(1, A), figure(2, B, { label: 'car' })] }];
    const score = scoreStreet(truth, [
      frame([seen(A), seen(B), seen([200, 200, 220, 240]), seen([300, 0, 320, 40], { score: 0.1 })]),
    ]);
    expect(score).toMatchObject({ figures: 2, found: 1, falsePerFrame: 1, maskIou: null });
    expect(score.byClass).toEqual({ person: { figures: 1, found: 1 }, car: { figures: 1, found: 0 } });
  });

  it('a track keeps its figure while the two overlap, though another is surer', () => {
    const beside: BoxXyxy = [16, 10, 36, 60];
    const truth = [0, 1].map((t) => ({ t, figures: [figure(1, A), figure(2, beside)] }));
    const second = [{ ...tracked('b', A), score: 0.95 }, tracked('a', beside)];
    // In the second picture the boxes have crept over to the neighbour's, and both still overlap their own by more than half.
    const score = scoreStreet(truth, [frame([], [tracked('a', A), tracked('b', beside)]), frame([], second)]);
    expect(score).toMatchObject({ tracked: 2, switches: 0 });
    const gone = scoreStreet(truth, [frame([], [tracked('a', A)]), frame([], [tracked('b', A)])]);
    expect(gone).toMatchObject({ tracked: 1, switches: 1 });
  });

  it('neither wants what is small or hidden nor minds that it is found', () => {
    const small: BoxXyxy = [50, 50, 60, 73];
    const truth = [{ t: 0, figures: [figure(1, small), figure(2, A, { visible: 0.4 })] }];
    expect(scoreStreet(truth, [frame([seen(small), seen(A)])])).toMatchObject({
      figures: 0,
      found: 0,
      falsePerFrame: 0,
    });
  });

  it('counts a figure once, however often it is found', () => {
    const truth = [{ t: 0, figures: [figure(1, A)] }];
    expect(scoreStreet(truth, [frame([seen(A), seen(A)])])).toMatchObject({ figures: 1, found: 1 });
  });

  it('means the overlap of masks', () => {
    const half: BoxXyxy = [10, 10, 30, 35];
    const truth = [{ t: 0, figures: [figure(1, A), figure(2, B)] }];
    const found = [seen(A, { mask: filled(half) }), seen(B, { mask: filled(B) })];
    expect(scoreStreet(truth, [frame(found)]).maskIou).toBeCloseTo(0.75, 9);
  });

  it('counts how often an id gives way to another', () => {
    const truth = Array.from({ length: 4 }, (_, t) => ({ t, figures: [figure(1, A), figure(2, B)] }));
    const found = ['x', 'x', 'y', 'y'].map((id) => frame([], [tracked(id, A), tracked('b', B)]));
    expect(scoreStreet(truth, found)).toMatchObject({ tracked: 2, switches: 1, idShare: 0.75 });
  });

  it('refuses to compare other pictures than were drawn', () => {
    expect(() => scoreStreet([], [frame([])])).toThrow('1 pictures were looked at, 0 were drawn');
  });
});
