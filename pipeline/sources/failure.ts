/** What ffmpeg's last lines mean to the owner of a camera; first match wins. */
const MEANINGS: readonly (readonly [RegExp, string, 'at the start'?])[] = [
  [/401 Unauthorized|Authorization failed/i, 'the camera refused user name or password'],
  [/403 Forbidden/i, 'the camera forbids access (403)'],
  [/404 (Stream )?Not Found/i, 'the camera has no stream of this path (404)'],
  [/45[0-9] |4XX|method .* failed: 4/i, 'the camera refused the request'],
  [/method .* failed: 5|5XX|Server returned 5/i, 'the camera reports an error of its own (5xx)'],
  [/Connection refused/i, 'connection refused: nothing listens at this address and port'],
  [/No route to host|Network is unreachable|Host is down/i, 'no route to the camera'],
  [/resolve hostname|Name or service not known|name resolution/i, 'no such host: the name cannot be resolved'],
  [/timed out/i, 'the camera does not answer'],
  [/certificate|TLS|SSL/i, 'the secure connection failed (certificate)'],
  [/Device or resource busy/i, 'the device is in use by another program'],
  [/No such (file or directory|device)/i, 'no such device'],
  [/Permission denied/i, 'this user may not open the device'],
  [/Protocol not found|Option .* not found|Unrecognized option/i, 'this ffmpeg does not know the kind of source'],
  [/matches no streams|does not contain any stream/i, 'it sends no video', 'at the start'],
  [/Invalid data found|moov atom not found/i, 'what it sends is not a video', 'at the start'],
  [/No space left on device/i, 'the disk is full'],
];

/** One readable reason for the end of a connection, without a line of ffmpeg and without credentials. */
export function failureReason(tail: readonly string[], code: number | null, hadFrames: boolean): string {
  const text = tail.join('\n');
  for (const [pattern, meaning, early] of MEANINGS) {
    // Torn data at the end of a good connection is a consequence, not the cause.
    if (!(early && hadFrames) && pattern.test(text)) return meaning;
  }
  if (code === 0 || hadFrames) return 'the camera ended the connection';
  return `no picture came (ffmpeg ended with code ${code ?? 'none'})`;
}
