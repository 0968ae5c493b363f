import type { MqttClient } from 'mqtt';
import type { Log } from '../log.js';
import type { Outbox } from './outbox.js';

/** QoS 0 messages are dropped while the stream to the broker holds back more than this. */
const BACKLOG_BYTES = 4 << 20;
/** Connections in a row that ended without a single acknowledgement, while messages of the outbox were in flight. */
const BARREN_ALONE = 3;
const BARREN_GIVE_UP = 8;
/** A connection that lasted this long was a good one. */
const GOOD_MS = 10_000;

export interface SentMessage {
  readonly topic: string;
  readonly payload: string | Buffer;
  readonly qos: 0 | 1;
  readonly retain: boolean;
}

/**
 * What goes out over the connection of the moment: first the retained states anew, then the outbox in its order, with
 * a limited number of unacknowledged messages (MQTT 5 §4.9); QoS 0 beside it, or not at all.
 */
export class Sender {
  readonly #outbox: Outbox;
  readonly #log: Log;
  #client: MqttClient | undefined;
  #window = 1;
  #inFlight = 0;
  #anew: SentMessage[] = [];
  #openedMs = 0;
  #acknowledged = 0;
  /** Oldest message of the outbox in flight on this connection: the first suspect when it breaks. */
  #oldest: { readonly id: number; readonly topic: string } | undefined;
  #barren = 0;
  #refusalLogged = false;
  #idle: (() => void) | undefined;
  published = 0;
  droppedQos0 = 0;

  readonly #onGivenUp: (topic: string) => void;

  /** @param onGivenUp  told the topic of a message that the broker will not have */
  constructor(outbox: Outbox, log: Log, onGivenUp: (topic: string) => void) {
    this.#outbox = outbox;
    this.#log = log;
    this.#onGivenUp = onGivenUp;
  }

  get connected(): boolean {
    return this.#client !== undefined;
  }

  /** A connection stands. `anew` goes out first. */
  open(client: MqttClient, window: number, anew: readonly SentMessage[]): void {
    this.#client = client;
    this.#window = this.#barren >= BARREN_ALONE ? 1 : window;
    this.#inFlight = 0;
    this.#acknowledged = 0;
    this.#oldest = undefined;
    this.#anew = [...anew];
    this.#openedMs = performance.now();
    this.pump();
  }

  /** The connection is gone; what was not acknowledged goes out again over the next. */
  lost(): { progress: boolean } {
    if (!this.#client) return { progress: false };
    this.#client = undefined;
    this.#anew = [];
    this.#outbox.rewind();
    const progress = this.#acknowledged > 0 || performance.now() - this.#openedMs > GOOD_MS;
    this.#suspect(progress);
    return { progress };
  }

  /** Sends what the window allows. */
  pump(): void {
    while (this.#client && this.#inFlight < this.#window) {
      const state = this.#anew.shift();
      if (state) {
        this.#send(this.#client, state, () => undefined);
        continue;
      }
      const message = this.#outbox.next();
      if (!message) break;
      const { id } = message;
      this.#oldest ??= message;
      this.#send(this.#client, { ...message, qos: 1 }, (refusal) => {
        this.#acknowledged++;
        this.#oldest = undefined;
        if (refusal) return this.#outbox.giveUp(id);
        this.#outbox.acknowledge(id);
        this.published++;
      });
    }
    if (this.drained()) this.#idle?.();
  }

  /** Now or never. */
  sendQos0({ topic, payload, retain }: Omit<SentMessage, 'qos'>): void {
    const client = this.#client;
    if (!client || client.stream.writableLength > BACKLOG_BYTES) {
      this.droppedQos0++;
      return;
    }
    this.published++;
    client.publish(topic, payload, { qos: 0, retain, ...properties(client, payload) });
  }

  /** Nothing waits and nothing is in flight. */
  drained(): boolean {
    return this.#inFlight === 0 && this.#anew.length === 0 && this.#outbox.waiting === 0;
  }

  /** Resolves when drained. */
  async whenDrained(): Promise<void> {
    if (this.drained()) return;
    await new Promise<void>((resolve) => {
      this.#idle = resolve;
    });
  }

  /** Last words: beside the window and the order. Resolves when the broker has them. */
  async sayGoodbye({ topic, payload, qos, retain }: SentMessage): Promise<void> {
    const client = this.#client;
    await new Promise<void>((resolve) => {
      if (client) client.publish(topic, payload, { qos, retain }, () => resolve());
      else resolve();
    });
  }

  #send(client: MqttClient, message: SentMessage, onAck: (refusal: Error | undefined) => void): void {
    const { topic, payload, qos, retain } = message;
    const limit = client.serverProperties?.maximumPacketSize;
    if (limit !== undefined && payload.length + topic.length + 32 > limit) {
      // The broker would hang up (MQTT 5 §3.2.2.3.6), and again at each attempt.
      onAck(this.#refused(topic, new Error(`it is larger than the ${limit} bytes that the broker takes`)));
      return;
    }
    this.#inFlight++;
    client.publish(topic, payload, { qos, retain, ...properties(client, payload) }, (error) => {
      if (client !== this.#client) return; // of a connection that is gone: not acknowledged
      const code = error && 'code' in error ? error.code : undefined;
      if (error && typeof code !== 'number') return; // hung up meanwhile; `lost` follows
      this.#inFlight--;
      onAck(error ? this.#refused(topic, error) : undefined);
      this.pump();
    });
  }

  #refused(topic: string, error: Error): Error {
    if (!this.#refusalLogged) {
      this.#log.warn({ topic, reason: error.message }, 'the broker refuses a message; it and others like it are lost');
    }
    this.#refusalLogged = true;
    this.#onGivenUp(topic);
    return error;
  }

  /**
   * A message that makes the broker hang up would block the outbox for ever. After three connections without any
   * acknowledgement messages go out one by one; when the same goes on, the one in flight is given up.
   */
  #suspect(progress: boolean): void {
    const suspect = this.#oldest;
    this.#barren = progress || !suspect ? 0 : this.#barren + 1;
    if (this.#barren < BARREN_GIVE_UP || !suspect) return;
    this.#barren = BARREN_ALONE;
    this.#outbox.giveUp(suspect.id);
    this.#onGivenUp(suspect.topic);
    this.#log.warn(
      { topic: suspect.topic },
      'the broker hangs up each time it gets this message; it is given up (too large for the broker?)',
    );
  }
}

/** MQTT 5 says what the payload is; 3.1.1 has no place for it. */
function properties(client: MqttClient, payload: string | Buffer): { properties?: { contentType: string } } {
  if (client.options.protocolVersion !== 5) return {};
  const first = typeof payload === 'string' ? payload.charCodeAt(0) : payload[0];
  const contentType = first === 0x7b ? 'application/json' : first === 0xff ? 'image/jpeg' : 'text/plain';
  return { properties: { contentType } };
}
