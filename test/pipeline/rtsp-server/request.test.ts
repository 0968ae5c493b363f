import fc from 'fast-check';
import { expect, it } from 'vitest';
import { pickTransport, RequestParser } from '../../../pipeline/rtsp-server/request.js';

const stream = Buffer.concat([
  Buffer.from('OPTIONS rtsp://h/cam RTSP/1.0\r\nCSeq: 1\r\nUser-Agent: a: b\r\n\r\n'),
  Buffer.from([0x24, 1, 0, 6, 0x0d, 0x0a, 0x0d, 0x0a, 0x24, 0x00]),
  Buffer.from('\r\nGET_PARAMETER rtsp://h/cam RTSP/1.0\r\ncseq:2\r\nContent-Length: 5\r\n\r\n$\r\n\r\n'),
  Buffer.from([0x24, 0, 0, 0]),
  Buffer.from('TEARDOWN rtsp://h/cam RTSP/1.0\r\nCSeq: 3\r\n\r\n'),
]);

it('reads requests, bodies and interleaved frames', () => {
  const items = new RequestParser().push(stream);
  expect(items.map((item) => (item.kind === 'request' ? item.method : item.kind))).toEqual([
    'OPTIONS',
    'interleaved',
    'GET_PARAMETER',
    'interleaved',
    'TEARDOWN',
  ]);
  const [options, report, keepAlive] = items;
  if (options?.kind !== 'request' || report?.kind !== 'interleaved' || keepAlive?.kind !== 'request') throw new Error();
  expect(options.uri).toBe('rtsp://h/cam');
  expect(Object.fromEntries(options.headers)).toEqual({ cseq: '1', 'user-agent': 'a: b' });
  expect([report.channel, report.payload.toString('hex')]).toEqual([1, '0d0a0d0a2400']);
  expect(keepAlive.body.toString()).toBe('$\r\n\r\n');
});

it('reads the same items however the bytes are cut', () => {
  const whole = new RequestParser().push(stream);
  const broken = Buffer.concat([stream, Buffer.from('no rtsp at all\r\n\r\n'), stream]);
  const wholeBroken = new RequestParser().push(broken);
  expect(wholeBroken.at(-1)?.kind).toBe('malformed');
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1 }), (sizes) => {
      for (const [bytes, expected] of [
        [stream, whole],
        [broken, wholeBroken],
      ] as const) {
        const parser = new RequestParser();
        const items = [];
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const size = sizes[i % sizes.length]!;
          items.push(...parser.push(bytes.subarray(at, at + size)));
          at += size;
        }
        expect(items).toEqual(expected);
      }
    }),
    { seed: 11, numRuns: 200 },
  );
});

it.each([
  ['a line that is no request', 'GET / HTTP/1.1\r\n\r\n'],
  ['a header without a colon', 'PLAY rtsp://h/ RTSP/1.0\r\nCSeq 1\r\n\r\n'],
  ['a negative length', 'PLAY rtsp://h/ RTSP/1.0\r\nContent-Length: -1\r\n\r\n'],
  ['a huge length', 'PLAY rtsp://h/ RTSP/1.0\r\nContent-Length: 99999999\r\n\r\n'],
  ['a head without an end', `PLAY rtsp://h/ RTSP/1.0\r\nX: ${'a'.repeat(20_000)}`],
])('calls %s malformed and then stays silent', (_, text) => {
  const parser = new RequestParser();
  expect(parser.push(Buffer.from(text)).map((item) => item.kind)).toEqual(['malformed']);
  expect(parser.push(stream)).toEqual([]);
});

it('picks the first transport it can serve', () => {
  expect(pickTransport('RTP/AVP/TCP;unicast;interleaved=2-3')).toEqual({ kind: 'tcp', channels: [2, 3] });
  expect(pickTransport('RTP/AVP/TCP;unicast')).toEqual({ kind: 'tcp', channels: [0, 1] });
  expect(pickTransport('RTP/AVP;multicast,RTP/AVP/UDP;unicast;client_port=5000-5001')).toEqual({
    kind: 'udp',
    ports: [5000, 5001],
  });
  expect(pickTransport('RTP/AVP;unicast;client_port=5000')).toEqual({ kind: 'udp', ports: [5000, 5001] });
  for (const hopeless of [
    '',
    'RTP/SAVP;unicast;client_port=1-2',
    'RTP/AVP;unicast',
    'RTP/AVP;client_port=70000-70001',
  ]) {
    expect(pickTransport(hopeless)).toBeUndefined();
  }
});
