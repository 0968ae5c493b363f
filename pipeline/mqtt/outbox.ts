import type { Log } from '../log.js';
import { OutboxFiles } from './outbox-files.js';
import { OutboxQueue } from './outbox-queue.js';
import type { OutboxMessage } from './outbox-record.js';

export interface OutboxOptions {
  /** Where the messages survive; undefined: in memory only. */
  readonly folder: string | undefined;
  readonly maxMessages: number;
  readonly maxBytes: number;
  readonly log: Log;
}

/**
 * QoS 1 messages between `publish` and the broker's acknowledgement: a bounded queue in memory with its copy on disk.
 * Nothing here blocks or throws.
 */
export class Outbox {
  readonly #queue: OutboxQueue;
  readonly #files: OutboxFiles | undefined;
  readonly #log: Log;
  #lastId = 0;
  #dropped = 0;

  private constructor({ folder, maxMessages, maxBytes, log }: OutboxOptions) {
    this.#queue = new OutboxQueue({ maxMessages, maxBytes });
    this.#log = log;
    if (folder === undefined) return;
    const fileBytes = Math.min(Math.max(Math.floor(maxBytes / 16), 1 << 16), 1 << 22);
    this.#files = new OutboxFiles({ folder, fileBytes, log, waiting: () => this.#queue.messages() });
  }

  /** Opens it with what an earlier run left. */
  static async open(options: OutboxOptions): Promise<Outbox> {
    const outbox = new Outbox(options);
    const found = await outbox.#files?.recover();
    outbox.#lastId = found?.lastId ?? 0;
    for (const message of found?.messages ?? []) outbox.#forget(outbox.#queue.push(message));
    return outbox;
  }

  /** Messages that wait for an acknowledgement. */
  get waiting(): number {
    return this.#queue.size;
  }

  /** Messages given up since `open`: for the bound, or because the broker will not have them. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Takes a message in. `urgent`: no acknowledgement is near, to the disk at once. */
  push(message: Omit<OutboxMessage, 'id'>, urgent: boolean): void {
    const whole: OutboxMessage = { ...message, id: ++this.#lastId };
    this.#files?.append(whole, urgent);
    this.#forget(this.#queue.push(whole));
  }

  /** Next message to send; see `OutboxQueue.next`. */
  next(): OutboxMessage | undefined {
    return this.#queue.next();
  }

  /** The broker has it. */
  acknowledge(id: number): void {
    if (this.#queue.remove(id)) this.#files?.remove(id);
  }

  /** The broker will never have it. */
  giveUp(id: number): void {
    if (!this.#queue.remove(id)) return;
    this.#files?.remove(id);
    this.#dropped++;
  }

  /** The connection is gone: all that waits will be handed out again. */
  rewind(): void {
    this.#queue.rewind();
  }

  /** Whether the last value of a retained topic still waits here. */
  holdsState(topic: string): boolean {
    return this.#queue.holdsState(topic);
  }

  /** Resolves when all that waits is on disk. */
  async flush(): Promise<void> {
    await this.#files?.flush();
  }

  async close(): Promise<void> {
    await this.#files?.close();
  }

  #forget({ superseded, dropped }: ReturnType<OutboxQueue['push']>): void {
    for (const { id } of superseded) this.#files?.remove(id);
    for (const { id } of dropped) this.#files?.remove(id);
    if (dropped.length > 0 && this.#dropped === 0) {
      this.#log.warn(
        { topic: dropped[0]!.topic },
        'the outbox is full; the oldest messages go (mqtt.outbox.maxMessages and maxSize bound it)',
      );
    }
    this.#dropped += dropped.length;
  }
}
