import { nalType, typeOf } from './nal.js';

/** Largest RTP packet in bytes, header included: fits an Ethernet frame with room for tunnels. */
export const maxPacketBytes = 1400;

export const headerBytes = 12;
const stapA = 24;
const fuA = 28;

/** What the headers of one stream count. */
export interface RtpState {
  readonly ssrc: number;
  readonly payloadType: number;
  /** Sequence number of the next packet, 16 bit. */
  sequence: number;
}

/**
 * Packs one access unit as RTP (RFC 3550 §5.1) with H.264 payload (RFC 6184, packetization-mode 1): a NAL unit that
 * fits alone (§5.6), adjacent SPS and PPS together as STAP-A (§5.7.1), a larger one as FU-A (§5.8). The last packet
 * carries the marker bit. Advances `state.sequence`.
 *
 * @param timestamp  90 kHz, taken modulo 2³²
 */
export function packetise(nals: readonly Uint8Array[], timestamp: number, state: RtpState): Buffer[] {
  const room = maxPacketBytes - headerBytes;
  const payloads: Uint8Array[][] = [];
  for (let at = 0; at < nals.length; at++) {
    const nal = nals[at]!;
    const sets = parameterSetRun(nals, at, room);
    if (sets.length > 1) {
      payloads.push([Uint8Array.of(importance(sets) | stapA), ...sets.flatMap((set) => [lengthOf(set), set])]);
      at += sets.length - 1;
    } else if (nal.length <= room) {
      payloads.push([nal]);
    } else {
      const indicator = (nal[0]! & 0xe0) | fuA;
      for (let from = 1; from < nal.length; from += room - 2) {
        const part = nal.subarray(from, from + room - 2);
        const start = from === 1 ? 0x80 : 0;
        const end = from + part.length === nal.length ? 0x40 : 0;
        payloads.push([Uint8Array.of(indicator, start | end | typeOf(nal)), part]);
      }
    }
  }
  return payloads.map((payload, index) => {
    const header = Buffer.alloc(headerBytes);
    header[0] = 0x80;
    header[1] = (index === payloads.length - 1 ? 0x80 : 0) | state.payloadType;
    header.writeUInt16BE(state.sequence, 2);
    header.writeUInt32BE(modulo32(timestamp), 4);
    header.writeUInt32BE(state.ssrc, 8);
    state.sequence = (state.sequence + 1) & 0xffff;
    return Buffer.concat([header, ...payload]);
  });
}

/** A timestamp as RTP writes it: modulo 2³². */
export function modulo32(value: number): number {
  return value - Math.floor(value / 2 ** 32) * 2 ** 32;
}

/** The parameter sets from `at` on that fit one STAP-A together. */
function parameterSetRun(nals: readonly Uint8Array[], at: number, room: number): Uint8Array[] {
  const run: Uint8Array[] = [];
  let bytes = 1;
  for (const nal of nals.slice(at)) {
    bytes += 2 + nal.length;
    if ((typeOf(nal) !== nalType.sps && typeOf(nal) !== nalType.pps) || bytes > room) break;
    run.push(nal);
  }
  return run;
}

/** F is the OR and NRI the maximum of the aggregated units' (RFC 6184 §5.7). */
function importance(nals: readonly Uint8Array[]): number {
  const forbidden = nals.reduce((bits, nal) => bits | (nal[0]! & 0x80), 0);
  return forbidden | Math.max(...nals.map((nal) => nal[0]! & 0x60));
}

function lengthOf(nal: Uint8Array): Uint8Array {
  return Uint8Array.of(nal.length >> 8, nal.length & 0xff);
}
