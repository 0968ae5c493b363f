import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, connect as dial } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectAsync, type IClientOptions, type IPublishPacket, type MqttClient } from 'mqtt';
import { type MqttConfig, mqttSchema } from '../../../config/schema.js';

/** Real brokers and plain subscribers for the tests of this folder. Whoever starts one stops it. */

export interface Mosquitto {
  readonly port: number;
  readonly stop: (signal?: NodeJS.Signals) => Promise<void>;
}

/** Where mosquitto is; undefined (and said so) where it is not installed. */
export function mosquittoBinary(): string | undefined {
  for (const candidate of ['mosquitto', '/usr/sbin/mosquitto', '/usr/local/sbin/mosquitto']) {
    try {
      execFileSync(candidate, ['-h'], { stdio: 'ignore' });
      return candidate;
    } catch (error) {
      // `-h` ends with 3 in 2.0.11: only a missing program counts.
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') continue;
      return candidate;
    }
  }
  console.warn('SKIPPED: mosquitto is not installed, so nothing here was tried against a real broker');
  return undefined;
}

export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo; // a TCP server that listens
  server.close();
  await once(server, 'close');
  return port;
}

/**
 * A mosquitto of its own, without persistence.
 *
 * @param lines  further lines of its configuration
 */
export async function startMosquitto(
  binary: string,
  { port, lines = ['allow_anonymous true'] }: { port?: number; lines?: readonly string[] } = {},
): Promise<Mosquitto> {
  const at = port ?? (await freePort());
  const folder = temporaryFolder();
  const file = join(folder, 'mosquitto.conf');
  writeFileSync(file, [`listener ${at} 127.0.0.1`, 'user root', 'persistence false', ...lines, ''].join('\n'));
  const child = spawn(binary, ['-c', file], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  for (let tries = 0; !(await answers(at)); tries++) {
    if (tries > 100 || child.exitCode !== null) throw new Error(`mosquitto did not start: ${said}`);
    await sleep(20);
  }
  return {
    port: at,
    stop: async (signal = 'SIGKILL') => {
      await endProcess(child, signal);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export async function endProcess(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill(signal);
  await once(child, 'exit');
}

export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'maskcast-mqtt-'));
}

/** A configuration as the user would write it, with its defaults. */
export function mqttConfig(input: Parameters<typeof mqttSchema.parse>[0]): MqttConfig {
  return mqttSchema.parse(input);
}

export interface Heard {
  readonly topic: string;
  readonly text: string;
  readonly packet: IPublishPacket;
}

export interface Subscriber {
  readonly heard: Heard[];
  readonly client: MqttClient;
  /** Texts of one topic, in order of arrival. */
  texts(topic: string): string[];
  /** Resolves when the condition holds for what was heard. */
  until(condition: (heard: readonly Heard[]) => boolean, what: string): Promise<void>;
  end(): Promise<void>;
}

/** Subscribes at QoS 1 and keeps what it hears. */
export async function subscribe(url: string, filter: string, options: IClientOptions = {}): Promise<Subscriber> {
  const client = await connectAsync(url, { reconnectPeriod: 100, ...options });
  const heard: Heard[] = [];
  client.on('error', () => undefined);
  client.on('message', (topic, payload, packet) => heard.push({ topic, text: payload.toString(), packet }));
  await client.subscribeAsync(filter, { qos: 1 });
  return {
    heard,
    client,
    texts: (topic) => heard.filter((one) => one.topic === topic).map(({ text }) => text),
    until: async (condition, what) => {
      await until(
        () => condition(heard),
        () => `${what}; heard ${JSON.stringify(heard.map(({ topic, text }) => [topic, text.slice(0, 80)]))}`,
      );
    },
    end: () => client.endAsync(true),
  };
}

/** Polls real processes and sockets; 10 s at most. */
export async function until(condition: () => boolean, what: () => string): Promise<void> {
  const end = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`never came true: ${what()}`);
    await sleep(10);
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = dial(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
