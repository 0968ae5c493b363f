/** An independent reading of RFC 6184 for the tests: RTP packets → access units, grouped by timestamp, ended by the marker. */
export function depacketise(packets: readonly Buffer[]): { timestamp: number; nals: Buffer[] }[] {
  const units: { timestamp: number; nals: Buffer[] }[] = [];
  let nals: Buffer[] = [];
  let fragments: Buffer[] = [];
  for (const packet of packets) {
    const payload = packet.subarray(12);
    const type = payload[0]! % 32;
    if (type === 24) {
      for (let at = 1; at < payload.length; ) {
        const length = payload.readUInt16BE(at);
        nals.push(payload.subarray(at + 2, at + 2 + length));
        at += 2 + length;
      }
    } else if (type === 28) {
      const header = payload[1]!;
      if (header & 0x80) fragments = [Buffer.from([(payload[0]! & 0xe0) | (header & 0x1f)])];
      fragments.push(payload.subarray(2));
      if (header & 0x40) nals.push(Buffer.concat(fragments));
    } else {
      nals.push(payload);
    }
    if (packet[1]! & 0x80) {
      units.push({ timestamp: packet.readUInt32BE(4), nals });
      nals = [];
    }
  }
  return units;
}
