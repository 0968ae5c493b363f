import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { InputError } from '../../config/errors.js';
import { parseConfig } from '../../config/load.js';
import { configJsonSchema } from '../../config/schema.js';

const folder = mkdtempSync(join(tmpdir(), 'maskcast-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

const environment = { GATE_PASSWORD: 's3cret' };
const refusal = (text: string): string => {
  try {
    parseConfig(text, 'site.yaml', environment);
  } catch (cause) {
    expect(cause).toBeInstanceOf(InputError);
    return (cause as Error).message;
  }
  throw new Error('was accepted');
};

describe('the configuration', () => {
  it('of the architecture is accepted, with durations in seconds and the secret from the environment', () => {
    const config = parseConfig(
      `
mqtt: { url: mqtt://localhost:1883 }
model: { file: edge, provider: auto, batch: auto }
cameras:
  gate:
    source: rtsp://user:\${GATE_PASSWORD}@10.0.0.7/stream1
    fps: 10
    labels: { person: 0.5, car: 0.6 }
    record: { labels: [person], preRoll: 5s, postRoll: 500ms }
    zones: { porch: { polygon: [[0.1,0.6],[0.4,0.6],[0.4,1],[0.1,1]], labels: [person] } }
`,
      'site.yaml',
      environment,
    );
    expect(config.cameras.gate).toMatchObject({
      source: 'rtsp://user:s3cret@10.0.0.7/stream1',
      record: { preRoll: 5, postRoll: 0.5, maxLength: 300 },
      transport: 'tcp',
    });
  });

  it('may be empty: everything has a default', () => {
    expect(parseConfig('', 'site.yaml', {})).toMatchObject({
      data: 'maskcast-data',
      cameras: {},
      mqtt: { prefix: 'maskcast' },
      tracker: { cameraMotion: 'auto' },
    });
  });

  it.each([
    ['camera:\n  a: 1\n', 'site.yaml:1: unknown key "camera"; did you mean "cameras"?'],
    [
      'cameras:\n  gate:\n    source: x\n    sorce: y\n',
      'site.yaml:4: unknown key "cameras.gate.sorce"; did you mean "source"?',
    ],
    ['cameras:\n  gate: { source: x, fps: fast }\n', 'site.yaml:2: cameras.gate.fps is "fast"; it must be a number'],
    ['cameras:\n  gate: { source: x, fps: -1 }\n', 'site.yaml:2: cameras.gate.fps is -1; it must be more than 0'],
    ['cameras:\n  gate: { fps: 3 }\n', 'site.yaml:2: cameras.gate.source is missing; it must be a string'],
    [
      'cameras:\n  gate: {source: x}\n  gate: {source: y}\n',
      'site.yaml:3: the key "gate" stands twice in one block; every name may be used once: rename or remove one',
    ],
    [
      'model: { provider: gpu }\n',
      'site.yaml:1: model.provider is "gpu"; it must be "auto" or "cpu" or "webgpu" or "cuda" or "tensorrt" or "coreml" or "directml"',
    ],
    ['tracker: { cameraMotion: on }\n', 'site.yaml:1: tracker.cameraMotion is "on"; it must be "auto" or "off"'],
    ['cameras: []\n', 'site.yaml:1: cameras is []; it must be a block of names'],
    [
      'cameras:\n  g: { source: "rtsp://${NOT_SET}@h" }\n',
      'site.yaml:2: cameras.g.source uses ${NOT_SET}, but the environment has no NOT_SET; set it before the start',
    ],
    [
      'cameras:\n  g: { source: x, zones: { a: { polygon: [[0,0],[1,1]] } } }\n',
      'site.yaml:2: cameras.g.zones.a.polygon is [[0,0],[1,1]]; it must be at least 3 entries long',
    ],
  ])('refuses %j with line, key, value and rule', (text, message) => {
    expect(refusal(text)).toBe(message);
  });

  it.each(['../../etc', 'a/b', 'a b', '#', '+', '', 'ü', 'x'.repeat(65)])('refuses the camera name %j', (name) => {
    expect(refusal(`cameras:\n  ${JSON.stringify(name)}: { source: x }\n`)).toMatch(
      /site.yaml:2: cameras has the name .* 1 to 64 characters/,
    );
  });

  it('names every fault at once, each with its line', () => {
    expect(refusal('mqtt: { version: 4 }\ncameras:\n  g: { source: x, stallAfter: soon }\n').split('\n')).toHaveLength(
      2,
    );
  });

  it('never prints a password', () => {
    const text =
      'mqtt: { url: "http://user:hunter2@x", password: [hunter2] }\ncameras: { g: { source: 3, password: hunter2 } }';
    expect(refusal(text)).not.toContain('hunter2');
  });

  it('reads secrets from files', () => {
    const file = join(folder, 'secret');
    writeFileSync(file, 'pa ss\n');
    const config = parseConfig(
      `mqtt: { password: "file:${file}" }\ncameras: { g: { source: "rtsp://u:\${file:${file}}@h" } }`,
      'site.yaml',
      {},
    );
    expect(config.mqtt.password).toBe('pa ss');
    expect(config.cameras.g!.source).toBe('rtsp://u:pa ss@h');
    expect(refusal('mqtt: { password: file:/no/such }')).toMatch(
      /site.yaml:1: mqtt.password names the secret file \/no\/such/,
    );
  });

  it('has a JSON Schema with every key described', () => {
    const schema = JSON.parse(JSON.stringify(configJsonSchema())) as {
      properties: Record<string, { description?: string }>;
    };
    expect(Object.keys(schema.properties)).toEqual(['mqtt', 'model', 'tracker', 'data', 'clips', 'log', 'cameras']);
    for (const property of Object.values(schema.properties)) expect(property.description).toBeTruthy();
  });
});
