import type { Size } from '../../../operators/types.js';
import {
  ebmlHeader,
  element,
  elementHead,
  ID,
  MAX_HEAD_BYTES,
  openElement,
  readHead,
  readUint,
  readVint,
  textElement,
  uintElement,
  WALKED,
} from './ebml.js';

/**
 * Raw pictures with their times through a pipe, to and from ffmpeg. Matroska, because its ticks of 1 ms are those of
 * the segments, so that no time is ever rounded a second time.
 */

/** One raw picture; `bytes` is planar yuv420p of its size without gaps. */
export interface RawPicture {
  readonly ptsMs: number;
  readonly bytes: Buffer;
}

/** Reads what `ffmpeg -c:v rawvideo -f matroska -` writes. Every picture has a buffer of its own. */
export async function* readRawVideo(stream: AsyncIterable<Buffer>): AsyncGenerator<RawPicture> {
  const input = new PullReader(stream);
  let clusterMs = 0;
  for (;;) {
    const bytes = await input.peek(MAX_HEAD_BYTES);
    const head = readHead(bytes, 0);
    if (!head) return;
    await input.take(head.headBytes);
    if (WALKED.has(head.id)) continue;
    if (head.id !== ID.timestamp && head.id !== ID.simpleBlock && head.id !== ID.block) {
      await input.skip(head.size);
      continue;
    }
    const content = await input.take(head.size);
    if (content.length < head.size) return; // the decoder was killed
    if (head.id === ID.timestamp) clusterMs = readUint(content, 0, content.length);
    else {
      const track = readVint(content, 0);
      yield { ptsMs: clusterMs + content.readInt16BE(track.length), bytes: content.subarray(track.length + 3) };
    }
  }
}

/** The beginning of a stream of raw yuv420p pictures; then each picture as `rawPicture` gives it. */
export function rawVideoHeader({ width, height }: Size): Buffer {
  return Buffer.concat([
    ebmlHeader(),
    openElement(ID.segment),
    element(ID.info, uintElement(ID.timestampScale, 1_000_000)),
    element(
      ID.tracks,
      element(
        ID.trackEntry,
        uintElement(ID.trackNumber, 1),
        uintElement(ID.trackUid, 1),
        uintElement(ID.trackType, 1),
        textElement(ID.codecId, 'V_UNCOMPRESSED'),
        element(
          ID.video,
          uintElement(ID.pixelWidth, width),
          uintElement(ID.pixelHeight, height),
          textElement(ID.colourSpace, 'I420'),
        ),
      ),
    ),
  ]);
}

/** What goes before the bytes of a picture of `size` bytes. */
export function rawPictureHead(ptsMs: number, size: number): Buffer {
  const timestamp = uintElement(ID.timestamp, ptsMs);
  const blockHead = Buffer.from([0x81, 0, 0, 0x80]); // track 1, at the cluster's time, key frame
  const block = Buffer.concat([elementHead(ID.simpleBlock, blockHead.length + size), blockHead]);
  return Buffer.concat([elementHead(ID.cluster, timestamp.length + block.length + size), timestamp, block]);
}

/** Takes any number of bytes from a stream of chunks. */
class PullReader {
  readonly #chunks: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(stream: AsyncIterable<Buffer>) {
    this.#chunks = stream[Symbol.asyncIterator]();
  }

  /** The next bytes without taking them; fewer at the end. */
  async peek(count: number): Promise<Buffer> {
    while (this.#rest.length < count) {
      const next = await this.#chunks.next();
      if (next.done) break;
      this.#rest = Buffer.concat([this.#rest, next.value]);
    }
    return this.#rest.subarray(0, count);
  }

  /** The next bytes, in a buffer of their own when they are many; fewer at the end. */
  async take(count: number): Promise<Buffer> {
    if (count <= this.#rest.length) {
      const taken = this.#rest.subarray(0, count);
      this.#rest = this.#rest.subarray(count);
      return taken;
    }
    const taken = Buffer.allocUnsafe(count);
    let filled = this.#rest.copy(taken);
    this.#rest = Buffer.alloc(0);
    while (filled < count) {
      const next = await this.#chunks.next();
      if (next.done) return taken.subarray(0, filled);
      const used = next.value.copy(taken, filled);
      filled += used;
      this.#rest = next.value.subarray(used);
    }
    return taken;
  }

  /** Passes over bytes; Infinity passes over all that comes. */
  async skip(count: number): Promise<void> {
    for (let left = count; left > 0; ) {
      if (this.#rest.length === 0) {
        const next = await this.#chunks.next();
        if (next.done) return;
        this.#rest = next.value;
      }
      const used = Math.min(left, this.#rest.length);
      this.#rest = this.#rest.subarray(used);
      left -= used;
    }
  }
}
