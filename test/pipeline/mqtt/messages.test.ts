import { readdirSync, readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it, vi } from 'vitest';
import { InputError } from '../../../config/errors.js';
import type { ClipMessage, TrackEvent, TrackedFrame } from '../../../operators/types.js';
import { schemaCommand } from '../../../pipeline/commands/schema.js';
import { MESSAGES, type MessageName, messageJsonSchema, messageName } from '../../../pipeline/mqtt/messages.js';
import {
  cameraStatusPayload,
  clipPayload,
  eventPayload,
  infoPayload,
  isoTime,
  tracksPayload,
} from '../../../pipeline/mqtt/payloads.js';
import { stampPayload } from '../../../pipeline/mqtt/stamp.js';

const SCHEMAS = new URL('../../../docs/schemas/', import.meta.url);
const time = Date.UTC(2026, 4, 1, 8, 15, 2, 40);
const mask = { size: [288, 89], origin: [812, 300], counts: 'oP1:3' } as const;

/** The frame of the contract's own example. */
const frame: TrackedFrame = {
  camera: 'gate',
  epoch: 0,
  index: 7,
  pts: 32.440000000004,
  time,
  source: { width: 1920, height: 1080 },
  latency: { capture: 6.1, queue: 3.0, detect: 28.40002, track: 0.2, total: 37.9 },
  instances: [
    {
      id: 'gate-mb2k9c-17',
      label: 'person',
      score: 0.93,
      box: [812.5, 300, 901, 588.2],
      mask,
      state: 'moving',
      zones: ['porch'],
      age: 4.2,
      velocity: [31, -2.5],
    },
  ],
  ended: [],
};
const event: TrackEvent = {
  type: 'end',
  camera: 'gate',
  epoch: 0,
  event: 'gate-mb2k9c-17',
  track: 'gate-mb2k9c-17',
  label: 'person',
  score: 0.93456,
  box: [1, 2, 3.33333, 4],
  mask,
  zones: [],
  entered: ['porch'],
  start: time - 4200,
  startPts: 28.24,
  end: time,
  endPts: 32.44,
  time,
  pts: 32.44,
};
const { end: _end, endPts: _endPts, mask: _mask, ...open } = event;
const clip: ClipMessage = {
  camera: 'gate',
  clip: 'c1',
  event: event.event,
  state: 'ready',
  start: time,
  end: time + 9000,
  duration: 9.00004,
  files: { clip: 'clips/a/clip.mp4', best: 'clips/a/best.jpg' },
};
const status = { camera: 'gate', state: 'live', since: time, fps: 9.98765, epoch: 2 } as const;

const stamped = (subtopic: string, payload: object): unknown =>
  JSON.parse(stampPayload(subtopic, 812, payload, () => time) as string); // an object becomes text

const cases: [MessageName, string, unknown][] = [
  ['status', 'text', 'offline'],
  [
    'info',
    'with a card',
    stamped(
      'info',
      infoPayload({
        version: '0.1.0',
        started: time,
        model: { name: 'edge', digest: 'sha256:1' },
        cameras: ['gate'],
        provider: 'cpu',
      }),
    ),
  ],
  ['camera-status', 'live', stamped('gate/status', cameraStatusPayload(status))],
  ['camera-status', 'with a reason', stamped('gate/status', cameraStatusPayload({ ...status, reason: 'no route' }))],
  ['tracks', 'with a mask', stamped('gate/tracks', tracksPayload(frame))],
  ['tracks', 'empty', stamped('gate/tracks', tracksPayload({ ...frame, instances: [] }))],
  ['events', 'start', stamped('gate/events', eventPayload({ ...open, type: 'start' }))],
  ['events', 'end', stamped('gate/events', eventPayload(event, { clip: 'c1', snapshot: 'clips/a/best.jpg' }))],
  ['clips', 'ready', stamped('gate/clips', clipPayload(clip))],
  ['clips', 'failed', stamped('gate/clips', clipPayload({ ...clip, state: 'failed', files: {}, reason: 'full' }))],
];

describe('messages', () => {
  it.each(cases)('%s, %s: fits the JSON Schema and carries no key that the schema does not name', (name, _, value) => {
    const ajv = new Ajv2020({ strict: true, validateFormats: false, strictTuples: false });
    const validate = ajv.compile(messageJsonSchema(name));
    expect(validate(value), JSON.stringify(validate.errors)).toBe(true);
    // zod strips unknown keys: equal means there were none
    expect(MESSAGES[name].schema.parse(value)).toEqual(value);
    if (name === 'status') return expect(validate('away')).toBe(false);
    for (const key of (messageJsonSchema(name).required ?? []) as string[]) {
      const { [key]: _gone, ...rest } = value as Record<string, unknown>; // all but status are objects
      expect(validate(rest), `without ${key}`).toBe(false);
    }
  });

  it('gives the example of the contract to the letter', () => {
    expect(stampPayload('gate/tracks', 812, tracksPayload(frame), () => 0)).toBe(
      '{"schema":1,"camera":"gate","seq":812,"time":"2026-05-01T08:15:02.040Z","epoch":0,"pts":32.44,"width":1920,"height":1080,' +
        '"latency":{"capture":6.1,"queue":3,"detect":28.4,"track":0.2,"total":37.9},' +
        '"instances":[{"id":"gate-mb2k9c-17","label":"person","score":0.93,"box":[812.5,300,901,588.2],' +
        '"mask":{"size":[288,89],"origin":[812,300],"counts":"oP1:3"},"state":"moving","zones":["porch"],"age":4.2,"velocity":[31,-2.5]}]}',
    );
  });

  it('keeps microseconds of pts and milliseconds of time', () => {
    expect(tracksPayload({ ...frame, pts: 1234567.123456 }).pts).toBe(1234567.123456);
    expect(isoTime(time + 0.6)).toBe('2026-05-01T08:15:02.041Z');
  });

  it('stamps text and bytes not at all', () => {
    const bytes = new Uint8Array([1, 2]);
    expect(stampPayload('status', 1, 'online', () => 0)).toBe('online');
    expect(stampPayload('gate/snapshot', 1, bytes, () => 0)).toBe(bytes);
  });

  it('has its schemas in docs/schemas up to date (node dist/pipeline/main.js schema NAME > docs/schemas/NAME.json)', () => {
    const names = Object.keys(MESSAGES) as MessageName[]; // keys of a constant
    // The sidecar of clips is described there too; its own test sees to it.
    expect(readdirSync(SCHEMAS).sort()).toEqual([...names, 'sidecar'].map((name) => `${name}.json`).sort());
    for (const name of names) {
      const text = readFileSync(new URL(`${name}.json`, SCHEMAS), 'utf8');
      expect(JSON.parse(text), name).toEqual(JSON.parse(JSON.stringify(messageJsonSchema(name))));
    }
  });

  it('finds a schema by its name and by a topic', () => {
    expect(['tracks', 'gate/tracks', '<c>/status', 'status', 'gate/x', 'toString'].map(messageName)).toEqual([
      'tracks',
      'tracks',
      'camera-status',
      'status',
      undefined,
      undefined,
    ]);
  });

  it('prints a schema, and refuses an unknown topic with the list', async () => {
    const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
    try {
      await schemaCommand().parseAsync(['events'], { from: 'user' });
      expect(JSON.parse(String(write.mock.calls[0]![0]))).toMatchObject({ title: 'maskcast <c>/events' });
    } finally {
      write.mockRestore();
    }
    const refused = schemaCommand().parseAsync(['trakcs'], { from: 'user' });
    await expect(refused).rejects.toThrow(InputError);
    await expect(refused).rejects.toThrow(
      /"trakcs".*status, info, camera-status \(<c>\/status\), tracks, events, clips/,
    );
  });
});
