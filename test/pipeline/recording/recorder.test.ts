import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ClipsConfig, RecordConfig } from '../../../config/schema.js';
import type { ClipMessage, Segment } from '../../../operators/types.js';
import { createLog } from '../../../pipeline/log.js';
import { clipId, listClips } from '../../../pipeline/recording/clip-library.js';
import { openRecorder, type Recorder } from '../../../pipeline/recording/recorder.js';
import { verifyClip } from '../../../pipeline/recording/verify-clip.js';
import { cutSegments, exists, writeNumberedVideo } from '../../support/numbered-video.js';
import { TRACK, trackEvent, trackedFrame } from './frames.js';

const size = { width: 160, height: 120 };
const record: RecordConfig = { preRoll: 1, postRoll: 1, maxLength: 60, annotate: true };
const limits: ClipsConfig = { keep: 864_000, maxSize: 1e9, minFree: 1e6 };

let root: string;
let source: string;
let data: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'maskcast-recorder-'));
  source = join(root, 'source.mkv');
  await writeNumberedVideo(source, {
    ...size,
    times: { rate: '10', count: 100 },
    encoder: ['-c:v', 'libx264', '-preset', 'veryfast', '-g', '10', '-bf', '2'],
  });
});
beforeEach(async () => {
  data = await mkdtemp(join(root, 'data-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

/** A recorder with all it said. */
function open(clips: Partial<ClipsConfig> = {}, dataFolder = data) {
  const recorder = openRecorder({
    dataFolder,
    cameras: { gate: record },
    clips: { ...limits, ...clips },
    model: { name: 'test' },
    log: createLog('silent'),
  });
  const messages: ClipMessage[] = [];
  const snapshots: Uint8Array[] = [];
  recorder.messages.subscribe((message) => messages.push(message));
  recorder.snapshots.subscribe(({ jpeg }) => snapshots.push(jpeg));
  return { recorder, messages, snapshots };
}

/** The whole video as a camera gives it, with one event each at the given seconds. */
async function play(recorder: Recorder, events: readonly number[] = [4], folder = recorder.segmentFolder('gate')) {
  const segments: Segment[] = await cutSegments(source, folder, {
    camera: 'gate',
    segmentS: 1,
    pts0Time: 1_700_000_000_000,
  });
  for (let i = 0; i < 100; i++) {
    const pts = i / 10;
    recorder.tracked(trackedFrame(i, pts, size));
    for (const [n, start] of events.entries()) {
      const event = events.length > 1 ? `gate-mb2k9c-${n + 1}` : TRACK;
      if (pts === start) recorder.event(trackEvent('start', start, { event, track: event }));
      if (pts === start + 2) recorder.event(trackEvent('end', start, { event, track: event, endPts: pts }));
    }
    for (const segment of segments) if (segment.endPts <= pts && segment.endPts > pts - 0.1) recorder.segment(segment);
  }
  recorder.epochEnded('gate', 0);
}

describe('the recorder', () => {
  it('makes a whole clip of an event, says so once, and leaves nothing else behind', async () => {
    const { recorder, messages, snapshots } = open();
    await play(recorder);
    expect(recorder.clipOf(TRACK)).toBe(clipId(1_700_000_004_000, TRACK));
    await recorder.drain();
    expect(messages.length).toBe(1);
    const [message] = messages as [ClipMessage];
    expect(message).toMatchObject({ camera: 'gate', clip: recorder.clipOf(TRACK), event: TRACK, state: 'ready' });
    expect(message.reason).toBeUndefined();
    expect(message.start).toBe(1_700_000_003_000);
    expect(message.duration).toBeCloseTo(4, 1);
    const folder = `clips/2023-11-14/gate/${message.clip}`;
    expect(message.files).toEqual({
      clip: `${folder}/clip.mp4`,
      annotated: `${folder}/annotated.mp4`,
      best: `${folder}/best.jpg`,
      tracks: `${folder}/tracks.json`,
    });
    expect((await readdir(join(data, folder))).sort()).toEqual([
      'annotated.mp4',
      'best.jpg',
      'clip.mp4',
      'tracks.json',
    ]);
    expect((await verifyClip(join(data, folder))).problems).toEqual([]);
    expect(Buffer.from(snapshots[0]!)).toEqual(await readFile(join(data, folder, 'best.jpg')));
    expect(recorder.stats()).toEqual({ open: 0, waiting: 0, ready: 1, failed: 0, deleted: 0 });
    await recorder.close();
    expect(await exists(join(data, 'segments', 'gate'))).toBe(false);
    expect(await readdir(join(data, 'clips/2023-11-14/gate'))).toEqual([message.clip]);
  });

  it('shows no clip before it is whole', async () => {
    const { recorder, messages } = open();
    await play(recorder);
    const drained = recorder.drain();
    let looks = 0;
    for (let done = false; !done; looks++) {
      done = await Promise.race([drained.then(() => true), new Promise<false>((r) => setImmediate(() => r(false)))]);
      for (const { files } of await listClips(data)) expect(Object.keys(files).length).toBe(4);
    }
    expect(looks).toBeGreaterThan(10);
    expect(messages.length).toBe(1);
    await recorder.close();
  });

  it('gives up what it cannot make in time, with a message for each, and leaves no half of a clip', async () => {
    const { recorder, messages } = open();
    await play(recorder, [2, 3, 4]);
    await recorder.drain(1);
    expect(messages.filter(({ state }) => state === 'failed').length).toBeGreaterThan(0);
    expect(messages.length).toBe(3);
    expect(messages.at(-1)!.reason).toMatch(/given up/);
    await recorder.close();
    const left = (await readdir(join(data, 'clips'), { recursive: true }).catch(() => [])).filter((name) =>
      name.includes('.tmp-'),
    );
    expect(left).toEqual([]);
  });

  it('removes what a crash left half done, and the segments of the run before', async () => {
    await mkdir(join(data, 'clips/2026-01-01/gate/.tmp-x'), { recursive: true });
    await mkdir(join(data, 'segments/gate'), { recursive: true });
    await writeFile(join(data, 'segments/gate/old.mkv'), 'x');
    const { recorder } = open();
    await recorder.drain();
    expect(await readdir(join(data, 'clips/2026-01-01/gate'))).toEqual([]);
    expect(await readdir(join(data, 'segments/gate'))).toEqual([]);
    await recorder.close();
  });

  it('deletes the oldest clips beyond the total size and says so', async () => {
    const { recorder, messages } = open({ maxSize: 1 });
    await play(recorder, [2, 5]);
    await recorder.drain();
    expect(messages.map(({ state, event }) => `${state} ${event}`)).toEqual([
      'ready gate-mb2k9c-1',
      'deleted gate-mb2k9c-1',
      'ready gate-mb2k9c-2',
    ]);
    expect(messages[1]).toMatchObject({ clip: messages[0]!.clip, start: messages[0]!.start, files: {} });
    expect((await listClips(data)).map(({ clip }) => clip)).toEqual([messages[2]!.clip]);
    await recorder.close();
  });

  it('says of an event without a recording that it has no clip', async () => {
    const { recorder, messages } = open();
    recorder.event(trackEvent('start', 1));
    recorder.epochEnded('gate', 0);
    await recorder.drain();
    expect(messages).toMatchObject([
      { state: 'failed', reason: 'nothing was recorded while the event was there', files: {} },
    ]);
    await recorder.close();
  });

  it('writes no clip when the disk has less room than asked for', async () => {
    const { recorder, messages } = open({ minFree: 1e15 });
    await play(recorder);
    await recorder.drain();
    expect(messages).toMatchObject([{ state: 'failed', files: {} }]);
    expect(messages[0]!.reason).toMatch(/free, clips\.minFree asks for 1000000000 MB/);
    expect(await listClips(data)).toEqual([]);
    await recorder.close();
  });

  it('goes on without a data folder that can be written, and records again when it is there', async () => {
    const blocked = join(data, 'blocked');
    await writeFile(blocked, 'a file where the folder should be');
    const { recorder, messages } = open({}, blocked);
    const elsewhere = await mkdtemp(join(data, 'segments-'));
    await play(recorder, [2], elsewhere);
    await recorder.drain();
    expect(messages).toMatchObject([{ state: 'failed' }]);
    expect(messages[0]!.reason).toMatch(/ENOTDIR|EEXIST/);
    await rm(blocked);
    await mkdir(blocked);
    await play(recorder, [4], elsewhere);
    await recorder.drain();
    expect(messages.map(({ state }) => state)).toEqual(['failed', 'ready']);
    await recorder.close();
  });

  it('survives a disk that is full in the middle of a clip, and records again when there is room', async (ctx) => {
    const disk = join(data, 'disk');
    await mkdir(disk);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=400k', 'tmpfs', disk], { stdio: 'ignore' });
    } catch {
      console.warn('SKIPPED: a tiny file system cannot be mounted by this user');
      return ctx.skip();
    }
    try {
      const { recorder, messages } = open({ minFree: 1 }, disk);
      const elsewhere = await mkdtemp(join(data, 'segments-'));
      await writeFile(join(disk, 'ballast'), Buffer.alloc(400_000));
      await play(recorder, [2], elsewhere);
      await recorder.drain();
      expect(messages).toMatchObject([{ state: 'failed' }]);
      expect(messages[0]!.reason).toMatch(/No space left|ENOSPC/);
      expect(await listClips(disk)).toEqual([]);
      await rm(join(disk, 'ballast'));
      await play(recorder, [4], elsewhere);
      await recorder.drain();
      expect(messages.map(({ state }) => state)).toEqual(['failed', 'ready']);
      await recorder.close();
    } finally {
      execFileSync('umount', [disk]);
    }
  });
});
