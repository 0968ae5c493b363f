import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { duplexPair } from 'node:stream';
import type { IClientOptions } from 'mqtt';
import { BehaviorSubject, distinctUntilChanged, type Observable } from 'rxjs';
import { InputError } from '../../config/errors.js';
import type { MqttConfig } from '../../config/schema.js';
import { type Log, redactUrl } from '../log.js';
import type { BrokerAddress } from './connection.js';
import { type EmbeddedBroker, startEmbeddedBroker } from './embedded-broker.js';
import { DEFAULT_RETRY, type KeptConnection, keepConnected, type RetryRule } from './keep-connected.js';
import { Outbox } from './outbox.js';
import { Sender, type SentMessage } from './sender.js';
import { stampPayload } from './stamp.js';

export interface PublisherOptions {
  readonly config: MqttConfig;
  /** The outbox lies in its folder `outbox`, the client id in the file `client-id`. */
  readonly dataFolder: string;
  readonly log: Log;
  /** Sees every message given to `publish`, with its whole topic and its stamped payload, sent or not. */
  readonly tap?: (topic: string, payload: string | Uint8Array) => void;
  readonly retry?: RetryRule;
}

export interface PublisherStats {
  /** QoS 0 messages sent, and QoS 1 messages that the broker acknowledged. */
  readonly published: number;
  /** QoS 0 messages dropped, because there was no connection or too much waited on it. */
  readonly droppedQos0: number;
  /** QoS 1 messages that wait for the broker's acknowledgement. */
  readonly waiting: number;
  /** QoS 1 messages given up: the outbox was full, or the broker refused them. */
  readonly droppedOutbox: number;
}

export interface Publisher {
  /** What a user subscribes at, without credentials; with the real port of the embedded broker. */
  readonly url: string;
  /** The same for WebSocket clients of the embedded broker. */
  readonly webSocketUrl: string | undefined;
  /** First levels of every topic. */
  readonly prefix: string;
  /** Whether a connection stands; begins with the present state. */
  readonly connected$: Observable<boolean>;
  /**
   * Publishes on `<prefix>/<subtopic>`. Returns at once; trouble with the broker or the disk never comes back here.
   * Objects become JSON with `schema`, and below a camera (`<c>/…`) `camera`, `seq` and, where missing, `time`.
   *
   * @throws RangeError when the subtopic cannot be published on (empty, `#`, `+`): a programming error
   */
  publish(
    subtopic: string,
    payload: object | string | Uint8Array,
    o: { readonly qos: 0 | 1; readonly retain: boolean },
  ): void;
  stats(): PublisherStats;
  /**
   * Waits until all QoS 1 messages are acknowledged (at most `graceMs`, not at all while the broker is away), says
   * `offline`, disconnects; what still waits is on disk then. Later `publish` calls are ignored.
   */
  close(graceMs?: number): Promise<void>;
}

/** Longest wait of `openPublisher` for the first connection, so that the first messages of QoS 0 find one. */
const FIRST_CONNECTION_MS = 2_000;
const GOODBYE_MS = 1_000;

/**
 * Opens the road to the broker of the configuration, or starts the embedded one. A broker that is away, refuses us or
 * goes away is no error: it is logged, tried again, and QoS 1 messages wait on disk.
 *
 * @throws InputError when a certificate file cannot be read, the URL cannot be understood or the embedded broker
 *         finds its port taken
 */
export async function openPublisher(o: PublisherOptions): Promise<Publisher> {
  const { config, log } = o;
  const client = await clientOptions(o);
  const embedded = config.url === undefined ? await startEmbeddedBroker(config.embedded, log) : undefined;
  const host = config.embedded.host === '0.0.0.0' || config.embedded.host === '::' ? 'localhost' : config.embedded.host;
  const url = embedded ? `mqtt://${bracketed(host)}:${embedded.port}` : redactUrl(config.url!); // no URL: embedded
  const webSocketPort = embedded?.webSocketPort;
  const outbox = await Outbox.open({
    // The embedded broker is never away. What waits for another one stays on disk until that one is named again.
    folder: embedded ? undefined : join(o.dataFolder, 'outbox'),
    maxMessages: config.outbox.maxMessages,
    maxBytes: config.outbox.maxSize,
    log,
  });
  if (outbox.waiting > 0) log.info({ messages: outbox.waiting }, 'messages of the last run wait for the broker');
  const connected = new BehaviorSubject(false);
  const states = new Map<string, SentMessage>();
  const sender = new Sender(outbox, log, (topic) => states.delete(topic));
  const status: Omit<SentMessage, 'payload'> = { topic: `${config.prefix}/status`, qos: 1, retain: true };
  const kept = keepConnected({
    broker: address(config.url, embedded),
    name: url,
    version: embedded || config.version === 3.1 ? 4 : 5,
    client: { ...client, will: { ...status, payload: Buffer.from('offline') } },
    retry: o.retry ?? DEFAULT_RETRY,
    log,
    onOpen: (opened, window) => {
      // A broker without persistence forgot the retained states; those that still wait come by themselves.
      const anew = [...states.values()].filter(({ topic }) => !outbox.holdsState(topic));
      sender.open(opened, window, [{ ...status, payload: 'online' }, ...anew]);
      connected.next(true);
    },
    onEnd: () => {
      connected.next(false);
      return sender.lost();
    },
  });
  await within(FIRST_CONNECTION_MS, kept.firstOutcome);

  const seqs = new Map<string, number>();
  let closing: Promise<void> | undefined;
  return {
    url,
    webSocketUrl: webSocketPort === undefined ? undefined : `ws://${bracketed(host)}:${webSocketPort}`,
    prefix: config.prefix,
    connected$: connected.pipe(distinctUntilChanged()),
    publish: (subtopic, payload, { qos, retain }) => {
      if (!/^[^#+\0]+$/.test(subtopic)) throw new RangeError(`cannot publish on topic "${subtopic}"`);
      if (closing) return;
      const topic = `${config.prefix}/${subtopic}`;
      const seq = (seqs.get(subtopic) ?? 0) + 1;
      seqs.set(subtopic, seq);
      const stamped = stampPayload(subtopic, seq, payload, Date.now);
      o.tap?.(topic, stamped);
      if (qos === 0 && !retain) return sender.sendQos0({ topic, payload: asSent(stamped), retain });
      // A copy: the caller may use its bytes again, and these stay for a while.
      const bytes = Buffer.from(stamped);
      if (retain) states.set(topic, { topic, payload: bytes, qos, retain });
      if (qos === 0) return sender.sendQos0({ topic, payload: bytes, retain });
      outbox.push({ topic, payload: bytes, retain }, !sender.connected);
      sender.pump();
    },
    stats: () => ({
      published: sender.published,
      droppedQos0: sender.droppedQos0,
      waiting: outbox.waiting,
      droppedOutbox: outbox.dropped,
    }),
    close: (graceMs = 3_000) => {
      closing ??= shutDown({ graceMs, kept, sender, outbox, embedded, status, log }).finally(() =>
        connected.complete(),
      );
      return closing;
    },
  };
}

async function shutDown(o: {
  graceMs: number;
  kept: KeptConnection;
  sender: Sender;
  outbox: Outbox;
  embedded: EmbeddedBroker | undefined;
  status: Omit<SentMessage, 'payload'>;
  log: Log;
}): Promise<void> {
  if (o.kept.trying()) await within(o.graceMs, o.sender.whenDrained());
  const { connected } = o.sender;
  if (connected) await within(GOODBYE_MS, o.sender.sayGoodbye({ ...o.status, payload: 'offline' }));
  await within(GOODBYE_MS, o.kept.stop(!connected));
  await o.outbox.close();
  await o.embedded?.close();
  if (o.outbox.waiting > 0)
    o.log.warn({ messages: o.outbox.waiting }, 'messages were not delivered; those on disk go out with the next run');
}

function address(url: string | undefined, embedded: EmbeddedBroker | undefined): BrokerAddress {
  if (!embedded) return { url: url! }; // one of the two is there
  // Through memory: no port to be locked out of, no copy through the kernel, the same code above it.
  const stream = () => {
    const [ours, theirs] = duplexPair();
    // A socket would tell the other end; a pair does not.
    theirs.once('close', () => ours.destroy());
    ours.once('close', () => theirs.destroy());
    embedded.handle(theirs);
    return ours;
  };
  return { stream };
}

async function clientOptions({ config, dataFolder, log }: PublisherOptions): Promise<IClientOptions> {
  if (config.url !== undefined && !URL.canParse(config.url)) {
    throw new InputError(`mqtt.url is "${redactUrl(config.url)}"; it must be an address such as mqtt://host:1883`);
  }
  const file = async (key: 'ca' | 'cert' | 'key') => {
    const path = config[key];
    if (path === undefined) return {};
    try {
      return { [key]: await readFile(path) };
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new InputError(`mqtt.${key} is "${path}"; it must be a PEM file that can be read (${why})`, {
        cause: error,
      });
    }
  };
  return {
    clientId: config.clientId ?? (await keptClientId(dataFolder, log)),
    ...(config.username !== undefined && { username: config.username }),
    ...(config.password !== undefined && { password: config.password }),
    ...(await file('ca')),
    ...(await file('cert')),
    ...(await file('key')),
    rejectUnauthorized: config.verify,
  };
}

/**
 * The same id in every run: the broker then ends a dead connection of the last run, and publishes its will, before
 * it accepts the new one; otherwise that `offline` could come after our `online`.
 */
async function keptClientId(folder: string, log: Log): Promise<string> {
  const path = join(folder, 'client-id');
  try {
    const kept = (await readFile(path, 'utf8')).trim();
    if (/^[\x21-\x7e]{1,64}$/.test(kept)) return kept;
  } catch {
    // Not there yet: the usual first run. Any other trouble shows when it is written.
  }
  const fresh = `maskcast-${randomBytes(5).toString('hex')}`;
  try {
    await mkdir(folder, { recursive: true });
    await writeFile(path, `${fresh}\n`);
  } catch (error) {
    log.debug({ path, reason: String(error) }, 'the client id cannot be kept; the next run takes another');
  }
  return fresh;
}

function asSent(payload: string | Uint8Array): string | Buffer {
  return typeof payload === 'string' ? payload : Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

/** Resolves with the promise or after `ms`, whichever is first. */
async function within(ms: number, promise: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeUp = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([promise, timeUp]).finally(() => clearTimeout(timer));
}
