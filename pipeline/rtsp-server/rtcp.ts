import { modulo32 } from './rtp.js';

/** Seconds between 1900, where NTP time begins, and 1970. */
const ntpEpochS = 2_208_988_800;

/** Facts of one sender report. */
export interface SenderReport {
  readonly ssrc: number;
  /** One and the same instant on both clocks: UTC in ms since 1970, and the stream's 90 kHz timestamp. */
  readonly utcMs: number;
  readonly timestamp: number;
  /** Sent so far; RTP payload octets without headers. */
  readonly packets: number;
  readonly octets: number;
}

/** A compound RTCP packet: sender report (RFC 3550 §6.4.1) and the CNAME that must go with it (§6.5.1). */
export function senderReport({ ssrc, utcMs, timestamp, packets, octets }: SenderReport): Buffer {
  const report = Buffer.alloc(28);
  report.writeUInt8(0x80, 0);
  report.writeUInt8(200, 1);
  report.writeUInt16BE(report.length / 4 - 1, 2);
  report.writeUInt32BE(ssrc, 4);
  const seconds = Math.floor(utcMs / 1000);
  report.writeUInt32BE(modulo32(seconds + ntpEpochS), 8);
  report.writeUInt32BE(Math.floor((utcMs / 1000 - seconds) * 2 ** 32), 12);
  report.writeUInt32BE(modulo32(Math.round(timestamp)), 16);
  report.writeUInt32BE(modulo32(packets), 20);
  report.writeUInt32BE(modulo32(octets), 24);

  const name = Buffer.from('maskcast');
  // Header, SSRC, item type and length, name, at least one zero to end the list, up to a multiple of 4.
  const description = Buffer.alloc(Math.ceil((8 + 2 + name.length + 1) / 4) * 4);
  description.writeUInt8(0x81, 0);
  description.writeUInt8(202, 1);
  description.writeUInt16BE(description.length / 4 - 1, 2);
  description.writeUInt32BE(ssrc, 4);
  description.writeUInt8(1, 8);
  description.writeUInt8(name.length, 9);
  name.copy(description, 10);
  return Buffer.concat([report, description]);
}
