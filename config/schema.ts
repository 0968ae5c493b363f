import { z } from 'zod';

/**
 * What the user may say. The only source of types, defaults, documentation and the JSON Schema
 * (`maskcast config schema`). Every key has a description; units are in it or in the value (`5s`, `2GB`).
 */

const DURATION_UNITS = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86_400 } as const;
const SIZE_UNITS = { kB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12 } as const;

/** A duration: `250ms`, `5s`, `2m`, `1h`, `10d`, or a number of seconds. Becomes seconds. */
function duration(minS: number, maxS: number) {
  const rule = `must be a duration such as 250ms, 5s, 2m, 1h, 10d or a number of seconds, from ${minS} s to ${maxS} s`;
  return z
    .union([z.number(), z.string().regex(/^\d+(\.\d+)?(ms|s|m|h|d)$/, rule)])
    .transform((value) => {
      if (typeof value === 'number') return value;
      const match = /^([\d.]+)(ms|s|m|h|d)$/.exec(value);
      return match ? Number(match[1]) * DURATION_UNITS[match[2] as keyof typeof DURATION_UNITS] : Number.NaN;
    })
    .refine((seconds) => seconds >= minS && seconds <= maxS, rule);
}

/** A size on disk: `500MB`, `20GB`, or a number of bytes. Becomes bytes. */
function byteSize() {
  const rule = 'must be a size such as 500MB, 20GB, 1TB or a number of bytes';
  return z
    .union([z.number().int().positive(), z.string().regex(/^\d+(\.\d+)?(kB|MB|GB|TB)$/, rule)])
    .transform((value) => {
      if (typeof value === 'number') return value;
      const match = /^([\d.]+)(kB|MB|GB|TB)$/.exec(value);
      return match ? Number(match[1]) * SIZE_UNITS[match[2] as keyof typeof SIZE_UNITS] : Number.NaN;
    });
}

/** Camera, zone and line names: they become topic levels and folder names. */
export const NAME_PATTERN = /^[A-Za-z0-9_-]{1,64}$/;
const name = z
  .string()
  .regex(
    NAME_PATTERN,
    'must be 1 to 64 characters from A-Z a-z 0-9 _ - (it becomes an MQTT topic level and a folder name)',
  );

const score = z.number().min(0).max(1);
const labelScores = z
  .record(z.string().min(1), score)
  .describe('COCO class name → lowest score (0…1) at which an instance of it starts an event');

/** `{}` stands for "all defaults of this block". */
const withDefaults = <T extends z.ZodObject>(block: T) => block.prefault({} as z.input<T>);

export const mqttSchema = z.strictObject({
  url: z
    .string()
    .regex(/^(mqtts?|wss?):\/\//, 'must start with mqtt://, mqtts://, ws:// or wss://')
    .optional()
    .describe('Broker. Left out: an embedded broker on 127.0.0.1'),
  username: z.string().optional().describe('User name at the broker (may also stand in the URL)'),
  password: z.string().optional().describe('Password; ${VARIABLE} or file:/path keeps it out of this file'),
  ca: z.string().optional().describe('Path of a CA certificate (PEM) that signs the broker'),
  cert: z.string().optional().describe('Path of the client certificate (PEM)'),
  key: z.string().optional().describe('Path of the client key (PEM)'),
  verify: z.boolean().default(true).describe('Refuse a broker whose certificate does not verify'),
  version: z
    .union([z.literal(5), z.literal(3.1)])
    .default(5)
    .describe('MQTT 5, or 3.1 for MQTT 3.1.1'),
  prefix: z
    .string()
    .regex(/^[^#+\0/]+(\/[^#+\0/]+)*$/, 'must be topic levels without # and +, without a slash at either end')
    .default('maskcast')
    .describe('First levels of every topic'),
  clientId: z
    .string()
    .min(1)
    .max(64)
    .optional()
    .describe('Client id; left out: maskcast-<random>, kept in the data folder'),
  embedded: withDefaults(
    z.strictObject({
      host: z.string().default('127.0.0.1').describe('Address that the embedded broker listens on'),
      port: z.number().int().min(0).max(65_535).default(1883).describe('TCP port; 0 takes a free one'),
      webSocketPort: z
        .union([z.literal(false), z.number().int().min(0).max(65_535)])
        .default(false)
        .describe('WebSocket port, or false for none'),
    }),
  ).describe('The embedded broker, used when url is left out'),
  outbox: withDefaults(
    z.strictObject({
      maxMessages: z
        .number()
        .int()
        .min(1)
        .max(1_000_000)
        .default(10_000)
        .describe('QoS 1 messages kept while the broker is away'),
      maxSize: byteSize().prefault('64MB').describe('Their total size on disk'),
    }),
  ).describe('QoS 1 messages wait here, on disk, while the broker is away; the oldest go when it is full'),
});

export const modelSchema = z.strictObject({
  file: z.string().min(1).optional().describe('ONNX file, or the name of a model that `maskcast model list` shows'),
  provider: z
    .enum(['auto', 'cpu', 'webgpu', 'cuda', 'tensorrt', 'coreml', 'directml'])
    .default('auto')
    .describe('Where inference runs; auto tries the fastest that is there and says why it moved on'),
  batch: z
    .union([z.literal('auto'), z.number().int().min(1).max(64)])
    .default('auto')
    .describe('Frames per inference; auto: the number of cameras, up to 4, where the model allows it'),
  workers: z
    .union([z.literal('auto'), z.number().int().min(1).max(32)])
    .default('auto')
    .describe('Inference threads with a session each'),
  threads: z
    .union([z.literal('auto'), z.number().int().min(1).max(64)])
    .default('auto')
    .describe('Threads inside one session'),
  maxWait: duration(0, 1).prefault('20ms').describe('Longest wait of a frame for others to fill a batch'),
  minScore: score.default(0.1).describe('Detections below this score never reach the tracker'),
});

export const recordSchema = z.strictObject({
  labels: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe('Classes whose events make a clip; left out: those of `labels`'),
  preRoll: duration(0, 60).prefault('5s').describe('Kept before the start of an event'),
  postRoll: duration(0, 60).prefault('5s').describe('Kept after its end'),
  maxLength: duration(1, 3600)
    .prefault('5m')
    .describe('Longest clip; an event that goes on longer ends its clip there'),
  annotate: z.boolean().default(true).describe('Also render annotated.mp4'),
});

const point = z.tuple([z.number().min(0).max(1), z.number().min(0).max(1)]);
export const zoneSchema = z.strictObject({
  polygon: z.array(point).min(3).describe('Corners [x, y], 0…1 of the width and height of the picture'),
  labels: z.array(z.string().min(1)).min(1).optional().describe('Classes that count; left out: all tracked'),
  overlap: z
    .number()
    .gt(0)
    .max(1)
    .default(0.3)
    .describe('Share of the instance (of its mask, or of its box without one) that must lie inside'),
});

export const cameraSchema = z.strictObject({
  source: z
    .string()
    .min(1)
    .describe(
      'rtsp:// or rtsps:// URL, video file, folder of images, http(s):// MJPEG or HLS URL, or device such as /dev/video0',
    ),
  transport: z.enum(['tcp', 'udp']).default('tcp').describe('How RTSP media travels'),
  fps: z
    .number()
    .gt(0)
    .max(240)
    .optional()
    .describe('Most frames a second to analyse; left out: every frame of a file, 10 of a live camera'),
  loop: z.boolean().default(false).describe('Start a file again when it ends'),
  live: z
    .boolean()
    .optional()
    .describe('Treat as live (drop old frames) or not (lose none); left out: by the kind of source'),
  hardware: z
    .enum(['none', 'auto', 'vaapi', 'qsv', 'cuda', 'videotoolbox', 'd3d11va', 'v4l2m2m', 'rkmpp'])
    .default('none')
    .describe('Hardware decoding; falls back to software with a log line'),
  stallAfter: duration(0.5, 600).prefault('5s').describe('Without a frame for this long the camera is connected anew'),
  labels: labelScores.default({ person: 0.5, bicycle: 0.5, car: 0.5, motorcycle: 0.5, bus: 0.5, truck: 0.5 }),
  record: z
    .union([z.literal(false), recordSchema])
    .prefault({})
    .describe('Clips, or false for none'),
  zones: z.record(name, zoneSchema).default({}).describe('Named polygons'),
});

export const trackerSchema = z.strictObject({
  highScore: score.default(0.5).describe('First association takes detections from this score on'),
  newScore: score.default(0.5).describe('A track begins only from a detection of at least this score'),
  keepLost: duration(0, 3600).prefault('2s').describe('How long a lost track may come back under its id'),
  maxGap: duration(0.1, 3600).prefault('5s').describe('A gap between two frames longer than this ends all tracks'),
  cameraMotion: z
    .enum(['auto', 'off'])
    .default('auto')
    .describe(
      'auto: tracks move along with a camera that pans, turns or shakes, and end at a hard cut, as the pictures (else the boxes) tell; off: neither',
    ),
});

export const configSchema = z.strictObject({
  mqtt: withDefaults(mqttSchema).describe('Where messages go'),
  model: withDefaults(modelSchema).describe('What sees'),
  tracker: withDefaults(trackerSchema).describe('How instances keep their identity'),
  data: z.string().min(1).default('maskcast-data').describe('Folder for clips, segments and the outbox'),
  clips: withDefaults(
    z.strictObject({
      keep: duration(60, 3_650 * 86_400)
        .prefault('10d')
        .describe('Clips older than this are deleted'),
      maxSize: byteSize().prefault('20GB').describe('Total size of all clips; the oldest go first'),
      minFree: byteSize()
        .prefault('500MB')
        .describe('Free space on the disk below which the oldest clips go and no new ones are written'),
    }),
  ).describe('How long clips stay'),
  log: z.enum(['error', 'warn', 'info', 'debug']).default('info').describe('Least level that is logged, to stderr'),
  cameras: z.record(name, cameraSchema).default({}).describe('Camera name → what to do with it'),
});

export type MaskcastConfig = z.output<typeof configSchema>;
export type MaskcastConfigInput = z.input<typeof configSchema>;
export type MqttConfig = z.output<typeof mqttSchema>;
export type ModelConfig = z.output<typeof modelSchema>;
export type CameraConfig = z.output<typeof cameraSchema>;
export type RecordConfig = z.output<typeof recordSchema>;
export type ZoneConfig = z.output<typeof zoneSchema>;
export type TrackerConfig = z.output<typeof trackerSchema>;
export type ClipsConfig = MaskcastConfig['clips'];

/** JSON Schema (draft 2020-12) of what a user may write. */
export function configJsonSchema(): unknown {
  return z.toJSONSchema(configSchema, { target: 'draft-2020-12', io: 'input' });
}
