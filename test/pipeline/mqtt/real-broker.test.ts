import { rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openPublisher, type Publisher, type PublisherOptions } from '../../../pipeline/mqtt/publisher.js';
import {
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
});
