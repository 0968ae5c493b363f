import type { SegmentFile, SegmentPacket } from './matroska/segment-file.js';

/** Codecs of Matroska whose packets MP4 holds and ffmpeg's muxer takes. */
const VIDEO_IN_MP4 = /^V_(MPEG4\/ISO\/(AVC|ASP|SP|AP)|MPEGH\/ISO\/HEVC|AV1|VP9|MPEG2|MPEG1|MJPEG)$/;
const AUDIO_IN_MP4 = /^A_(AAC.*|MPEG\/L3|AC3|EAC3|OPUS|ALAC|FLAC)$/;

/** The packets of one clip. */
export interface Cut {
  /** File whose header the packets go with. */
  readonly header: SegmentFile['header'];
  /** In order of decoding, over all segments. */
  readonly packets: readonly SegmentPacket[];
  /** Source times of the pictures, ms, rising; the first one is a key frame. */
  readonly picturesMs: readonly number[];
  readonly codec: string;
  /** False when MP4 cannot hold the pictures as they are. */
  readonly copyable: boolean;
}

/**
 * Chooses the packets of a clip: from the key frame at or before `fromMs` to the last picture before `toMs`. Nothing is
 * hidden: a clip begins with a picture that can be decoded and shows all it holds, whatever a player thinks of edit lists.
 * Pictures before that key frame which come after it in the file (open GOP) need what is not there, and are left out.
 * At the end, pictures go along that come before `toMs` in order of decoding, until there is no hole in order of showing.
 *
 * @param files     in order of time; those whose codec, parameters or size differ from the one at `anchorMs` are left out
 *                  from there on
 * @param anchorMs  a time that the clip is about
 * @returns undefined when no picture can be shown
 */
export function cutClip(
  files: readonly SegmentFile[],
  fromMs: number,
  toMs: number,
  anchorMs: number,
): Cut | undefined {
  const alike = filesAlike(files, anchorMs);
  const first = alike[0];
  const video = first?.tracks.find(({ kind }) => kind === 'video');
  if (!first || !video) return undefined;
  const isVideo = (packet: SegmentPacket): boolean => packet.track === video.number;
  const all = alike.flatMap(({ packets }) => packets);

  const keys = all.filter((packet) => isVideo(packet) && packet.key);
  const startKey = keys.findLast(({ ptsMs }) => ptsMs <= fromMs) ?? keys[0];
  if (!startKey) return undefined;
  const startMs = startKey.ptsMs;
  const fromKey = all.slice(all.indexOf(startKey)).filter(({ ptsMs }) => ptsMs >= startMs);

  const end = endOfPictures(
    fromKey.map((packet) => (isVideo(packet) ? packet.ptsMs : undefined)),
    toMs,
  );
  const pictures = fromKey.slice(0, end).filter(isVideo);
  const picturesMs = pictures.map(({ ptsMs }) => ptsMs).sort((a, b) => a - b);
  const audible = new Set(
    first.tracks.filter(({ kind, codec }) => kind === 'audio' && AUDIO_IN_MP4.test(codec)).map(({ number }) => number),
  );
  const lastMs = picturesMs.at(-1)!;
  const kept = new Set(pictures);
  return {
    header: first.header,
    packets: fromKey.filter((packet) => kept.has(packet) || (audible.has(packet.track) && packet.ptsMs <= lastMs)),
    picturesMs,
    codec: video.codec,
    copyable: VIDEO_IN_MP4.test(video.codec),
  };
}

/** The files around the one at `anchorMs` whose packets can follow each other under one header. */
function filesAlike(files: readonly SegmentFile[], anchorMs: number): readonly SegmentFile[] {
  const startOf = ({ packets }: SegmentFile): number => packets[0]?.ptsMs ?? Number.POSITIVE_INFINITY;
  const signature = (file: SegmentFile | undefined): string =>
    file?.tracks.map(({ kind, signature }) => `${kind} ${signature}`).join(', ') ?? '';
  const anchor = Math.max(
    0,
    files.findLastIndex((file) => startOf(file) <= anchorMs),
  );
  const wanted = signature(files[anchor]);
  let from = anchor;
  while (from > 0 && signature(files[from - 1]) === wanted) from--;
  let to = anchor + 1;
  while (to < files.length && signature(files[to]) === wanted) to++;
  return files.slice(from, to);
}

/**
 * How many packets to keep: all pictures before `toMs`, and then as few as leave no hole, that is until the latest one
 * kept is shown before the earliest one left out.
 *
 * @param times  of the pictures, in order of decoding; undefined for packets of sound
 */
function endOfPictures(times: readonly (number | undefined)[], toMs: number): number {
  const earliestFrom = new Float64Array(times.length + 1).fill(Number.POSITIVE_INFINITY);
  for (let i = times.length - 1; i >= 0; i--) {
    earliestFrom[i] = Math.min(earliestFrom[i + 1]!, times[i] ?? Number.POSITIVE_INFINITY);
  }
  let latest = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < times.length; i++) {
    if (latest > Number.NEGATIVE_INFINITY && earliestFrom[i]! >= toMs && latest < earliestFrom[i]!) return i;
    latest = Math.max(latest, times[i] ?? latest);
  }
  return times.length;
}
