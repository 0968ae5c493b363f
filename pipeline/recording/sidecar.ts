import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import type { TrackedFrame } from '../../operators/types.js';
import { tracksMessage } from '../mqtt/messages.js';
import { instancePayload } from '../mqtt/payloads.js';

/** Version that `tracks.json` carries as `schema`. */
export const SIDECAR_SCHEMA = 1;

const utc = (about: string) => z.iso.datetime({ precision: 3 }).describe(`${about}; ISO 8601 UTC, milliseconds`);

/** `tracks.json`: what was found in the pictures of a clip. The only source of `docs/schemas/sidecar.json`. */
export const sidecarSchema = z
  .object({
    schema: z.literal(SIDECAR_SCHEMA).describe('Version of this contract'),
    clip: z.string().describe('Id of the clip, the name of its folder'),
    event: z.string().describe('Id of its event, which is that of the track'),
    camera: z.string().describe('Name of the camera'),
    model: z
      .object({ name: z.string(), digest: z.string().optional().describe('Digest of the model, where it has one') })
      .describe('What saw'),
    source: z
      .object({
        width: z.int().min(1).describe('Width of the picture that boxes refer to, pixels'),
        height: z.int().min(1).describe('Its height, pixels'),
        fps: z.number().min(0).describe('Mean pictures a second of clip.mp4; 0 when unknown'),
      })
      .describe('The pictures'),
    start: utc('Capture of the first picture of clip.mp4'),
    end: utc('End of its last picture'),
    offset: z
      .number()
      .describe(
        "Source time (pts, s) of the picture at second 0 of clip.mp4: pts = offset + t, but for the container's 1 ms",
      ),
    frames: z
      .array(
        z.object({
          pts: z.number().describe("Seconds in the source's own clock, microseconds kept"),
          t: z.number().min(0).describe('Second of clip.mp4 at which exactly this picture is shown'),
          instances: tracksMessage.shape.instances,
        }),
      )
      .describe('Every analysed picture of the clip, by rising t; pictures in between were not analysed'),
  })
  .describe('Sidecar of a clip, tracks.json');

export type Sidecar = z.output<typeof sidecarSchema>;

/** JSON Schema (draft 2020-12) of `tracks.json`. */
export function sidecarJsonSchema(): unknown {
  return z.toJSONSchema(sidecarSchema, { target: 'draft-2020-12', io: 'input' });
}

/** A picture of the clip: its time in the source and the second at which the clip shows it. */
export interface ClipPicture {
  readonly sourceMs: number;
  readonly tS: number;
}

/** Segments hold whole milliseconds, so a picture's time there is off by half of one at most; cameras add a rounding. */
const ROUNDING_MS = 1.5;

/**
 * Gives each analysed frame the second of the clip at which its own picture is shown. Frames whose picture is not in the
 * clip are left out, and so is a second frame for one picture.
 *
 * @param pictures  by rising time
 */
export function placeFrames(frames: readonly TrackedFrame[], pictures: readonly ClipPicture[]): Sidecar['frames'] {
  const placed: Sidecar['frames'] = [];
  let at = 0;
  for (const frame of frames) {
    const wantedMs = frame.pts * 1000;
    const off = (index: number): number => Math.abs((pictures[index]?.sourceMs ?? Number.POSITIVE_INFINITY) - wantedMs);
    while (at + 1 < pictures.length && off(at + 1) <= off(at)) at++;
    const picture = pictures[at];
    if (!picture || off(at) > ROUNDING_MS || placed.at(-1)?.t === picture.tS) continue;
    placed.push({
      pts: Math.round(frame.pts * 1e6) / 1e6,
      t: picture.tS,
      instances: frame.instances.map(instancePayload),
    });
  }
  return placed;
}

/**
 * Reads and checks a sidecar.
 *
 * @throws Error when it is missing or not as the schema says
 */
export async function readSidecar(path: string): Promise<Sidecar> {
  const parsed = sidecarSchema.safeParse(JSON.parse(await readFile(path, 'utf8')));
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    throw new Error(`${path}: ${issue.path.join('.')}: ${issue.message}`);
  }
  return parsed.data;
}
