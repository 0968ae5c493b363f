import { describe, expect, it } from 'vitest';
import type { RecordConfig } from '../../../config/schema.js';
import type { Segment } from '../../../operators/types.js';
import { CameraClips, type ClipOrder } from '../../../pipeline/recording/camera-clips.js';
import { trackEvent, trackedFrame } from './frames.js';

const config: RecordConfig = { preRoll: 2, postRoll: 3, maxLength: 30, annotate: true };
const size = { width: 320, height: 240 };

function camera(more: Partial<RecordConfig> = {}) {
  const orders: ClipOrder[] = [];
  const gone: string[] = [];
  const clips = new CameraClips(
    { ...config, ...more },
    (order) => orders.push(order),
    ({ path }) => gone.push(path),
  );
  const segment = (startPts: number, epoch = 0): Segment => ({
    camera: 'gate',
    epoch,
    path: `${epoch}/${startPts}`,
    startPts,
    endPts: startPts + 4,
    pts0Time: 0,
  });
  /** Frames each half second and segments of four seconds, as far as `to`. */
  const play = (from: number, to: number): void => {
    for (let pts = from; pts <= to; pts += 0.5) {
      clips.tracked(trackedFrame(pts * 2, pts, size));
      if (pts > 0 && pts % 4 === 0) clips.segment(segment(pts - 4));
    }
  };
  return { clips, orders, gone, segment, play };
}

describe('CameraClips', () => {
  it('orders a clip once recording and analysis have passed its end, with pre-roll and post-roll', () => {
    const { clips, orders, play } = camera();
    play(0, 10);
    clips.event(trackEvent('start', 9));
    play(10.5, 13);
    clips.event(trackEvent('end', 9, { endPts: 12.5 }));
    play(13.5, 15.5);
    expect(orders).toEqual([]);
    play(16, 20);
    expect(orders.length).toBe(1);
    const [{ fromPts, toPts, segments, frames }] = orders as [ClipOrder];
    expect([fromPts, toPts]).toEqual([7, 15.5]);
    expect(segments.map(({ startPts }) => startPts)).toEqual([4, 8, 12]);
    expect(frames.at(0)!.pts).toBeLessThanOrEqual(4);
    expect(frames.some(({ pts }) => pts === 15.5)).toBe(true);
    expect(clips.open).toBe(0);
  });

  it('makes a clip of what is there when the epoch ends in the middle of the event, and lets all segments go', () => {
    const { clips, orders, gone, play } = camera();
    play(0, 8);
    clips.event(trackEvent('start', 7));
    clips.epochEnded(0);
    expect(orders.map(({ segments }) => segments.length)).toEqual([1]);
    expect(gone).toEqual(['0/0', '0/4']);
  });

  it('ends a clip at its greatest length while the event goes on', () => {
    const { clips, orders, play } = camera({ maxLength: 10 });
    play(0, 4);
    clips.event(trackEvent('start', 3));
    play(4.5, 20);
    expect(orders.map(({ fromPts, toPts }) => [fromPts, toPts])).toEqual([[1, 11]]);
    clips.event(trackEvent('end', 3, { endPts: 20 }));
    play(20.5, 40);
    expect(orders.length).toBe(1);
  });

  it('makes clips only of the chosen labels', () => {
    const { clips, orders } = camera({ labels: ['car'] });
    expect(clips.event(trackEvent('start', 1))).toBe(false);
    expect(clips.event(trackEvent('start', 1, { event: 'x', label: 'car' }))).toBe(true);
    clips.finish();
    expect(orders.map(({ event }) => event.event)).toEqual(['x']);
  });

  it('keeps no more segments than a pre-roll may need, however long nothing happens', () => {
    const { gone, play } = camera();
    play(0, 400);
    expect(100 - gone.length).toBeLessThanOrEqual(5);
  });

  it('keeps the segments of an open event, and lets them go after it', () => {
    const { clips, gone, play } = camera({ maxLength: 300 });
    play(0, 12);
    clips.event(trackEvent('start', 11));
    play(12.5, 100);
    expect(gone).toEqual(['0/0', '0/4']);
    clips.event(trackEvent('end', 11, { endPts: 99 }));
    play(100.5, 120);
    expect(gone.length).toBeGreaterThan(20);
  });

  it('does not wait for ever for segments that never come', () => {
    const { clips, orders } = camera();
    clips.event(trackEvent('start', 1));
    clips.event(trackEvent('end', 1, { endPts: 2 }));
    for (let pts = 2; pts < 130; pts++) clips.tracked(trackedFrame(pts, pts, size));
    expect(orders.map(({ segments }) => segments.length)).toEqual([0]);
  });

  it('keeps epochs apart', () => {
    const { clips, orders, segment } = camera();
    clips.segment(segment(0, 0));
    clips.segment(segment(0, 1));
    clips.event(trackEvent('start', 1, { epoch: 1, event: 'later' }));
    clips.epochEnded(0);
    expect(orders).toEqual([]);
    clips.epochEnded(1);
    expect(orders[0]!.segments.map(({ path }) => path)).toEqual(['1/0']);
  });
});
