/** NAL unit types of H.264 (ITU-T H.264 table 7-1) that serving needs to know. */
export const nalType = { slice: 1, idr: 5, sei: 6, sps: 7, pps: 8, delimiter: 9 } as const;

/** Type of a NAL unit: the low five bits of its first byte. */
export function typeOf(nal: Uint8Array): number {
  return nal[0]! & 0x1f;
}

/**
 * The NAL units of an Annex B byte stream (H.264 §B.1), views into `bytes` without start codes. Zero bytes before a
 * start code and at the end are padding (`leading_zero_8bits`, `trailing_zero_8bits`), for a NAL unit never ends in 0.
 */
export function splitNals(bytes: Uint8Array): Uint8Array[] {
  const nals: Uint8Array[] = [];
  let start = -1;
  const close = (end: number): void => {
    let last = end;
    while (last > start && bytes[last - 1] === 0) last--;
    if (start >= 0 && last > start) nals.push(bytes.subarray(start, last));
  };
  for (let at = 0; at + 2 < bytes.length; at++) {
    if (bytes[at] !== 0 || bytes[at + 1] !== 0 || bytes[at + 2] !== 1) continue;
    close(at);
    start = at + 3;
    at += 2;
  }
  close(bytes.length);
  return nals;
}

/** True when an SEI unit carries a recovery point (payload type 6, H.264 §D.1.8): decoding may begin there. */
export function hasRecoveryPoint(sei: Uint8Array): boolean {
  // Types and sizes are runs of 255 plus a rest (§7.3.2.3.1). Emulation bytes inside a payload would shift the later
  // messages; a recovery point that hides behind such a one is missed, which only costs a later entry.
  for (let at = 1; at + 1 < sei.length && sei[at] !== 0x80; ) {
    const read = (): number => {
      let value = 0;
      while (sei[at] === 255) value += sei[at++]!;
      return value + (sei[at++] ?? 0);
    };
    const type = read();
    const size = read();
    if (type === 6) return true;
    at += size;
  }
  return false;
}
