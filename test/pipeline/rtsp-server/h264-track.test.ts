import fc from 'fast-check';
import { expect, it } from 'vitest';
import { buildTrack, parsePacketList } from '../../../pipeline/rtsp-server/h264-track.js';
import { hasRecoveryPoint, splitNals } from '../../../pipeline/rtsp-server/nal.js';
import { describe } from '../../../pipeline/rtsp-server/sdp.js';

const sps = Buffer.from([0x67, 0x4d, 0x40, 0x1f, 0x99]);
const pps = Buffer.from([0x68, 0xee, 0x3c]);
const idr = Buffer.from([0x65, 0x88, 0x84]);
const slice = Buffer.from([0x41, 0x9a, 0x22]);
const delimiter = Buffer.from([0x09, 0x10]);
const recovery = Buffer.from([0x06, 0x06, 0x01, 0xc4, 0x80]);

function annexB(...nals: Buffer[]): Buffer {
  return Buffer.concat(nals.flatMap((nal, i) => [Buffer.from(i % 2 ? [0, 0, 1] : [0, 0, 0, 1]), nal]));
}

function trackOf(pictures: readonly { nals: Buffer[]; dts: number; pts: number }[], secondsPerTick = 1 / 30_000) {
  const chunks = pictures.map(({ nals }) => annexB(...nals));
  const packets = pictures.map(({ dts, pts }, i) => ({ dts, pts, size: chunks[i]!.length }));
  return buildTrack(Buffer.concat(chunks), packets, secondsPerTick);
}

it('splits what start codes of three or four bytes and padding join', () => {
  const body = fc.uint8Array({ minLength: 1, maxLength: 30 }).map((bytes) => {
    // As an encoder would: no 0 0 0…3 inside (emulation prevention), no 0 at the end.
    return Buffer.from([0x41, ...bytes.map((byte) => byte || 1), 0x80]);
  });
  fc.assert(
    fc.property(fc.array(fc.tuple(body, fc.integer({ min: 0, max: 4 })), { minLength: 1 }), (parts) => {
      const bytes = Buffer.concat(parts.flatMap(([nal, zeros]) => [Buffer.alloc(zeros), Buffer.from([0, 0, 1]), nal]));
      expect(splitNals(bytes).map((nal) => Buffer.from(nal).toString('hex'))).toEqual(
        parts.map(([nal]) => nal.toString('hex')),
      );
    }),
    { seed: 264 },
  );
  expect(splitNals(Buffer.alloc(5))).toEqual([]);
});

it('finds a recovery point behind other messages', () => {
  expect(hasRecoveryPoint(recovery)).toBe(true);
  expect(hasRecoveryPoint(Buffer.from([0x06, 0x05, 0x02, 0xaa, 0xbb, 0x06, 0x01, 0xc4, 0x80]))).toBe(true);
  // A size of 255 + 1 bytes of another type, which hold a 6 that is no type.
  expect(hasRecoveryPoint(Buffer.from([0x06, 0x05, 0xff, 0x01, ...Array(256).fill(6), 0x80]))).toBe(false);
});

it('sends in the order of dts and shows in the order of pts', () => {
  const track = trackOf([
    { nals: [sps, pps, idr], dts: -1001, pts: 0 },
    { nals: [slice], dts: 0, pts: 3003 },
    { nals: [slice], dts: 1001, pts: 1001 },
    { nals: [slice], dts: 2002, pts: 2002 },
  ])!;
  expect(track.units.map((unit) => unit.sendAt)).toEqual([0, 3003, 6006, 9009]);
  expect(track.units.map((unit) => unit.pts)).toEqual([0, 9009, 3003, 6006]);
  expect(track.units.map((unit) => unit.key)).toEqual([true, false, false, false]);
  expect([track.period, track.lead, track.frameTicks]).toEqual([12_012, 6006, 3003]);
});

it('gives every key picture its parameter sets and drops what comes before the first', () => {
  const track = trackOf([
    { nals: [slice], dts: 0, pts: 0 },
    { nals: [sps, pps, idr], dts: 1, pts: 1 },
    { nals: [delimiter, idr], dts: 2, pts: 2 },
    { nals: [recovery, slice], dts: 3, pts: 3 },
  ])!;
  expect(track.units.map((unit) => unit.nals.map((nal) => nal[0]! & 0x1f))).toEqual([
    [7, 8, 5],
    [9, 7, 8, 5],
    [7, 8, 6, 1],
  ]);
  expect(track.units.map((unit) => unit.key)).toEqual([true, true, true]);
  expect(track.units[0]!.pts).toBe(0);
  expect(trackOf([{ nals: [slice], dts: 0, pts: 0 }])).toBeUndefined();
});

it('reads the packet list of ffmpeg, and says when times are missing', () => {
  const head = '#software: Lavf59.27.100\n#tb 0: 1/200000\n#media_type 0: video\n';
  const lines =
    '0,     -20000,          0,    20000,    15603, 0xccea3bc2\n0,  0,  80000, 20000, 257, 0x41eb7cb8, F=0x0\n';
  expect(parsePacketList(head + lines)).toEqual({
    secondsPerTick: 1 / 200_000,
    packets: [
      { dts: -20_000, pts: 0, size: 15_603 },
      { dts: 0, pts: 80_000, size: 257 },
    ],
  });
  expect(parsePacketList(`${head}0, -2, -9223372036854775808, 1, 4548, 0x083c6697\n`).packets).toBeUndefined();
});

it('describes the stream', () => {
  const track = trackOf([
    { nals: [sps, pps, idr], dts: 0, pts: 0 },
    { nals: [slice], dts: 1001, pts: 1001 },
  ])!;
  const lines = describe(track, 'gate').split('\r\n');
  expect(lines).toContain('a=fmtp:96 packetization-mode=1;profile-level-id=4d401f;sprop-parameter-sets=Z01AH5k=,aO48');
  expect(lines).toContain('a=framerate:29.97');
  expect(lines).toContain('m=video 0 RTP/AVP 96');
});
