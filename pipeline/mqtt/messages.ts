import { z } from 'zod';

/**
 * The JSON payloads of the MQTT contract, schema 1. The only source of `docs/schemas/*.json` and of
 * `maskcast schema TOPIC`; `payloads.ts` makes the values. Readers must ignore keys that they do not know.
 */

/** Version that every JSON payload carries as `schema`. */
export const MESSAGE_SCHEMA = 1;

const schema = z.literal(MESSAGE_SCHEMA).describe('Version of this contract');
const utc = (about: string) => z.iso.datetime({ precision: 3 }).describe(`${about}; ISO 8601 UTC, milliseconds`);
const score = z.number().min(0).max(1);
const label = z.string().min(1).describe('COCO class name');
const box = z
  .tuple([z.number(), z.number(), z.number(), z.number()])
  .describe('[x1, y1, x2, y2] in pixels of the source frame, origin top left, may carry fractions');
const mask = z
  .object({
    size: z.tuple([z.int().min(1), z.int().min(1)]).describe('[height, width] of the crop in pixels'),
    origin: z.tuple([z.int(), z.int()]).describe('[x, y] of its top-left pixel in the source frame'),
    counts: z.string().describe('COCO compressed run-length code, column-major'),
  })
  .describe('Pixels of the instance; absent when the model gives no masks');
const zones = z.array(z.string());

/** First keys of every payload below a camera, in this order. */
const belowCamera = {
  schema,
  camera: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,64}$/)
    .describe('Name of the camera, as in the topic'),
  seq: z.int().min(1).describe('Counts the messages of this topic from 1 at the start of the program, +1 each'),
};

/** `status`: plain text, not JSON. */
export const statusMessage = z
  .enum(['online', 'offline'])
  .describe('Plain text, not JSON. `offline` is also the will: the broker publishes it when maskcast is lost');

/** `info`. */
export const infoMessage = z
  .object({
    schema,
    version: z.string().describe('Version of maskcast'),
    started: utc('Start of the program'),
    model: z
      .object({
        name: z.string().describe('Name of the model, or of its file'),
        digest: z.string().optional().describe('Digest of its model card; absent for a model without one'),
      })
      .describe('What sees'),
    cameras: z.array(z.string()).describe('Names of the cameras'),
    provider: z.string().describe('Where inference runs, such as cpu or webgpu'),
  })
  .describe('What runs here');

/** `<c>/status`. */
export const cameraStatusMessage = z
  .object({
    ...belowCamera,
    time: utc('Moment of publishing'),
    state: z.enum(['connecting', 'live', 'reconnecting', 'paused', 'ended', 'failed']),
    since: utc('Begin of this state'),
    reason: z.string().optional().describe('One sentence without credentials; absent when all is well'),
    fps: z.number().min(0).describe('Frames per second delivered, over the last seconds'),
    epoch: z.int().min(0).describe('Counts the connections to this camera from 0'),
  })
  .describe('How a camera is doing');

const instance = z.object({
  id: z.string().describe('<camera>-<start in base 36>-<n>: unique across cameras, runs and restarts'),
  label,
  score: score.describe('0…1'),
  box,
  mask: mask.optional(),
  state: z.enum(['moving', 'stationary', 'lost']).describe('lost: the box is predicted, there is no mask'),
  zones: zones.describe('Zones that it is in'),
  age: z.number().min(0).describe("Seconds (pts) since the track's first detection"),
  velocity: z.tuple([z.number(), z.number()]).describe('[vx, vy] of the box centre, source pixels per second'),
});

const ms = z.number();

/** `<c>/tracks`. */
export const tracksMessage = z
  .object({
    ...belowCamera,
    time: utc('Capture of the frame'),
    epoch: z.int().min(0).describe('Counts the connections to this camera from 0'),
    pts: z.number().describe("Seconds in the source's own clock, microseconds kept"),
    width: z.int().min(1).describe('Width of the source frame, pixels'),
    height: z.int().min(1).describe('Height of the source frame, pixels'),
    latency: z
      .object({ capture: ms, queue: ms, detect: ms, track: ms, total: ms })
      .describe('Milliseconds spent in each stage'),
    instances: z.array(instance),
  })
  .describe('Every instance of one analysed frame');

/** `<c>/events`. */
export const eventMessage = z
  .object({
    ...belowCamera,
    time: utc('Capture of the frame that this message speaks of'),
    type: z.enum(['start', 'update', 'end']),
    event: z.string().describe('Id of the event'),
    track: z.string().describe('Id of the track, as in `tracks`'),
    label,
    score: score.describe('Best score so far, 0…1'),
    box,
    mask: mask.optional(),
    zones: zones.describe('Zones that it is in now'),
    entered: zones.describe('Zones that it was ever in, in order of entry'),
    start: utc('First detection'),
    end: utc('Last detection').optional(),
    clip: z.string().optional().describe('Id of the clip that records it, as in `clips`'),
    snapshot: z.string().optional().describe('Path of its best picture, relative to the data folder'),
  })
  .describe('A confirmed track of a chosen label began, changed or ended');

/** `<c>/clips`. */
export const clipMessage = z
  .object({
    ...belowCamera,
    time: utc('Moment of publishing'),
    clip: z.string().describe('Id of the clip'),
    event: z.string().describe('Id of its event'),
    state: z.enum(['ready', 'failed', 'deleted']),
    start: utc('First picture'),
    end: utc('Last picture'),
    duration: z.number().min(0).describe('Seconds'),
    files: z
      .object({
        clip: z.string().optional(),
        annotated: z.string().optional(),
        best: z.string().optional(),
        tracks: z.string().optional(),
      })
      .describe('Paths relative to the data folder; empty unless ready'),
    reason: z.string().optional().describe('Why it failed or was deleted'),
  })
  .describe('A clip became ready, failed or was deleted');

/** Name of a schema (and of its file under `docs/schemas/`) → topic below the prefix and the schema itself. */
export const MESSAGES = {
  status: { topic: 'status', schema: statusMessage },
  info: { topic: 'info', schema: infoMessage },
  'camera-status': { topic: '<c>/status', schema: cameraStatusMessage },
  tracks: { topic: '<c>/tracks', schema: tracksMessage },
  events: { topic: '<c>/events', schema: eventMessage },
  clips: { topic: '<c>/clips', schema: clipMessage },
} as const;

export type MessageName = keyof typeof MESSAGES;

/**
 * Finds the schema that speaks of a topic.
 *
 * @param topic  name of a schema (`tracks`, `camera-status`) or a topic below the prefix (`<c>/status`, `gate/tracks`)
 * @returns undefined when no message of the contract has that topic
 */
export function messageName(topic: string): MessageName | undefined {
  if (Object.hasOwn(MESSAGES, topic)) return topic as MessageName; // one of its keys
  const level = /^[^/]+\/([^/]+)$/.exec(topic)?.[1];
  const names = Object.keys(MESSAGES) as MessageName[]; // keys of a constant
  return names.find((name) => MESSAGES[name].topic === `<c>/${level}`);
}

/** JSON Schema (draft 2020-12) of a topic's payload. Unknown keys are allowed: later versions may add some. */
export function messageJsonSchema(name: MessageName): Record<string, unknown> {
  const { $schema, ...rest } = z.toJSONSchema(MESSAGES[name].schema, { target: 'draft-2020-12', io: 'input' });
  return { $schema, title: `maskcast ${MESSAGES[name].topic}`, ...rest };
}
