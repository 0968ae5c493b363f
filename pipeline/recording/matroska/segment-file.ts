import { ebmlHeader, element, ID, openElement, readHead, readUint, readVint, uintElement, WALKED } from './ebml.js';

/** One track of a segment file. */
export interface SegmentTrack {
  readonly number: number;
  readonly kind: 'video' | 'audio' | 'other';
  /** Matroska's name, such as `V_MPEG4/ISO/AVC`. */
  readonly codec: string;
  /** Everything a decoder must know before the first packet; equal bytes mean that packets may be joined. */
  readonly signature: string;
}

/** One packet, in the order of the file, which is that of decoding. */
export interface SegmentPacket {
  readonly track: number;
  /** Milliseconds on the source's clock, whole. */
  readonly ptsMs: number;
  readonly key: boolean;
  /** Content of the Block or SimpleBlock that holds it. */
  readonly block: Uint8Array;
  /** What else its group says, such as an alpha plane. */
  readonly additions: readonly Uint8Array[];
  /** Timestamp that the element counts from, ms. */
  readonly clusterMs: number;
}

export interface SegmentFile {
  readonly tracks: readonly SegmentTrack[];
  readonly packets: readonly SegmentPacket[];
  /** Info and Tracks as they stand in the file. */
  readonly header: readonly Uint8Array[];
}

const MS_PER_TICK_NS = 1_000_000;

/**
 * Reads a Matroska segment: nothing is decoded and nothing copied, packets are views of `bytes`.
 *
 * @throws Error when it is not Matroska with ticks of 1 ms
 */
export function readSegmentFile(bytes: Uint8Array): SegmentFile {
  const tracks: SegmentTrack[] = [];
  const packets: SegmentPacket[] = [];
  const header: Uint8Array[] = [];
  let clusterMs = 0;
  if (readHead(bytes, 0)?.id !== ID.ebml) throw new Error('the segment is not a Matroska file');
  let at = 0;
  for (let head = readHead(bytes, at); head; head = readHead(bytes, at)) {
    const from = at + head.headBytes;
    const to = from + head.size;
    const group = head.id === ID.blockGroup;
    if (WALKED.has(head.id) && !group) {
      at = from;
      continue;
    }
    if (to > bytes.length) break; // the recorder was killed in the middle of this element
    const content = bytes.subarray(from, to);
    if (head.id === ID.info) {
      const ticks = children(content).find(({ id }) => id === ID.timestampScale);
      const scale = ticks ? readUint(ticks.content, 0, ticks.content.length) : MS_PER_TICK_NS;
      if (scale !== MS_PER_TICK_NS) throw new Error(`the segment has ticks of ${scale} ns; 1000000 are expected`);
      header.push(bytes.subarray(at, to));
    } else if (head.id === ID.tracks) {
      header.push(bytes.subarray(at, to));
      for (const { id, content: entry } of children(content)) if (id === ID.trackEntry) tracks.push(readTrack(entry));
    } else if (head.id === ID.timestamp) {
      clusterMs = readUint(content, 0, content.length);
    } else if (head.id === ID.simpleBlock || group) {
      const packet = readPacket(content, group, clusterMs);
      if (packet) packets.push(packet);
    }
    at = to;
  }
  return { tracks, packets, header };
}

/**
 * A Matroska file of chosen packets, in pieces: the header of `file`, then the packets under their own timestamps.
 *
 * @param durationsMs  of the pictures, by time; packets at other times get none
 */
export function* writeSegmentFile(
  file: Pick<SegmentFile, 'header'>,
  packets: Iterable<SegmentPacket>,
  durationsMs: ReadonlyMap<number, number> = new Map(),
): Generator<Uint8Array> {
  yield ebmlHeader();
  yield openElement(ID.segment);
  yield* file.header;
  let group: SegmentPacket[] = [];
  const flush = (): Buffer =>
    element(
      ID.cluster,
      uintElement(ID.timestamp, group[0]!.clusterMs),
      ...group.map((packet) => blockGroup(packet, durationsMs)),
    );
  for (const packet of packets) {
    if (group.length > 0 && group[0]!.clusterMs !== packet.clusterMs) {
      yield flush();
      group = [];
    }
    group.push(packet);
  }
  if (group.length > 0) yield flush();
}

function blockGroup(packet: SegmentPacket, durationsMs: ReadonlyMap<number, number>): Buffer {
  const duration = durationsMs.get(packet.ptsMs);
  return element(
    ID.blockGroup,
    element(ID.block, packet.block),
    ...(duration === undefined ? [] : [uintElement(ID.blockDuration, duration)]),
    ...(packet.key ? [] : [element(ID.referenceBlock, Buffer.from([0]))]), // it is there: no key frame
    ...packet.additions,
  );
}

function readPacket(content: Uint8Array, group: boolean, clusterMs: number): SegmentPacket | undefined {
  const parts = group ? children(content) : [];
  const block = group ? parts.find(({ id }) => id === ID.block)?.content : content;
  if (!block || block.length < 4) return undefined;
  const track = readVint(block, 0);
  const relative = (readUint(block, track.length, 2) << 16) >> 16; // signed, 16 bits
  const key = group ? !parts.some(({ id }) => id === ID.referenceBlock) : (block[track.length + 2]! & 0x80) !== 0;
  const written: readonly number[] = [ID.block, ID.blockDuration, ID.referenceBlock];
  const additions = parts.filter(({ id }) => !written.includes(id)).map(({ id, content }) => element(id, content));
  return { track: track.value, ptsMs: clusterMs + relative, key, block, additions, clusterMs };
}

function readTrack(entry: Uint8Array): SegmentTrack {
  const parts = children(entry);
  const of = (id: number): Uint8Array => parts.find((part) => part.id === id)?.content ?? new Uint8Array();
  const number = (id: number): number => readUint(of(id), 0, of(id).length);
  const video = children(of(ID.video));
  const side = (id: number): string => Buffer.from(video.find((part) => part.id === id)?.content ?? []).toString('hex');
  const codec = Buffer.from(of(ID.codecId)).toString('latin1');
  const type = number(ID.trackType);
  return {
    number: number(ID.trackNumber),
    kind: type === 1 ? 'video' : type === 2 ? 'audio' : 'other',
    codec,
    signature: [
      codec,
      Buffer.from(of(ID.codecPrivate)).toString('hex'),
      side(ID.pixelWidth),
      side(ID.pixelHeight),
    ].join(' '),
  };
}

function children(content: Uint8Array): { readonly id: number; readonly content: Uint8Array }[] {
  const found: { id: number; content: Uint8Array }[] = [];
  let at = 0;
  for (let head = readHead(content, at); head; head = readHead(content, at)) {
    const from = at + head.headBytes;
    if (from + head.size > content.length) break;
    found.push({ id: head.id, content: content.subarray(from, from + head.size) });
    at = from + head.size;
  }
  return found;
}
