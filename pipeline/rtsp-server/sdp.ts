import type { H264Track } from './h264-track.js';

/** Dynamic RTP payload type of our only stream. */
export const payloadType = 96;
/** Relative address of our only stream, appended to the mount's URL for SETUP. */
export const trackControl = 'trackID=0';

/** Session description (RFC 4566, RFC 6184 §8.2.1) of a mount with one H.264 stream. */
export function describe(track: H264Track, mount: string): string {
  const base64 = (set: Uint8Array): string => Buffer.from(set).toString('base64');
  const profile = Buffer.from(track.sps.subarray(1, 4)).toString('hex');
  return [
    'v=0',
    'o=- 0 0 IN IP4 127.0.0.1',
    `s=${mount}`,
    'c=IN IP4 0.0.0.0',
    't=0 0',
    'a=control:*',
    // A live stream has no end, hence no upper bound (RFC 2326 §C.1.5).
    'a=range:npt=now-',
    `m=video 0 RTP/AVP ${payloadType}`,
    `a=rtpmap:${payloadType} H264/90000`,
    `a=fmtp:${payloadType} packetization-mode=1;profile-level-id=${profile};` +
      `sprop-parameter-sets=${base64(track.sps)},${base64(track.pps)}`,
    `a=framerate:${Number((90_000 / track.frameTicks).toFixed(3))}`,
    `a=control:${trackControl}`,
    '',
  ].join('\r\n');
}
