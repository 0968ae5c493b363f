import { MESSAGE_SCHEMA } from './messages.js';
import { isoTime } from './payloads.js';

/**
 * Payload as it goes out: text and bytes as they are, an object as JSON with its first keys in the order of the
 * contract: `schema`, and below a camera `camera`, `seq`, `time`.
 *
 * @param subtopic  below the prefix; `<c>/…` is below a camera
 * @param seq       number of this message on its topic
 * @param now       UTC ms, asked only where the payload has no `time` of its own
 */
export function stampPayload(
  subtopic: string,
  seq: number,
  payload: object | string | Uint8Array,
  now: () => number,
): string | Uint8Array {
  if (typeof payload === 'string' || payload instanceof Uint8Array) return payload;
  const slash = subtopic.indexOf('/');
  if (slash < 0) return JSON.stringify({ schema: MESSAGE_SCHEMA, ...payload });
  const camera = subtopic.slice(0, slash);
  const first = { schema: MESSAGE_SCHEMA, camera, seq };
  if ('time' in payload) return JSON.stringify({ ...first, ...payload });
  return JSON.stringify({ ...first, time: isoTime(now()), ...payload });
}
