import fc from 'fast-check';
import { expect, it } from 'vitest';
import { senderReport } from '../../../pipeline/rtsp-server/rtcp.js';
import { maxPacketBytes, packetise } from '../../../pipeline/rtsp-server/rtp.js';
import { depacketise } from './depacketise.js';

/** NAL units as encoders make them: any type of 1…23, any importance, sizes around the packet limit and far above. */
const nal = fc
  .tuple(
    fc.integer({ min: 1, max: 23 }),
    fc.integer({ min: 0, max: 3 }),
    fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1380, max: 1395 }), fc.integer({ min: 1, max: 9000 })),
  )
  .map(([type, importance, size]) => {
    const bytes = Buffer.alloc(size, size & 0xff);
    bytes[0] = (importance << 5) | type;
    return bytes;
  });
const accessUnits = fc.array(fc.array(nal, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 4 });

it('gives back the same units when depacketised', () => {
  fc.assert(
    fc.property(accessUnits, fc.integer({ min: 0, max: 0xffff }), (units, sequence) => {
      const state = { ssrc: 7, payloadType: 96, sequence };
      const packets = units.flatMap((nals, i) => packetise(nals, i * 3003, state));
      const back = depacketise(packets);
      expect(back.map((unit) => unit.timestamp)).toEqual(units.map((_, i) => i * 3003));
      expect(back.map((unit) => unit.nals.map((n) => n.toString('hex')))).toEqual(
        units.map((nals) => nals.map((n) => n.toString('hex'))),
      );
      expect(packets.every((packet) => packet.length <= maxPacketBytes)).toBe(true);
      expect(packets.map((packet) => packet.readUInt16BE(2))).toEqual(packets.map((_, i) => (sequence + i) & 0xffff));
    }),
    { seed: 6184, numRuns: 200 },
  );
});

it('writes the headers of RFC 3550 and RFC 6184', () => {
  const state = { ssrc: 0x01020304, payloadType: 96, sequence: 0xffff };
  const sps = Buffer.from([0x67, 0x42]);
  const pps = Buffer.from([0x68, 0xce]);
  const idr = Buffer.alloc(1389, 0x11);
  idr[0] = 0x65;
  const packets = packetise([sps, pps, idr], 2 ** 32 + 5, state);
  expect(packets.map((packet) => packet.subarray(0, 14).toString('hex'))).toEqual([
    '8060ffff0000000501020304' + '7800', // STAP-A, NRI 3, no marker
    '806000000000000501020304' + '7c85', // FU-A, start, type 5; sequence has wrapped
    '80e000010000000501020304' + '7c45', // FU-A, end, marker
  ]);
  expect(packets[0]!.subarray(12).toString('hex')).toBe('7800026742000268ce');
});

it('reports one instant on both clocks', () => {
  // 1970 is 2208988800 s = 0x83aa7e80 after 1900; half a second is 0x80000000.
  const report = senderReport({ ssrc: 1, utcMs: 1500, timestamp: 90_000, packets: 3, octets: 4000 });
  expect(report.toString('hex')).toBe(
    '80c80006' +
      '00000001' +
      '83aa7e81' +
      '80000000' +
      '00015f90' +
      '00000003' +
      '00000fa0' +
      '81ca0004' +
      '00000001' +
      '0108' +
      Buffer.from('maskcast').toString('hex') +
      '0000',
  );
});
