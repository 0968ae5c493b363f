import { type FileHandle, mkdir, open, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Log } from '../log.js';
import { decodeRecords, encodeRecord, messageBytes, type OutboxMessage } from './outbox-record.js';

/** A message that its removal overtakes within this time never touches the disk. */
const WRITE_BEHIND_MS = 100;
const RETRY_AFTER_FAULT_MS = 30_000;
/** Most bytes handed to one write, so that a long rewrite leaves the thread pool to others in between. */
const WRITE_BYTES = 1 << 20;

interface SegmentFile {
  readonly path: string;
  /** Messages in it that still wait. */
  live: number;
  bytes: number;
}

interface Place {
  readonly file: SegmentFile;
  readonly bytes: number;
}

export interface OutboxFilesOptions {
  readonly folder: string;
  /** A file that has grown to this many bytes is followed by the next. */
  readonly fileBytes: number;
  readonly log: Log;
  /** All messages that wait now, oldest first: what a rewrite keeps. */
  waiting(): Iterable<OutboxMessage>;
}

/**
 * The outbox on disk: append-only files `<number>.log` of records (`outbox-record.ts`), written in batches with one
 * fsync each. Files go from the oldest on, once nothing in them waits; when gaps make up too much, the waiting
 * messages are written anew. Asynchronous throughout, never throws: a fault is logged once, messages then live in
 * memory, and every 30 s the whole outbox is tried again.
 */
export class OutboxFiles {
  readonly #o: OutboxFilesOptions;
  #files: SegmentFile[] = [];
  readonly #places = new Map<number, Place>();
  #liveBytes = 0;
  #handle: { readonly file: SegmentFile; readonly handle: FileHandle } | undefined;
  #nextNumber = 1;
  #toWrite = new Map<number, OutboxMessage>();
  #toRemove: number[] = [];
  #timer: NodeJS.Timeout | undefined;
  #timerDueMs = 0;
  #writing: Promise<void> | undefined;
  #faultAtMs: number | undefined;
  #faultLogged = false;

  constructor(options: OutboxFilesOptions) {
    this.#o = options;
  }

  /**
   * Reads what an earlier run left.
   *
   * @returns messages in order, and the highest id that was ever used
   */
  async recover(): Promise<{ messages: OutboxMessage[]; lastId: number }> {
    const { folder, log } = this.#o;
    const found = new Map<number, Place & { message: OutboxMessage }>();
    const removed = new Set<number>();
    let lastId = 0;
    let damaged = 0;
    try {
      await mkdir(folder, { recursive: true });
      const names = (await readdir(folder)).filter((name) => /^\d{10}\.log$/.test(name)).sort();
      for (const name of names) {
        this.#nextNumber = Number.parseInt(name, 10) + 1;
        const path = join(folder, name);
        const content = await readFile(path);
        const read = decodeRecords(content);
        damaged += read.damaged;
        const file: SegmentFile = { path, live: 0, bytes: content.length };
        this.#files.push(file);
        for (const record of read.records) {
          if (record.kind === 'removal') for (const id of record.ids) removed.add(id);
          else found.set(record.message.id, { file, bytes: messageBytes(record.message), message: record.message });
        }
      }
    } catch (error) {
      this.#fault(error);
    }
    for (const id of [...removed, ...found.keys()]) lastId = Math.max(lastId, id);
    for (const id of removed) found.delete(id);
    const entries = [...found].sort(([a], [b]) => a - b);
    for (const [id, { file, bytes }] of entries) this.#settle(id, { file, bytes });
    if (damaged > 0) log.warn({ folder, bytes: damaged }, 'the outbox is damaged in part; what can be read is kept');
    if (this.#files.length > 0) this.#schedule(WRITE_BEHIND_MS);
    return { messages: entries.map(([, { message }]) => message), lastId };
  }

  /**
   * Keeps a message. While it may be acknowledged any moment (`soon` false) it is written only if it still waits
   * after 100 ms.
   */
  append(message: OutboxMessage, soon: boolean): void {
    this.#toWrite.set(message.id, message);
    this.#schedule(soon ? 0 : WRITE_BEHIND_MS);
  }

  /** Forgets a message. */
  remove(id: number): void {
    if (this.#toWrite.delete(id)) return;
    const place = this.#places.get(id);
    if (!place) return;
    this.#places.delete(id);
    this.#liveBytes -= place.bytes;
    place.file.live--;
    this.#toRemove.push(id);
    this.#schedule(WRITE_BEHIND_MS);
  }

  /** Resolves when all that was told so far is on disk (or the disk has failed). */
  async flush(): Promise<void> {
    while (this.#writing || this.#toWrite.size > 0 || this.#toRemove.length > 0) {
      await (this.#writing ?? this.#write());
      if (this.#faultAtMs !== undefined) return;
    }
  }

  /** Writes what is left, and leaves no file behind when nothing waits. */
  async close(): Promise<void> {
    await this.flush();
    if (this.#files.length > 0 && this.#places.size === 0) await this.#write();
    clearTimeout(this.#timer);
    await this.#closeHandle();
  }

  #schedule(afterMs: number): void {
    const dueMs = performance.now() + afterMs;
    if (this.#timer && this.#timerDueMs <= dueMs) return;
    clearTimeout(this.#timer);
    this.#timerDueMs = dueMs;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (!this.#writing) void this.#write();
    }, afterMs);
    this.#timer.unref();
  }

  /** One batch. Only one at a time: `#writing` is its promise. */
  #write(): Promise<void> {
    this.#writing = this.#writeBatch()
      .catch((error: unknown) => this.#fault(error))
      .finally(() => {
        this.#writing = undefined;
        if (this.#toWrite.size > 0 || this.#toRemove.length > 0) this.#schedule(WRITE_BEHIND_MS / 10);
      });
    return this.#writing;
  }

  async #writeBatch(): Promise<void> {
    if (this.#faultAtMs !== undefined) {
      if (performance.now() - this.#faultAtMs < RETRY_AFTER_FAULT_MS) return this.#keepInMemory();
      return await this.#rewrite();
    }
    if (this.#toWrite.size === 0 && this.#places.size === 0) return await this.#deleteFiles(this.#files.length);
    const diskBytes = this.#files.reduce((sum, { bytes }) => sum + bytes, 0);
    if (diskBytes > 1.5 * this.#liveBytes + 4 * this.#o.fileBytes) return await this.#rewrite();
    const messages = [...this.#toWrite.values()];
    const ids = this.#toRemove;
    this.#toWrite = new Map();
    this.#toRemove = [];
    const empty = this.#files.findIndex(({ live }) => live > 0);
    await this.#appendAll(messages, ids);
    if (empty > 0) await this.#deleteFiles(Math.min(empty, this.#files.length - 1));
  }

  /** All waiting messages into a new file, then the old files go: no gaps, no damage left. */
  async #rewrite(): Promise<void> {
    await mkdir(this.#o.folder, { recursive: true });
    await this.#closeHandle();
    const old = this.#files.length;
    const messages = [...this.#o.waiting()];
    this.#toWrite = new Map();
    this.#toRemove = [];
    this.#places.clear();
    this.#liveBytes = 0;
    for (const file of this.#files) file.live = 0;
    if (messages.length > 0) await this.#appendAll(messages, []);
    await this.#deleteFiles(old);
    if (this.#faultAtMs !== undefined) {
      this.#faultAtMs = undefined;
      this.#o.log.info({ folder: this.#o.folder }, 'the outbox can be written again');
    }
  }

  async #appendAll(messages: readonly OutboxMessage[], removedIds: readonly number[]): Promise<void> {
    // Places are given before the first await: a removal that comes while the disk works must find its message.
    const file = this.#currentFile();
    for (const message of messages) this.#settle(message.id, { file, bytes: messageBytes(message) });
    const handle = await this.#openFor(file);
    let pieces: Buffer[] = [];
    let size = 0;
    const put = async (): Promise<void> => {
      // A short write happens on a full disk only; the next attempt then says so.
      for (let rest = Buffer.concat(pieces); rest.length > 0; ) {
        const { bytesWritten } = await handle.write(rest);
        file.bytes += bytesWritten;
        rest = rest.subarray(bytesWritten);
      }
      pieces = [];
      size = 0;
    };
    for (const message of messages) {
      for (const piece of encodeRecord({ kind: 'message', message })) {
        pieces.push(piece);
        size += piece.length;
      }
      if (size > WRITE_BYTES) await put();
    }
    if (removedIds.length > 0) pieces.push(...encodeRecord({ kind: 'removal', ids: removedIds }));
    await put();
    await handle.datasync();
  }

  #settle(id: number, place: Place): void {
    this.#places.set(id, place);
    this.#liveBytes += place.bytes;
    place.file.live++;
  }

  /** The newest file while it is ours and has room, else a new one (not there yet on disk). */
  #currentFile(): SegmentFile {
    const last = this.#files.at(-1);
    if (last && this.#handle?.file === last && last.bytes < this.#o.fileBytes) return last;
    const name = `${String(this.#nextNumber++).padStart(10, '0')}.log`;
    const file: SegmentFile = { path: join(this.#o.folder, name), live: 0, bytes: 0 };
    this.#files.push(file);
    return file;
  }

  async #openFor(file: SegmentFile): Promise<FileHandle> {
    if (this.#handle?.file === file) return this.#handle.handle;
    await this.#closeHandle();
    const handle = await open(file.path, 'wx', 0o600);
    this.#handle = { file, handle };
    return handle;
  }

  /** Deletes the oldest `count` files. In order, for a removal may speak of any file before it. */
  async #deleteFiles(count: number): Promise<void> {
    if (count === this.#files.length) {
      await this.#closeHandle();
      this.#toRemove = [];
    }
    for (let left = count; left > 0; left--) {
      await rm(this.#files[0]!.path, { force: true }); // count ≤ length
      this.#files.shift();
    }
  }

  async #closeHandle(): Promise<void> {
    const open = this.#handle;
    this.#handle = undefined;
    // What was written is synced already, so a close that fails loses nothing.
    await open?.handle.close().catch(() => undefined);
  }

  #keepInMemory(): void {
    this.#toWrite = new Map();
    this.#toRemove = [];
  }

  #fault(error: unknown): void {
    this.#faultAtMs = performance.now();
    this.#keepInMemory();
    if (this.#faultLogged) return;
    this.#faultLogged = true;
    this.#o.log.warn(
      { folder: this.#o.folder, reason: error instanceof Error ? error.message : String(error) },
      'the outbox cannot be written; messages that wait for the broker live in memory and would be lost by a restart',
    );
  }
}
