import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { workerUrl } from '../../../models/runtime/worker-url.js';
import { openPublisher, type Publisher, type PublisherOptions } from '../../../pipeline/mqtt/publisher.js';
import {
  endProcess,
  freePort,
  type Mosquitto,
  mosquittoBinary,
  mqttConfig,
  type Subscriber,
  startMosquitto,
  subscribe,
  temporaryFolder,
  until,
} from './brokers.js';
import { recordingLog } from './recording-log.js';

const binary = mosquittoBinary();
const QUICK = { firstMs: 20, maxMs: 100, refusedMs: 200 };
const EVENT = { qos: 1, retain: false } as const;

describe.skipIf(!binary)('a publisher and a real mosquitto', () => {
  let folder: string;
  const cleanUp: (() => Promise<void>)[] = [];

  beforeEach(() => {
    folder = temporaryFolder();
  });
  afterEach(async () => {
    for (const step of cleanUp.splice(0).reverse()) await step();
    rmSync(folder, { recursive: true, force: true });
  });

  const broker = async (options?: Parameters<typeof startMosquitto>[1]): Promise<Mosquitto> => {
    const started = await startMosquitto(binary!, options);
    cleanUp.push(() => started.stop());
    return started;
  };
  const open = async (
    config: Parameters<typeof mqttConfig>[0],
    more: Partial<PublisherOptions> = {},
  ): Promise<Publisher> => {
    const publisher = await openPublisher({
      config: mqttConfig(config),
      dataFolder: folder,
      log: recordingLog().log,
      retry: QUICK,
      ...more,
    });
    cleanUp.push(() => publisher.close(0));
    return publisher;
  };
  const listen = async (...args: Parameters<typeof subscribe>): Promise<Subscriber> => {
    const subscriber = await subscribe(...args);
    cleanUp.push(() => subscriber.end());
    return subscriber;
  };

  it.each([
    [5, 5],
    [3.1, 4],
  ] as const)(
    'version %s: says online, publishes states and events, says offline at the end',
    async (version, spoken) => {
      const { port } = await broker();
      const url = `mqtt://127.0.0.1:${port}`;
      const lines = recordingLog();
      const publisher = await open({ url, version }, { log: lines.log });
      expect(lines.text()).toContain(spoken === 5 ? '"MQTT 5"' : '"MQTT 3.1.1"');
      publisher.publish('gate/status', { state: 'live' }, { qos: 1, retain: true });
      publisher.publish('gate/snapshot', new Uint8Array([0xff, 0xd8, 1]), { qos: 1, retain: true });
      const subscriber = await listen(url, 'maskcast/#', { protocolVersion: 5 });
      await subscriber.until((heard) => heard.length === 3, 'three retained messages');
      expect(subscriber.heard.every(({ packet }) => packet.retain)).toBe(true);
      expect(subscriber.texts('maskcast/status')).toEqual(['online']);
      publisher.publish('gate/events', { type: 'start' }, EVENT);
      publisher.publish('gate/tracks', { pts: 1 }, { qos: 0, retain: false });
      await subscriber.until((heard) => heard.length === 5, 'event and tracks');
      const event = subscriber.heard.find(({ topic }) => topic === 'maskcast/gate/events')!;
      expect(event.packet).toMatchObject({ qos: 1, retain: false });
      expect(event.packet.properties?.contentType).toBe(spoken === 5 ? 'application/json' : undefined);
      expect(event.text).toMatch(/^\{"schema":1,"camera":"gate","seq":1,"time":"[^"]+Z","type":"start"\}$/);
      await publisher.close();
      await subscriber.until((heard) => heard.at(-1)?.text === 'offline', 'offline');
      expect(publisher.stats()).toEqual({ published: 4, droppedQos0: 0, waiting: 0, droppedOutbox: 0 });
    },
  );

  it('starts while the broker is away, keeps QoS 1 in order, drops and counts QoS 0', async () => {
    const port = await freePort();
    const lines = recordingLog();
    const publisher = await open({ url: `mqtt://user:geheim@127.0.0.1:${port}` }, { log: lines.log });
    for (let n = 0; n < 50; n++) publisher.publish('gate/events', { n }, EVENT);
    publisher.publish('gate/tracks', {}, { qos: 0, retain: false });
    for (let n = 0; n < 5; n++) publisher.publish('gate/status', { n }, { qos: 1, retain: true });
    expect(publisher.stats()).toMatchObject({ waiting: 51, droppedQos0: 1 });
    await broker({ port });
    const subscriber = await listen(`mqtt://127.0.0.1:${port}`, 'maskcast/gate/+');
    await until(
      () => publisher.stats().waiting === 0,
      () => 'outbox empty',
    );
    await subscriber.until((heard) => heard.some(({ topic }) => topic.endsWith('status')), 'the status');
    const seen = subscriber.texts('maskcast/gate/events').map((text) => (JSON.parse(text) as { n: number }).n);
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
    expect(subscriber.texts('maskcast/gate/status').map((text) => JSON.parse(text))).toMatchObject([{ n: 4, seq: 5 }]);
    expect(lines.warnings().filter((line) => line.includes('cannot be reached'))).toHaveLength(1);
    expect(publisher.url + lines.text()).not.toContain('geheim');
  });

  it('a broker that restarts in the middle, twice, gets everything in order and its retained states back', async () => {
    const first = await broker();
    const url = `mqtt://127.0.0.1:${first.port}`;
    const subscriber = await listen(url, 'maskcast/gate/events');
    const publisher = await open({ url });
    publisher.publish('gate/status', { state: 'live' }, { qos: 1, retain: true });
    let n = 0;
    const some = (): void => {
      for (let count = 0; count < 200; count++) publisher.publish('gate/events', { n: n++ }, EVENT);
    };
    let current = first;
    for (let round = 0; round < 2; round++) {
      some();
      await current.stop();
      some();
      // So that the subscriber is back before the rest comes: mosquitto keeps nothing for those who are away.
      current = await broker({ port: first.port });
      await until(
        () => subscriber.client.connected && publisher.stats().waiting === 0,
        () => 'all acknowledged',
      );
    }
    some();
    await until(
      () => publisher.stats().waiting === 0,
      () => 'outbox empty',
    );
    await subscriber.until(() => numbers(subscriber).includes(n - 1), 'the last event');
    expect(publisher.stats()).toMatchObject({ published: n + 1, droppedOutbox: 0 });
    const firsts = [...new Set(numbers(subscriber))];
    expect(firsts).toEqual(firsts.toSorted((a, b) => a - b));
    const late = await listen(url, 'maskcast/#');
    await late.until((heard) => heard.length === 2, 'the retained states of a broker that forgot them');
    expect(late.texts('maskcast/status')).toEqual(['online']);
    expect(late.texts('maskcast/gate/status').join()).toContain('"state":"live"');
  });

  it('messages that wait survive a restart of the program, in order and once', async () => {
    const port = await freePort();
    const url = `mqtt://127.0.0.1:${port}`;
    const first = await open({ url });
    for (let n = 0; n < 100; n++) first.publish('gate/events', { n }, EVENT);
    await first.close();
    await broker({ port });
    const subscriber = await listen(url, 'maskcast/gate/events');
    const second = await open({ url });
    for (let n = 100; n < 110; n++) second.publish('gate/events', { n }, EVENT);
    await subscriber.until((heard) => heard.length >= 110, 'all events');
    await second.close();
    expect(numbers(subscriber)).toEqual(Array.from({ length: 110 }, (_, n) => n));
    expect(JSON.parse(subscriber.heard[100]!.text)).toMatchObject({ seq: 1 });
    const third = await open({ url });
    expect(third.stats().waiting).toBe(0);
  });

  it('kill -9 with messages waiting: the next run delivers them all, once, in order', async () => {
    const port = await freePort();
    const url = `mqtt://127.0.0.1:${port}`;
    await killedChild(url, 0, 500);
    await killedChild(url, 500, 500);
    await broker({ port });
    const subscriber = await listen(url, 'maskcast/gate/events');
    await open({ url });
    await subscriber.until((heard) => heard.length >= 1000, 'all events');
    expect(numbers(subscriber)).toEqual(Array.from({ length: 1000 }, (_, n) => n));
  });

  it('kill -9 while connected: the broker publishes offline, and retains it', async () => {
    const { port } = await broker();
    const url = `mqtt://127.0.0.1:${port}`;
    const subscriber = await listen(url, 'maskcast/status');
    await killedChild(url, 0, 1);
    await subscriber.until((heard) => heard.at(-1)?.text === 'offline', 'the will');
    expect(subscriber.texts('maskcast/status')).toEqual(['online', 'offline']);
    const late = await listen(url, 'maskcast/status');
    await late.until((heard) => heard.length === 1, 'the retained will');
    expect(late.heard[0]).toMatchObject({ text: 'offline', packet: { retain: true } });
    await open({ url });
    await late.until((heard) => heard.at(-1)?.text === 'online', 'online again');
  });

  it.each([5, 3.1] as const)(
    'version %s, wrong password: said once, no crash, nothing lost when it is right',
    async (version) => {
      const passwords = join(folder, 'passwords');
      execFileSync('mosquitto_passwd', ['-b', '-c', passwords, 'cam', 'right']);
      const { port } = await broker({ lines: ['allow_anonymous false', `password_file ${passwords}`] });
      const lines = recordingLog();
      const url = `mqtt://127.0.0.1:${port}`;
      const wrong = await open({ url, username: 'cam', password: 'wrong-one', version }, { log: lines.log });
      wrong.publish('gate/events', { n: 0 }, EVENT);
      await until(
        () => lines.text().includes('refuses us'),
        () => lines.text(),
      );
      await new Promise((resolve) => setTimeout(resolve, 600)); // three attempts more
      expect(lines.warnings()).toHaveLength(1);
      expect(lines.text()).not.toContain('wrong-one');
      await wrong.close();
      const subscriber = await listen(url, 'maskcast/gate/events', { username: 'cam', password: 'right' });
      await open({ url: `mqtt://cam:right@127.0.0.1:${port}`, version });
      await subscriber.until((heard) => heard.length === 1, 'the event');
    },
  );

  it('TLS with a CA of our own and a client certificate; another CA is refused with its reason', async () => {
    const tls = certificates(folder);
    const { port } = await broker({
      lines: [
        'allow_anonymous true',
        `cafile ${tls.ca}`,
        `certfile ${tls.cert}`,
        `keyfile ${tls.key}`,
        'require_certificate true',
      ],
    });
    const url = `mqtts://localhost:${port}`;
    const good = await open({ url, ca: tls.ca, cert: tls.cert, key: tls.key });
    good.publish('gate/events', {}, EVENT);
    await until(
      () => good.stats().published === 1,
      () => 'acknowledged over TLS',
    );
    const lines = recordingLog();
    await open({ url, cert: tls.cert, key: tls.key }, { log: lines.log, dataFolder: join(folder, 'other') });
    expect(lines.warnings().join()).toMatch(/self.signed certificate.*cannot be reached/);
    await expect(open({ url, ca: join(folder, 'none.pem') })).rejects.toThrow(
      /mqtt\.ca is ".*none\.pem"; it must be a PEM/,
    );
  });

  it('WebSocket', async () => {
    const port = await freePort();
    const { port: plain } = await broker({
      lines: ['allow_anonymous true', `listener ${port} 127.0.0.1`, 'protocol websockets'],
    });
    const subscriber = await listen(`mqtt://127.0.0.1:${plain}`, 'maskcast/gate/events');
    const publisher = await open({ url: `ws://127.0.0.1:${port}` });
    publisher.publish('gate/events', { n: 1 }, EVENT);
    await subscriber.until((heard) => heard.length === 1, 'the event');
  });

  it.each([5, 3.1] as const)(
    'version %s: a message that the broker will not have does not block the others',
    async (version) => {
      const { port } = await broker({ lines: ['allow_anonymous true', 'max_packet_size 20000'] });
      const url = `mqtt://127.0.0.1:${port}`;
      const subscriber = await listen(url, 'maskcast/gate/events');
      const lines = recordingLog();
      const publisher = await open({ url, version }, { log: lines.log });
      publisher.publish('gate/events', { n: 0 }, EVENT);
      publisher.publish('gate/snapshot', new Uint8Array(50_000).fill(255), { qos: 1, retain: true });
      publisher.publish('gate/events', { n: 1 }, EVENT);
      await subscriber.until((heard) => heard.some(({ text }) => text.includes('"n":1')), 'what came after');
      await until(
        () => publisher.stats().waiting === 0,
        () => 'outbox empty',
      );
      expect(publisher.stats()).toMatchObject({ droppedOutbox: 1, published: 2 });
      expect(lines.warnings().filter((line) => /larger than|hangs up each time/.test(line))).toHaveLength(1);
    },
  );

  async function killedChild(url: string, first: number, count: number): Promise<void> {
    const program = workerUrl(
      new URL('../../../pipeline/mqtt/publisher.ts', import.meta.url).href,
      './publisher.js',
    ).href;
    const fixture = fileURLToPath(new URL('./publisher-child.mjs', import.meta.url));
    const child = spawn(process.execPath, [fixture, program, url, folder, `${first}`, `${count}`], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      await once(child.stdout, 'data');
    } finally {
      await endProcess(child, 'SIGKILL');
    }
  }
});

function numbers(subscriber: Subscriber): number[] {
  return subscriber.texts('maskcast/gate/events').map((text) => (JSON.parse(text) as { n: number }).n);
}

/** A CA and a certificate for localhost, made now. */
function certificates(folder: string): { ca: string; cert: string; key: string } {
  const at = (name: string): string => join(folder, name);
  const openssl = (...args: string[]): void => void execFileSync('openssl', args, { stdio: 'ignore' });
  openssl(
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-days',
    '2',
    '-subj',
    '/CN=test CA',
    '-keyout',
    at('ca.key'),
    '-out',
    at('ca.pem'),
  );
  openssl(
    'req',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-subj',
    '/CN=localhost',
    '-keyout',
    at('key.pem'),
    '-out',
    at('csr.pem'),
  );
  writeFileSync(at('san'), 'subjectAltName=DNS:localhost');
  openssl(
    'x509',
    '-req',
    '-days',
    '2',
    '-in',
    at('csr.pem'),
    '-CA',
    at('ca.pem'),
    '-CAkey',
    at('ca.key'),
    '-CAcreateserial',
    '-extfile',
    at('san'),
    '-out',
    at('cert.pem'),
  );
  return { ca: at('ca.pem'), cert: at('cert.pem'), key: at('key.pem') };
}
