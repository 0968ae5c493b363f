import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { createLog } from '../../../pipeline/log.js';
import { type RtspServer, type RtspServerOptions, startRtspServer } from '../../../pipeline/rtsp-server/server.js';
import { makeClip, pictureSums } from './clips.js';
import { depacketise } from './depacketise.js';
import { RtspClient, sessionOf } from './rtsp-client.js';

const log = createLog('silent');
let folder = '';
let clip = '';
let sums: string[] = [];
let server: RtspServer | undefined;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'maskcast-rtsp-'));
  clip = join(folder, 'clip.mp4');
  await makeClip(clip);
  sums = await pictureSums(['-i', clip], 60);
});
afterAll(() => rm(folder, { recursive: true, force: true }));
afterEach(async () => {
  await server?.stop();
  server = undefined;
});

async function serve(options: Partial<RtspServerOptions> = {}): Promise<RtspServer> {
  server = await startRtspServer({ mounts: { cam: { file: clip } }, log, ...options });
  return server;
}

/** Access units of what a client got on its RTP channel. */
function unitsOf(client: RtspClient): ReturnType<typeof depacketise> {
  return depacketise(client.packets.filter(({ channel }) => channel === 0).map(({ payload }) => payload));
}

it('serves a clip with distinct pictures, or the other tests would prove nothing', () => {
  expect(new Set(sums).size).toBe(60);
});

it('lets ffmpeg read every picture over TCP, B-frames and the loop’s seam included', async () => {
  const { url } = await serve({ startAtBeginning: true, speed: Number.POSITIVE_INFINITY });
  expect(await pictureSums(['-rtsp_transport', 'tcp', '-i', url('cam')], 100)).toEqual(
    [...sums, ...sums].slice(0, 100),
  );
});

it('lets ffmpeg read every picture over UDP', async () => {
  const { url } = await serve({ startAtBeginning: true, speed: 4 });
  expect(await pictureSums(['-rtsp_transport', 'udp', '-i', url('cam')], 50)).toEqual(sums.slice(0, 50));
});

it('loses packets over UDP when told to', async () => {
  const { url } = await serve({ startAtBeginning: true, speed: 4, loss: 0.3 });
  expect(await pictureSums(['-rtsp_transport', 'udp', '-i', url('cam')], 20)).not.toEqual(sums.slice(0, 20));
});

it.each(['basic', 'digest'] as const)('asks for a password by %s', async (scheme) => {
  const auth = { user: 'user', password: 'secret', scheme };
  const { url } = await serve({ startAtBeginning: true, speed: Number.POSITIVE_INFINITY, auth });
  const read = (login: string): Promise<string[]> =>
    pictureSums(['-rtsp_transport', 'tcp', '-i', url('cam').replace('//', `//${login}`)], 3);
  expect(await read('user:secret@')).toEqual(sums.slice(0, 3));
  await expect(read('user:wrong@')).rejects.toThrow(/401/);
  await expect(read('')).rejects.toThrow(/401/);
  server?.unauthorized(true);
  await expect(read('user:secret@')).rejects.toThrow(/401/);
  server?.unauthorized(false);
  expect(await read('user:secret@')).toHaveLength(3);
});

it('ends ffmpeg’s reading when connections are dropped', async () => {
  let played = (): void => {};
  const playing = new Promise<void>((resolve) => {
    played = resolve;
  });
  const { url, drop, clients } = await serve({ onPlay: () => played() });
  const reading = pictureSums(['-rtsp_transport', 'tcp', '-i', url('cam')], 100_000);
  await playing;
  expect(clients()).toBe(1);
  drop();
  expect(clients()).toBe(0);
  await reading.catch(() => {}); // Ending at all is the point; how ffmpeg calls it is its own affair.
});

it('sends the timestamps of the file, rising across loops', async () => {
  const { url, port } = await serve({ startAtBeginning: true, speed: 40 });
  const client = await RtspClient.open(port);
  const reply = await client.play(url('cam'));
  await client.packetsUntil(() => unitsOf(client).length > 130);
  const [, sequence, rtptime] = /seq=(\d+);rtptime=(\d+)$/.exec(reply.headers.get('rtp-info') ?? '') ?? [];
  expect(client.packets.find(({ channel }) => channel === 0)?.payload.readUInt16BE(2)).toBe(Number(sequence));
  const shown = unitsOf(client).map(({ timestamp }) => timestamp - Number(rtptime));
  for (const round of [0, 1]) {
    const sorted = shown.slice(round * 60, round * 60 + 60).toSorted((a, b) => a - b);
    expect(sorted).toEqual(sorted.map((_, i) => (round * 60 + i) * 3003));
  }
  expect(shown).not.toEqual(shown.toSorted((a, b) => a - b)); // B-frames: sent in another order than shown.
});

it('reports the time at which the pictures were taken', async () => {
  const { url, port } = await serve();
  const before = Date.now();
  const client = await RtspClient.open(port);
  const reply = await client.play(url('cam'));
  await client.packetsUntil((packets) => packets.some(({ channel }) => channel === 1));
  const report = client.packets.find(({ channel }) => channel === 1)!.payload;
  const utcMs = (report.readUInt32BE(8) - 2_208_988_800 + report.readUInt32BE(12) / 2 ** 32) * 1000;
  const aheadMs =
    (report.readUInt32BE(16) - Number(/rtptime=(\d+)/.exec(reply.headers.get('rtp-info') ?? '')?.[1])) / 90;
  // B-frames wait up to three pictures (100 ms) for their turn; a picture is taken before it is sent.
  expect(utcMs - aheadMs).toBeGreaterThan(before - 150);
  expect(utcMs - aheadMs).toBeLessThanOrEqual(Date.now());
});

it('sends nothing while stalled and goes on with a key picture', async () => {
  const { url, port, stall } = await serve();
  const client = await RtspClient.open(port);
  await client.play(url('cam'));
  await client.packetsUntil(() => unitsOf(client).length >= 3);
  stall(true);
  // What was on its way has arrived once a request that follows it is answered.
  expect((await client.ask('GET_PARAMETER', url('cam'))).status).toBe(200);
  const before = unitsOf(client).length;
  await new Promise((resolve) => setTimeout(resolve, 300)); // Real time: nine pictures would come.
  expect(unitsOf(client)).toHaveLength(before);
  stall(false);
  await client.packetsUntil(() => unitsOf(client).length > before);
  const units = unitsOf(client);
  expect(units[before]!.nals.some((nal) => nal[0]! % 32 === 5)).toBe(true);
  const gap = units[before]!.timestamp - Math.max(...units.slice(0, before).map(({ timestamp }) => timestamp));
  expect(gap).toBeGreaterThan(0.15 * 90_000);
});

it('sends the same picture while frozen, with rising timestamps', async () => {
  const { url, port, freeze } = await serve({ startAtBeginning: true });
  const client = await RtspClient.open(port);
  await client.play(url('cam'));
  await client.packetsUntil(() => unitsOf(client).length >= 2);
  freeze(true);
  expect((await client.ask('GET_PARAMETER', url('cam'))).status).toBe(200);
  const from = unitsOf(client).length;
  await client.packetsUntil(() => unitsOf(client).length >= from + 5);
  freeze(false);
  expect((await client.ask('GET_PARAMETER', url('cam'))).status).toBe(200);
  const until = unitsOf(client).length;
  await client.packetsUntil(() => unitsOf(client).length > until);
  const units = unitsOf(client);
  const bytes = units.map(({ nals }) => Buffer.concat(nals).toString('hex'));
  expect(new Set(bytes.slice(from, until))).toEqual(new Set([bytes[0]]));
  const frozen = units.slice(from, until + 1).map(({ timestamp }) => timestamp);
  expect(frozen).toEqual([...new Set(frozen)].toSorted((a, b) => a - b));
  expect(bytes[until]).not.toBe(bytes[0]);
  expect(units[until]!.nals.some((nal) => nal[0]! % 32 === 5)).toBe(true);
});

it('shows ffmpeg one picture only while frozen', async () => {
  const { url, freeze } = await serve({ startAtBeginning: true });
  freeze(true);
  const seen = await pictureSums(['-rtsp_transport', 'tcp', '-i', url('cam')], 10);
  expect(seen).toEqual(Array(10).fill(sums[0]));
});

it('refuses connections when told to, and takes them again on the same port', async () => {
  const { port, refuse } = await serve();
  await refuse(true);
  await expect(once(connect(port, '127.0.0.1'), 'connect')).rejects.toThrow(/ECONNREFUSED/);
  await refuse(false);
  const client = await RtspClient.open(port);
  expect((await client.ask('OPTIONS', '*')).status).toBe(200);
});

it('loses pictures for a client that does not read, up to a key, and serves the other one fully', async () => {
  // The system's own socket buffers take megabytes before anything waits here, hence the speed.
  const { url, port } = await serve({ speed: 150, maxQueuedBytes: 400_000 });
  const [slow, quick] = [await RtspClient.open(port), await RtspClient.open(port)];
  await slow.play(url('cam'));
  slow.socket.pause();
  await quick.play(url('cam'));
  await quick.packetsUntil((packets) => packets.length > 12_000);
  slow.socket.resume();
  const until = quick.packets.length + 1000;
  await quick.packetsUntil((packets) => packets.length > until);

  const gaps = (units: ReturnType<typeof unitsOf>): typeof units =>
    units.filter(({ timestamp }, i) => i > 0 && timestamp - units[i - 1]!.timestamp > 10 * 3003);
  expect(gaps(unitsOf(quick))).toEqual([]);
  const slowGaps = gaps(unitsOf(slow));
  expect(slowGaps.length).toBeGreaterThan(0);
  for (const { nals } of slowGaps) expect(nals.some((nal) => nal[0]! % 32 === 5)).toBe(true);
});

it('answers what it cannot do by the book', async () => {
  const { url, port } = await serve();
  const client = await RtspClient.open(port);
  const tcp = { Transport: 'RTP/AVP/TCP;unicast;interleaved=0-1' };
  const statusOf = async (...request: Parameters<RtspClient['ask']>): Promise<number> =>
    (await client.ask(...request)).status;
  expect(await statusOf('DESCRIBE', url('none'))).toBe(404);
  expect(await statusOf('DESCRIBE', url('cam'), { Accept: 'text/html' })).toBe(406);
  expect(await statusOf('SETUP', `${url('none')}/trackID=0`, tcp)).toBe(404);
  expect(await statusOf('SETUP', url('cam'), { Transport: 'RTP/SAVP;unicast' })).toBe(461);
  expect(await statusOf('PLAY', url('cam'), { Session: 'nobody' })).toBe(454);
  expect(await statusOf('ANNOUNCE', url('cam'))).toBe(501);
  expect(await statusOf('OPTIONS', url('cam'), { CSeq: 'x' })).toBe(400);
  const described = await client.ask('DESCRIBE', `${url('cam')}/?channel=1`);
  expect([described.status, described.headers.get('content-base')]).toEqual([200, `${url('cam')}/`]);
  const played = await client.play(url('cam'));
  expect(played.status).toBe(200);
  expect(await statusOf('SETUP', url('cam'), tcp)).toBe(455);
  expect(await statusOf('TEARDOWN', url('cam'), { Session: sessionOf(played) })).toBe(200);
  expect(await statusOf('TEARDOWN', url('cam'), { Session: sessionOf(played) })).toBe(454);
  expect(server?.clients()).toBe(0);
  client.socket.write('rubbish\r\n\r\n');
  await once(client.socket, 'close');
});

it('encodes once what is not H.264', async () => {
  const mpeg4 = join(folder, 'mpeg4.avi');
  execFileSync('ffmpeg', [
    '-v',
    'error',
    '-f',
    'lavfi',
    '-i',
    'testsrc2=size=161x121:rate=10',
    '-t',
    '1',
    '-c:v',
    'mpeg4',
    mpeg4,
  ]);
  const { url } = await serve({
    mounts: { cam: { file: mpeg4 } },
    startAtBeginning: true,
    speed: Number.POSITIVE_INFINITY,
  });
  const seen = await pictureSums(['-rtsp_transport', 'tcp', '-i', url('cam')], 20);
  expect(seen.slice(10)).toEqual(seen.slice(0, 10));
  expect(new Set(seen).size).toBe(10);
});

it('refuses in one sentence what it cannot serve', async () => {
  const text = join(folder, 'text.mp4');
  await writeFile(text, 'no video');
  await expect(serve({ mounts: { cam: { file: text } } })).rejects.toThrow(/text\.mp4: cannot be read as a video/);
  await expect(serve({ mounts: { cam: { file: join(folder, 'gone.mp4') } } })).rejects.toThrow(
    /gone\.mp4.*No such file/,
  );
  await expect(serve({ mounts: { '../x y': { file: clip } } })).rejects.toThrow(/mount is/);
  await expect(serve({ speed: Number.POSITIVE_INFINITY })).rejects.toThrow(/finite/);
  await expect(serve({ loss: 2 })).rejects.toThrow(/loss is 2/);
  const { port } = await serve();
  await expect(startRtspServer({ mounts: {}, port, log })).rejects.toThrow(/cannot listen on 127\.0\.0\.1/);
});

it('leaves no socket behind when stopped in the middle of everything', async () => {
  const { url, port, stop, refuse } = await serve();
  const client = await RtspClient.open(port);
  await client.play(url('cam'));
  const udp = await RtspClient.open(port);
  const transport = { Transport: 'RTP/AVP;unicast;client_port=40000-40001' };
  const setup = await udp.ask('SETUP', url('cam'), transport);
  expect(setup.headers.get('transport')).toMatch(/server_port=\d*[02468]-\d+/);
  await udp.ask('PLAY', url('cam'), { Session: sessionOf(setup) });
  await refuse(true);
  const ended = Promise.all([client, udp].map(({ socket }) => once(socket, 'close')));
  await stop();
  await ended;
  const sockets = process.getActiveResourcesInfo().filter((name) => /TCPSERVERWRAP|UDPWRAP|TCPSocketWrap/i.test(name));
  expect(sockets).toEqual([]);
});
