import { mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ClipMessage } from '../../../operators/types.js';
import { ClipLibrary, clipId, eventOf, listClips } from '../../../pipeline/recording/clip-library.js';
import { exists } from '../../support/numbered-video.js';

let data: string;
beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), 'maskcast-library-'));
});
afterEach(() => rm(data, { recursive: true, force: true }));

/** A clip of `bytes`, written so many seconds ago. */
async function store(clip: string, bytes: number, ageS: number): Promise<void> {
  const folder = join(data, 'clips/2026-11-24/gate', clip);
  await mkdir(folder, { recursive: true });
  const file = join(folder, 'clip.mp4');
  await writeFile(file, Buffer.alloc(bytes));
  await utimes(file, Date.now() / 1000 - ageS, Date.now() / 1000 - ageS);
}
const names = async (): Promise<string[]> => (await listClips(data)).map(({ clip }) => clip);

describe('the clip library', () => {
  it('deletes by age and total size, the oldest first, with a message each, and removes empty folders', async () => {
    await store('a', 100, 5000);
    await store('b', 100, 900);
    await store('c', 100, 800);
    await store('d', 100, 700);
    const gone: ClipMessage[] = [];
    const library = new ClipLibrary(data, { keep: 1000, maxSize: 250, minFree: 1 }, (message) => gone.push(message));
    await library.enforce();
    expect(await names()).toEqual(['c', 'd']);
    expect(gone.map(({ clip, state, camera }) => [clip, state, camera])).toEqual([
      ['a', 'deleted', 'gate'],
      ['b', 'deleted', 'gate'],
    ]);
    await new ClipLibrary(data, { keep: 60, maxSize: 1e9, minFree: 1 }, () => undefined).enforce();
    expect(await names()).toEqual([]);
    expect(await exists(join(data, 'clips/2026-11-24'))).toBe(false);
  });

  it('deletes for room on the disk, but refuses a new clip when that does not help', async () => {
    await store('a', 100, 10);
    const library = new ClipLibrary(data, { keep: 1000, maxSize: 1e9, minFree: 1e15 }, () => undefined);
    await expect(library.begin('new', 'gate', Date.UTC(2026, 10, 24))).rejects.toThrow(/clips\.minFree asks for/);
    expect(await names()).toEqual([]);
    expect(await exists(join(data, 'clips/2026-11-24'))).toBe(false);
  });

  it('lists a folder only once it has its name, and knows what it holds', async () => {
    const library = new ClipLibrary(data, { keep: 1000, maxSize: 1e9, minFree: 1 }, () => undefined);
    const folder = await library.begin('new', 'gate', Date.UTC(2026, 10, 24, 23, 59));
    await writeFile(join(folder, 'clip.mp4'), 'x');
    expect(await names()).toEqual([]);
    const stored = await library.commit(folder);
    expect(stored).toMatchObject({
      clip: 'new',
      camera: 'gate',
      bytes: 1,
      files: { clip: 'clips/2026-11-24/gate/new/clip.mp4' },
    });
    expect(await names()).toEqual(['new']);
  });

  it('makes ids that sort by time, name their event and are names of folders', () => {
    const id = clipId(Date.UTC(2026, 4, 1, 8, 15, 2, 40), 'gate-mb2k9c-17');
    expect(id).toBe('20260501T081502040Z-gate-mb2k9c-17');
    expect(eventOf(id)).toBe('gate-mb2k9c-17');
    expect(clipId(0, '../../x y')).toBe('19700101T000000000Z-______x_y');
  });
});
