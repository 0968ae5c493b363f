import { appendFileSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Outbox } from '../../../pipeline/mqtt/outbox.js';
import { OutboxFiles } from '../../../pipeline/mqtt/outbox-files.js';
import { OutboxQueue } from '../../../pipeline/mqtt/outbox-queue.js';
import {
  decodeRecords,
  encodeRecord,
  messageBytes,
  type OutboxMessage,
  type OutboxRecord,
} from '../../../pipeline/mqtt/outbox-record.js';
import { temporaryFolder } from './brokers.js';
import { recordingLog } from './recording-log.js';

const message = (id: number, more: Partial<OutboxMessage> = {}): OutboxMessage => ({
  id,
  topic: 'maskcast/gate/events',
  payload: Buffer.from(`payload ${id}`),
  retain: false,
  ...more,
});
const ids = (messages: Iterable<OutboxMessage>): number[] => [...messages].map(({ id }) => id);

const anyRecord: fc.Arbitrary<OutboxRecord> = fc.oneof(
  fc
    .record({
      id: fc.integer({ min: 0, max: 2 ** 47 }),
      topic: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }),
      payload: fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
      retain: fc.boolean(),
    })
    .map((one): OutboxRecord => ({ kind: 'message', message: one })),
  fc
    .array(fc.integer({ min: 0, max: 2 ** 47 }), { maxLength: 5 })
    .map((list): OutboxRecord => ({ kind: 'removal', ids: list })),
);

describe('records of the outbox', () => {
  it('come back as they were; a file cut anywhere gives exactly the records that are whole', () => {
    fc.assert(
      fc.property(fc.array(anyRecord, { maxLength: 8 }), fc.nat(), (records, cut) => {
        const encoded = records.map((record) => Buffer.concat(encodeRecord(record)));
        const bytes = Buffer.concat(encoded);
        const at = cut % (bytes.length + 1);
        let whole = 0;
        for (let end = 0; whole < encoded.length && end + encoded[whole]!.length <= at; whole++) {
          end += encoded[whole]!.length;
        }
        expect(decodeRecords(bytes)).toEqual({ records, damaged: 0, torn: 0 });
        const read = decodeRecords(bytes.subarray(0, at));
        expect(read.records).toEqual(records.slice(0, whole));
        expect(read.damaged).toBe(0);
      }),
      { seed: 1 },
    );
  });

  it('with one byte turned lose the record that it was in, and no other', () => {
    fc.assert(
      fc.property(fc.array(anyRecord, { minLength: 1, maxLength: 6 }), fc.nat(), (records, where) => {
        const encoded = records.map((record) => Buffer.concat(encodeRecord(record)));
        const bytes = Buffer.concat(encoded);
        const at = where % bytes.length;
        bytes[at]! ^= 0x55;
        let hit = 0;
        for (let end = encoded[0]!.length; end <= at; end += encoded[hit]!.length) hit++;
        expect(decodeRecords(bytes).records).toEqual(records.toSpliced(hit, 1));
      }),
      { seed: 2 },
    );
  });

  it('take as many bytes as messageBytes says', () => {
    const one = message(7, { topic: 'größe' });
    expect(Buffer.concat(encodeRecord({ kind: 'message', message: one })).length).toBe(messageBytes(one));
  });
});

describe('the queue of the outbox', () => {
  it('behaves as a plain list does, for any sequence of operations', () => {
    const operation = fc.oneof(
      fc.record({ op: fc.constant('push' as const), topic: fc.constantFrom('a', 'b'), retain: fc.boolean() }),
      fc.record({ op: fc.constant('next' as const) }),
      fc.record({ op: fc.constant('ack' as const), pick: fc.nat(10) }),
      fc.record({ op: fc.constant('rewind' as const) }),
    );
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 60 }), fc.integer({ min: 1, max: 6 }), (operations, maxMessages) => {
        const queue = new OutboxQueue({ maxMessages, maxBytes: 1e6 });
        let model: { message: OutboxMessage; out: boolean }[] = [];
        let id = 0;
        for (const one of operations) {
          if (one.op === 'push') {
            const fresh = message(++id, { topic: one.topic, retain: one.retain });
            queue.push(fresh);
            model = model.filter(
              (old) => old.out || !(one.retain && old.message.retain && old.message.topic === one.topic),
            );
            model.push({ message: fresh, out: false });
            if (model.length > maxMessages) model.shift();
          } else if (one.op === 'next') {
            const expected = model.find(({ out }) => !out);
            if (expected) expected.out = true;
            expect(queue.next()).toEqual(expected?.message);
          } else if (one.op === 'ack') {
            const sent = model.filter(({ out }) => out)[one.pick];
            if (!sent) continue;
            queue.remove(sent.message.id);
            model = model.filter((other) => other !== sent);
          } else {
            queue.rewind();
            for (const old of model) old.out = false;
          }
          expect(ids(queue.messages())).toEqual(model.map((old) => old.message.id));
          expect(queue.bytes).toBe(model.reduce((sum, old) => sum + messageBytes(old.message), 0));
          for (const topic of ['a', 'b']) {
            const lastRetained = model.findLast((old) => old.message.topic === topic && old.message.retain);
            if (lastRetained) expect(queue.holdsState(topic)).toBe(true);
          }
        }
      }),
      { seed: 3, numRuns: 500 },
    );
  });

  it('pushes out the oldest for size, and a message that alone is too large', () => {
    const bytes = messageBytes(message(1));
    const queue = new OutboxQueue({ maxMessages: 100, maxBytes: bytes * 2 });
    expect(queue.push(message(1)).dropped).toEqual([]);
    expect(queue.push(message(2)).dropped).toEqual([]);
    expect(ids(queue.push(message(3)).dropped)).toEqual([1]);
    expect(ids(queue.push(message(4, { payload: Buffer.alloc(bytes * 2) })).dropped)).toEqual([4]);
    expect(ids(queue.messages())).toEqual([2, 3]);
  });

  // Quadratic work would not be through before the runner's own limit.
  it('takes and gives 100 000 messages in order', () => {
    const queue = new OutboxQueue({ maxMessages: 1e6, maxBytes: 1e9 });
    for (let id = 1; id <= 100_000; id++) queue.push(message(id));
    for (let id = 1; id <= 100_000; id++) {
      expect(queue.next()?.id === id).toBe(true);
      queue.remove(id);
    }
    expect(queue.size).toBe(0);
  });
});

describe('the outbox on disk', () => {
  let folder: string;
  beforeEach(() => {
    folder = join(temporaryFolder(), 'outbox');
  });
  afterEach(() => {
    rmSync(join(folder, '..'), { recursive: true, force: true });
  });
  const openOutbox = (more: Partial<Parameters<typeof Outbox.open>[0]> = {}) =>
    Outbox.open({ folder, maxMessages: 10_000, maxBytes: 1e6, log: recordingLog().log, ...more });
  const push = (outbox: Outbox, text: string, more: Partial<OutboxMessage> = {}) =>
    outbox.push({ topic: 't', retain: false, payload: Buffer.from(text), ...more }, true);
  const drain = (outbox: Outbox): string[] => {
    const texts: string[] = [];
    for (let one = outbox.next(); one; one = outbox.next()) texts.push(one.payload.toString());
    return texts;
  };

  it('gives back what was published minus what was acknowledged, whatever happened and wherever the last file is cut', async () => {
    const operation = fc.oneof(
      { weight: 5, arbitrary: fc.record({ op: fc.constant('append' as const), size: fc.nat(200) }) },
      { weight: 4, arbitrary: fc.record({ op: fc.constant('remove' as const), pick: fc.nat(20) }) },
      { weight: 2, arbitrary: fc.record({ op: fc.constant('flush' as const) }) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { maxLength: 40 }), fc.nat(), async (operations, cut) => {
        rmSync(folder, { recursive: true, force: true });
        const waiting = new Map<number, OutboxMessage>();
        const log = recordingLog();
        const options = { folder, fileBytes: 300, log: log.log, waiting: () => waiting.values() };
        const files = new OutboxFiles(options);
        await files.recover();
        /** What another process would find now. */
        const readCopy = async (): Promise<OutboxMessage[]> => {
          const copy = `${folder}-copy`;
          rmSync(copy, { recursive: true, force: true });
          cpSync(folder, copy, { recursive: true });
          const reader = new OutboxFiles({ ...options, folder: copy, waiting: () => [] });
          const { messages } = await reader.recover();
          await reader.close();
          return messages;
        };
        let id = 0;
        const sinceFlush = { added: new Set<number>(), removed: new Set<number>() };
        for (const one of operations) {
          if (one.op === 'append') {
            const fresh = message(++id, { payload: Buffer.alloc(one.size, id) });
            waiting.set(id, fresh);
            sinceFlush.added.add(id);
            files.append(fresh, true);
          } else if (one.op === 'remove') {
            const gone = [...waiting.keys()][one.pick];
            if (gone === undefined) continue;
            waiting.delete(gone);
            sinceFlush.removed.add(gone);
            files.remove(gone);
          } else {
            await files.flush();
            sinceFlush.added.clear();
            sinceFlush.removed.clear();
            expect(ids(await readCopy())).toEqual([...waiting.keys()]);
            expect(await readCopy()).toEqual([...waiting.values()]);
          }
        }
        await files.flush();
        // The crash: the last batch reached the disk in part.
        const last = readdirSync(folder).sort().at(-1);
        const synced = sinceFlush.added.size + sinceFlush.removed.size === 0;
        if (last && !synced) {
          const content = readFileSync(join(folder, last));
          writeFileSync(join(folder, last), content.subarray(0, content.length - (cut % 64)));
        }
        const foundIds = ids(await readCopy());
        await files.close();
        expect(foundIds).toEqual(foundIds.toSorted((a, b) => a - b));
        expect(new Set(foundIds).size).toBe(foundIds.length);
        for (const one of foundIds) expect(waiting.has(one) || sinceFlush.removed.has(one)).toBe(true);
        if (synced) expect(foundIds).toEqual([...waiting.keys()]);
        expect(log.warnings()).toEqual([]);
      }),
      { seed: 4, numRuns: 60 },
    );
  });

  it('survives a restart in order, and leaves no file behind when nothing waits', async () => {
    const first = await openOutbox();
    for (let n = 0; n < 100; n++) push(first, `m${n}`);
    first.acknowledge(first.next()!.id);
    await first.close();
    const second = await openOutbox();
    push(second, 'later');
    const all = drain(second);
    expect(all).toEqual([...Array.from({ length: 99 }, (_, n) => `m${n + 1}`), 'later']);
    for (let id = 1; id <= 101; id++) second.acknowledge(id);
    await second.close();
    expect(readdirSync(folder)).toEqual([]);
    expect((await openOutbox()).waiting).toBe(0);
  });

  it('never writes what is acknowledged at once', async () => {
    const outbox = await openOutbox();
    outbox.push({ topic: 't', retain: false, payload: Buffer.from('x') }, false);
    outbox.acknowledge(outbox.next()!.id);
    await outbox.flush();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('keeps of a state only the last value, of events all', async () => {
    const outbox = await openOutbox();
    for (let n = 0; n < 3; n++) {
      push(outbox, `state ${n}`, { topic: 'gate/status', retain: true });
      push(outbox, `event ${n}`);
    }
    await outbox.close();
    expect(drain(await openOutbox())).toEqual(['event 0', 'event 1', 'state 2', 'event 2']);
  });

  it('bounded: the oldest go, counted, said once, and the disk stays bounded too', async () => {
    const lines = recordingLog();
    const outbox = await openOutbox({ maxMessages: 50, maxBytes: 100_000, log: lines.log });
    for (let n = 0; n < 2_000; n++) {
      push(outbox, `${n}`.padEnd(1000, '.'));
      push(outbox, 's'.repeat(1000), { topic: 'gate/snapshot', retain: true });
      if (n % 50 === 0) await outbox.flush();
    }
    await outbox.close();
    const bytes = readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
    expect(bytes).toBeLessThan(1.5 * 100_000 + 5 * 65_536 + 120_000);
    expect(outbox.dropped).toBe(2_000 - 49);
    expect(lines.warnings()).toHaveLength(1);
    const texts = drain(await openOutbox());
    expect(texts).toHaveLength(50);
    expect(texts.at(-2)).toMatch(/^1999\./);
  });

  it('writes the waiting messages anew when gaps fill the disk behind one that stays', async () => {
    const outbox = await openOutbox();
    push(outbox, 'stuck');
    for (let n = 0; n < 3_000; n++) {
      push(outbox, `${n}`.padEnd(1000, '.'), { topic: 'gate/snapshot', retain: true });
      if (n % 20 === 0) await outbox.flush();
    }
    await outbox.flush();
    const bytes = readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
    expect(bytes).toBeLessThan(6 * 65_536);
    await outbox.close();
    expect(drain(await openOutbox()).map((text) => text.slice(0, 5))).toEqual(['stuck', '2999.']);
  });

  it('reads a file that is damaged in the middle and torn at the end, and says so once', async () => {
    const first = await openOutbox();
    for (let n = 0; n < 5; n++) push(first, `message ${n}`);
    await first.close();
    const file = join(folder, readdirSync(folder)[0]!);
    const content = readFileSync(file);
    content[content.indexOf('message 2') + 3]! ^= 0xff;
    writeFileSync(file, content);
    appendFileSync(file, content.subarray(0, 20));
    writeFileSync(join(folder, '0000000000.log'), 'this is no outbox');
    const lines = recordingLog();
    const second = await openOutbox({ log: lines.log });
    expect(drain(second)).toEqual(['message 0', 'message 1', 'message 3', 'message 4']);
    expect(lines.warnings()).toHaveLength(1);
    await second.close();
  });

  it('a folder that cannot be: one warning, and messages wait in memory', async () => {
    mkdirSync(join(folder, '..'), { recursive: true });
    writeFileSync(folder, 'a file where the folder should be');
    const lines = recordingLog();
    const outbox = await openOutbox({ log: lines.log });
    for (let n = 0; n < 10; n++) {
      push(outbox, `m${n}`);
      await outbox.flush();
    }
    expect(lines.warnings()).toHaveLength(1);
    expect(drain(outbox)).toHaveLength(10);
    await outbox.close();
  });

  it('a disk that fails while writing: one warning, and nothing is lost in memory', async () => {
    const lines = recordingLog();
    const outbox = await openOutbox({ log: lines.log });
    // root may write where it has no right to; a folder that is gone stops everybody
    rmSync(folder, { recursive: true });
    push(outbox, 'a');
    await outbox.flush();
    push(outbox, 'b');
    await outbox.flush();
    expect(lines.warnings()).toHaveLength(1);
    expect(drain(outbox)).toEqual(['a', 'b']);
    await outbox.close();
  });
});
