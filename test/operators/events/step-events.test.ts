import { of } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { deriveEvents } from '../../../operators/derive-events.js';
import { closeEvents, NO_EVENTS, stepEvents } from '../../../operators/events/step-events.js';
import type { TrackEvent, TrackedFrame } from '../../../operators/types.js';
import { instance, trackedFrame } from '../support-frames.js';

const rules = { labels: { person: 0.5 }, minUpdateS: 1 };

function play(frames: readonly TrackedFrame[]): TrackEvent[] {
  let state = NO_EVENTS;
  const events: TrackEvent[] = [];
  for (const frame of frames) {
    const step = stepEvents(state, frame, rules);
    state = step.state;
    events.push(...step.events);
  }
  return [...events, ...closeEvents(state)];
}

describe('events', () => {
  it('start with the first detection of the track, not with its confirmation', () => {
    const [start] = play([trackedFrame(10, [instance('a', { age: 0.3 })])]);
    expect(start).toMatchObject({ type: 'start', event: 'a', pts: 1 });
    expect(start!.startPts).toBeCloseTo(0.7);
    expect(start!.start).toBeCloseTo(1_000_000 + 1000 - 300);
  });

  it('ignore labels that were not chosen and scores below the chosen one until they rise', () => {
    const low = instance('a', { score: 0.4 });
    expect(play([trackedFrame(0, [instance('d', { label: 'dog' }), low]), trackedFrame(1, [low])])).toEqual([]);
    expect(play([trackedFrame(0, [low]), trackedFrame(1, [instance('a')])]).map((event) => event.type)).toEqual([
      'start',
      'end',
    ]);
  });

  it('cost no updates for an object that only jitters, however long it stays', () => {
    const frames = Array.from({ length: 1000 }, (_, index) =>
      trackedFrame(index, [instance('a', { box: [10 + (index % 3), 10, 30, 60] })]),
    );
    expect(play(frames).map((event) => event.type)).toEqual(['start', 'end']);
  });

  it('update at most once a second while the object moves', () => {
    const frames = Array.from({ length: 31 }, (_, index) =>
      trackedFrame(index, [instance('a', { box: [index * 10, 0, index * 10 + 20, 50] })]),
    );
    const updates = play(frames).filter((event) => event.type === 'update');
    expect(updates.map((event) => event.pts)).toEqual([1, 2, 3]);
  });

  it('remember every zone that was entered, in order', () => {
    const end = play([
      trackedFrame(0, [instance('a')]),
      trackedFrame(20, [instance('a', { zones: ['porch'] })]),
      trackedFrame(40, [instance('a', { zones: ['gate'] })]),
    ]).at(-1);
    expect(end).toMatchObject({ type: 'end', zones: ['gate'], entered: ['porch', 'gate'] });
  });

  it('end exactly once, at the last detection, and forget the track', () => {
    const ended = [{ id: 'a', label: 'person', lastPts: 0.1, reason: 'gone' as const }];
    const lost = instance('a', { state: 'lost' });
    const events = play([
      trackedFrame(0, [instance('a')]),
      trackedFrame(1, [instance('a')]),
      trackedFrame(2, [lost]),
      trackedFrame(3, [], { ended }),
    ]);
    expect(events.map((event) => event.type)).toEqual(['start', 'end']);
    expect(events[1]).toMatchObject({ endPts: 0.1, pts: 0.1, end: 1_000_100 });
  });

  it('are closed by the operator when the stream of the camera completes', async () => {
    const types: string[] = [];
    await of(trackedFrame(0, [instance('a'), instance('b')]))
      .pipe(deriveEvents(rules))
      .forEach((event) => types.push(`${event.type} ${event.event}`));
    expect(types).toEqual(['start a', 'start b', 'end a', 'end b']);
  });
});
