import { messageBytes, type OutboxMessage } from './outbox-record.js';

interface Entry {
  readonly message: OutboxMessage;
  readonly bytes: number;
  gone: boolean;
}

/**
 * What waits for the broker's acknowledgement, oldest first, within bounds. In memory, knows nothing of disk or
 * network. A retained message that was not sent yet gives way to a newer one of its topic: a state needs its last
 * value only. All others are kept until they are acknowledged or the bound pushes the oldest out.
 */
export class OutboxQueue {
  readonly #maxMessages: number;
  readonly #maxBytes: number;
  readonly #byId = new Map<number, Entry>();
  /** Last retained message of each topic. */
  readonly #latest = new Map<string, Entry>();
  /** Ids rise; entries before `#head` are gone, those before `#next` were handed out. */
  #order: Entry[] = [];
  #head = 0;
  #next = 0;
  #bytes = 0;

  constructor({ maxMessages, maxBytes }: { maxMessages: number; maxBytes: number }) {
    this.#maxMessages = maxMessages;
    this.#maxBytes = maxBytes;
  }

  get size(): number {
    return this.#byId.size;
  }

  /** Bytes of the waiting messages as they lie on disk. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Takes a message in.
   *
   * @param message  its id is higher than all before
   * @returns what had to go: `superseded` states, and the oldest messages `dropped` for the bound (the new one itself
   *          when it alone is larger than the bound)
   */
  push(message: OutboxMessage): { superseded: OutboxMessage[]; dropped: OutboxMessage[] } {
    const bytes = messageBytes(message);
    if (bytes > this.#maxBytes) return { superseded: [], dropped: [message] };
    const superseded: OutboxMessage[] = [];
    const older = message.retain ? this.#latest.get(message.topic) : undefined;
    if (older && !this.#wasHandedOut(older)) {
      superseded.push(older.message);
      this.#remove(older);
    }
    const entry: Entry = { message, bytes, gone: false };
    this.#order.push(entry);
    this.#byId.set(message.id, entry);
    if (message.retain) this.#latest.set(message.topic, entry);
    this.#bytes += bytes;
    const dropped: OutboxMessage[] = [];
    while (this.#byId.size > this.#maxMessages || this.#bytes > this.#maxBytes) {
      const oldest = this.#order[this.#head]!; // the new entry at least is there
      dropped.push(oldest.message);
      this.#remove(oldest);
    }
    return { superseded, dropped };
  }

  /** Hands out the oldest message that was not handed out yet. It stays until `remove`. */
  next(): OutboxMessage | undefined {
    while (this.#order[this.#next]?.gone) this.#next++;
    return this.#order[this.#next++]?.message ?? this.#stepBack();
  }

  /** Takes a message out for good; undefined when it is not there any more. */
  remove(id: number): OutboxMessage | undefined {
    const entry = this.#byId.get(id);
    if (!entry) return undefined;
    this.#remove(entry);
    return entry.message;
  }

  /** The connection was lost: all that is still here is handed out again, in the same order. */
  rewind(): void {
    this.#next = this.#head;
  }

  /** Whether a retained message of this topic waits here. */
  holdsState(topic: string): boolean {
    return this.#latest.has(topic);
  }

  /** All messages, oldest first. */
  *messages(): Generator<OutboxMessage> {
    for (const { message } of this.#byId.values()) yield message;
  }

  #stepBack(): undefined {
    this.#next--;
    return undefined;
  }

  #wasHandedOut(entry: Entry): boolean {
    const upTo = this.#order[this.#next];
    return !upTo || entry.message.id < upTo.message.id;
  }

  #remove(entry: Entry): void {
    entry.gone = true;
    this.#byId.delete(entry.message.id);
    if (this.#latest.get(entry.message.topic) === entry) this.#latest.delete(entry.message.topic);
    this.#bytes -= entry.bytes;
    while (this.#order[this.#head]?.gone) this.#head++;
    this.#next = Math.max(this.#next, this.#head);
    // Forget the gone ones in bulk: a shift() each would be quadratic for a long queue.
    if (this.#head > 1024 && this.#head * 2 > this.#order.length) {
      this.#order = this.#order.slice(this.#head);
      this.#next -= this.#head;
      this.#head = 0;
    }
  }
}
