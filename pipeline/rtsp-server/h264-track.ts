import { hasRecoveryPoint, nalType, splitNals, typeOf } from './nal.js';

/** All coded pictures of one instant, in the file's own bytes. Times are 90 kHz ticks, may carry fractions. */
export interface AccessUnit {
  /** NAL units without start codes. */
  readonly nals: readonly Uint8Array[];
  /** When the picture is shown; 0 is the earliest picture of the file. */
  readonly pts: number;
  /** When it is sent (the file's dts); 0 for the first, never falls. */
  readonly sendAt: number;
  /** Decoding may begin here: IDR, or a recovery point of an open group. Carries its parameter sets. */
  readonly key: boolean;
}

/** A file's H.264 stream, ready to be sent in a loop. */
export interface H264Track {
  /** In sending order; the first is a key. */
  readonly units: readonly AccessUnit[];
  /** Length of one round of the loop, in 90 kHz ticks. */
  readonly period: number;
  /** Largest `pts − sendAt`: how long a picture may wait for its turn to be shown. */
  readonly lead: number;
  /** Median distance of shown pictures, in 90 kHz ticks. */
  readonly frameTicks: number;
  readonly sps: Uint8Array;
  readonly pps: Uint8Array;
}

/** Byte length and times of one packet, in units of `secondsPerTick`. */
export interface PacketTime {
  readonly dts: number;
  readonly pts: number;
  readonly size: number;
}

/** ffmpeg's AV_NOPTS_VALUE as text. */
const noTime = '-9223372036854775808';

/**
 * Reads ffmpeg's `framecrc` listing: time base and one line a packet, `stream, dts, pts, duration, size, crc…`.
 * `packets` is undefined when one of them has no time (a bare H.264 stream with B-frames has no pts).
 */
export function parsePacketList(text: string): { secondsPerTick: number; packets: PacketTime[] | undefined } {
  const base = /^#tb 0: (\d+)\/(\d+)$/m.exec(text);
  const packets: PacketTime[] = [];
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const [, dts, pts, , size] = line.split(',').map((field) => field.trim());
    if (dts === noTime || pts === noTime) return { secondsPerTick: 0, packets: undefined };
    packets.push({ dts: Number(dts), pts: Number(pts), size: Number(size) });
  }
  return { secondsPerTick: base ? Number(base[1]) / Number(base[2]) : 0, packets };
}

/**
 * Builds the track from an Annex B stream and the packets it consists of. What comes before the first key picture is
 * left out: no client could decode it. Key pictures that lack parameter sets get the latest ones.
 *
 * @returns undefined when there is no picture to begin with, or no parameter sets
 */
export function buildTrack(
  bytes: Uint8Array,
  packets: readonly PacketTime[],
  secondsPerTick: number,
): H264Track | undefined {
  const scale = secondsPerTick * 90_000;
  let offset = 0;
  let sps: Uint8Array | undefined;
  let pps: Uint8Array | undefined;
  const raw: { nals: Uint8Array[]; pts: number; dts: number; key: boolean }[] = [];
  for (const { dts, pts, size } of packets) {
    const nals = splitNals(bytes.subarray(offset, offset + size));
    offset += size;
    sps = nals.find((nal) => typeOf(nal) === nalType.sps) ?? sps;
    pps = nals.find((nal) => typeOf(nal) === nalType.pps) ?? pps;
    const key = nals.some(
      (nal) => typeOf(nal) === nalType.idr || (typeOf(nal) === nalType.sei && hasRecoveryPoint(nal)),
    );
    if (nals.length === 0 || (raw.length === 0 && !key)) continue;
    if (key && sps && pps && !nals.some((nal) => typeOf(nal) === nalType.sps)) {
      // An access unit delimiter, where there is one, has to stay first (H.264 §7.4.1.2.3).
      nals.splice(typeOf(nals[0]!) === nalType.delimiter ? 1 : 0, 0, sps, pps);
    }
    raw.push({ nals, pts: pts * scale, dts: dts * scale, key });
  }
  const first = raw[0];
  if (!first || !sps || !pps) return undefined;

  const shown = raw.map((unit) => unit.pts).toSorted((a, b) => a - b);
  const gaps = shown.slice(1).map((pts, i) => pts - shown[i]!);
  const frameTicks = gaps.toSorted((a, b) => a - b)[gaps.length >> 1] || 90_000;
  const units: AccessUnit[] = [];
  let sendAt = 0;
  for (const { nals, pts, dts, key } of raw) {
    sendAt = Math.max(sendAt, dts - first.dts);
    units.push({ nals, key, pts: pts - shown[0]!, sendAt });
  }
  return {
    units,
    period: Math.max(shown.at(-1)! - shown[0]!, sendAt) + frameTicks,
    lead: Math.max(...units.map((unit) => unit.pts - unit.sendAt)),
    frameTicks,
    // The sets of the first key picture, which the description announces.
    sps: units[0]!.nals.find((nal) => typeOf(nal) === nalType.sps) ?? sps,
    pps: units[0]!.nals.find((nal) => typeOf(nal) === nalType.pps) ?? pps,
  };
}
