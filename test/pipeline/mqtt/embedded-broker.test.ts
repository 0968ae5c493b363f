import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { connect as dial } from 'node:net';
import { connectAsync } from 'mqtt';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { InputError } from '../../../config/errors.js';
import { startEmbeddedBroker } from '../../../pipeline/mqtt/embedded-broker.js';
import { openPublisher, type Publisher, type PublisherOptions } from '../../../pipeline/mqtt/publisher.js';
import { mqttConfig, type Subscriber, subscribe, temporaryFolder, until } from './brokers.js';
import { recordingLog } from './recording-log.js';

const EVENT = { qos: 1, retain: false } as const;

describe('the embedded broker', () => {
  let folder: string;
  const cleanUp: (() => Promise<void>)[] = [];
  beforeEach(() => {
    folder = temporaryFolder();
  });
  afterEach(async () => {
    for (const step of cleanUp.splice(0).reverse()) await step();
    rmSync(folder, { recursive: true, force: true });
  });
  const open = async (more: Partial<PublisherOptions> = {}, config: object = {}): Promise<Publisher> => {
    const publisher = await openPublisher({
      config: mqttConfig({ embedded: { port: 0 }, ...config }),
      dataFolder: folder,
      log: recordingLog().log,
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

  it('serves a plain client: retained states, then what happens, then offline', async () => {
    const publisher = await open();
    publisher.publish('info', { version: '0' }, { qos: 1, retain: true });
    publisher.publish('gate/status', { state: 'live' }, { qos: 1, retain: true });
    const subscriber = await listen(publisher.url, 'maskcast/#', { reconnectPeriod: 0 });
    await subscriber.until((heard) => heard.length === 3, 'retained states');
    publisher.publish('gate/tracks', { n: 1 }, { qos: 0, retain: false });
    publisher.publish('gate/tracks', { n: 2 }, { qos: 0, retain: false });
    publisher.publish('gate/events', {}, { qos: 1, retain: false });
    await subscriber.until((heard) => heard.length === 6, 'tracks and event');
    expect(subscriber.texts('maskcast/gate/tracks').map((text) => JSON.parse(text))).toMatchObject([
      { seq: 1, n: 1 },
      { seq: 2, n: 2 },
    ]);
    await publisher.close();
    expect(subscriber.heard.at(-1)).toMatchObject({ topic: 'maskcast/status', text: 'offline' });
    publisher.publish('gate/events', {}, { qos: 1, retain: false });
    expect(publisher.stats()).toMatchObject({ waiting: 0, droppedQos0: 0, droppedOutbox: 0 });
  });

  it('serves WebSocket clients on a port of its own', async () => {
    const publisher = await open({}, { embedded: { port: 0, webSocketPort: 0 }, prefix: 'site/north' });
    const subscriber = await listen(publisher.webSocketUrl!, 'site/north/#');
    await subscriber.until((heard) => heard.length === 1, 'online');
  });

  it('shows tap what is published, stamped, whether it is sent or not', async () => {
    const seen: [string, string | Uint8Array][] = [];
    const publisher = await open({ tap: (topic, payload) => seen.push([topic, payload]) });
    publisher.publish('gate/tracks', { time: 'T', pts: 1 }, { qos: 0, retain: false });
    publisher.publish('gate/snapshot', new Uint8Array([255]), { qos: 1, retain: true });
    expect(seen).toEqual([
      ['maskcast/gate/tracks', '{"schema":1,"camera":"gate","seq":1,"time":"T","pts":1}'],
      ['maskcast/gate/snapshot', new Uint8Array([255])],
    ]);
    expect(() => publisher.publish('gate/+', {}, { qos: 0, retain: false })).toThrow(RangeError);
  });

  it('a port that is taken, or an address that is not ours: one clear message', async () => {
    const { log } = recordingLog();
    const first = await startEmbeddedBroker(mqttConfig({ embedded: { port: 0 } }).embedded, log);
    cleanUp.push(() => first.close());
    for (const [embedded, message] of [
      [{ port: first.port }, /mqtt\.embedded\.port is \d+ on 127\.0\.0\.1; another program listens.*mqtt\.url.*or 0/],
      [{ port: 0, webSocketPort: first.port }, /mqtt\.embedded\.webSocketPort is \d+ .*another program listens/],
      [{ port: 0, host: '192.0.2.1' }, /mqtt\.embedded\.host must be an address of this machine/],
    ] as const) {
      const refused = open({}, { embedded });
      await expect(refused).rejects.toThrow(InputError);
      await expect(refused).rejects.toThrow(message);
    }
  });

  it('a publisher that wants MQTT 5 falls back to 3.1.1 at a broker that has no 5, and says so', async () => {
    const lines = recordingLog();
    const other = await startEmbeddedBroker(mqttConfig({ embedded: { port: 0 } }).embedded, lines.log);
    cleanUp.push(() => other.close());
    const publisher = await open({ log: lines.log }, { url: `mqtt://127.0.0.1:${other.port}` });
    publisher.publish('gate/events', {}, { qos: 1, retain: false });
    await until(
      () => publisher.stats().published === 1,
      () => lines.text(),
    );
    expect(lines.text()).toMatch(/trying MQTT 3\.1\.1[\s\S]*"MQTT 3\.1\.1"/);
  });

  it('a subscriber that reads nothing misses messages and is cut off in the end; the others miss none', async () => {
    const lines = recordingLog();
    const publisher = await open({ log: lines.log });
    const good = await listen(publisher.url, 'maskcast/gate/tracks');
    const port = Number(new URL(publisher.url).port);
    const bad = dial(port, '127.0.0.1');
    cleanUp.push(async () => void bad.destroy());
    bad.on('error', () => undefined);
    await once(bad, 'connect');
    // CONNECT, client id "x"; SUBSCRIBE to maskcast/# at QoS 0
    bad.write(Buffer.from('100d00044d5154540402003c000178', 'hex'));
    bad.write(Buffer.concat([Buffer.from('820f0001000a', 'hex'), Buffer.from('maskcast/#'), Buffer.from([0])]));
    await once(bad, 'data');
    bad.pause();
    const mask = 'x'.repeat(20_000);
    const send = (): void => publisher.publish('gate/tracks', { mask }, { qos: 0, retain: false });
    const timer = setInterval(() => {
      for (let n = 0; n < 4; n++) send(); // some 400 a second: more than 30 cameras give
    }, 10);
    try {
      await until(
        () => lines.text().includes('reads too slowly'),
        () => 'the stalled subscriber is noticed',
      );
      const seen = good.heard.length;
      await good.until((heard) => heard.length > seen + 200, 'flow beside it');
      // 20 MB, more than the system itself may take in between (some 10 MB), so that the broker's own backlog grows too long.
      for (let n = 0; n < 1000; n++) publisher.publish('gate/events', { mask }, { qos: 1, retain: false });
      // All handed out: a reader that wakes up before, on a busy machine, may still catch up and stay.
      await until(
        () => publisher.stats().waiting === 0,
        () => 'the broker has every event',
      );
      await once(bad.resume(), 'close');
      const later = good.heard.length;
      await good.until((heard) => heard.length > later + 200, 'flow after the cut');
      const numbers = good.heard.map(({ text }) => (JSON.parse(text) as { seq: number }).seq);
      expect(numbers).toEqual(numbers.map((_, index) => numbers[0]! + index));
    } finally {
      clearInterval(timer);
    }
  });

  it('a subscriber of QoS 1 gets each event once, in order', async () => {
    const publisher = await open();
    const subscriber = await listen(publisher.url, 'maskcast/gate/events');
    for (let n = 0; n < 500; n++) publisher.publish('gate/events', { n }, { qos: 1, retain: false });
    await subscriber.until((heard) => heard.length >= 500, 'all events');
    await publisher.close();
    const numbers = subscriber.texts('maskcast/gate/events').map((text) => (JSON.parse(text) as { n: number }).n);
    expect(numbers).toEqual(Array.from({ length: 500 }, (_, n) => n));
  });

  it.each([
    ['nobody', 0],
    ['a subscriber', 1],
  ])(
    'bursts of large messages of many cameras, heard by %s, are taken whole, all and in order',
    async (_, listeners) => {
      const lines = recordingLog();
      const publisher = await open({ log: lines.log });
      const subscriber = listeners > 0 ? await listen(publisher.url, 'maskcast/#') : undefined;
      const mask = 'x'.repeat(6_000);
      for (let burst = 0; burst < 10; burst++) {
        for (let camera = 0; camera < 30; camera++) {
          publisher.publish(`cam${camera}/tracks`, { mask }, { qos: 0, retain: false });
        }
        for (let camera = 0; camera < 30; camera++) publisher.publish(`cam${camera}/events`, {}, EVENT);
        await new Promise((resolve) => setTimeout(resolve, 20)); // bursts, not one long queue
      }
      await until(
        () => publisher.stats().published === 600,
        () => JSON.stringify([publisher.stats(), lines.warnings()]),
      );
      expect(lines.warnings()).toEqual([]);
      if (!subscriber) return;
      await subscriber.until((heard) => heard.length >= 601, 'all messages');
      for (const topic of ['maskcast/cam0/tracks', 'maskcast/cam29/events']) {
        const seqs = subscriber.texts(topic).map((text) => (JSON.parse(text) as { seq: number }).seq);
        expect(seqs).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
      }
    },
  );

  it('leaves no server behind', async () => {
    const publisher = await open();
    await publisher.close();
    await expect(connectAsync(publisher.url, { reconnectPeriod: 0, connectTimeout: 1000 })).rejects.toThrow();
  });
});
