import { mkdir, readdir, rename, rm, rmdir, stat, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ClipsConfig } from '../../config/schema.js';
import type { ClipMessage } from '../../operators/types.js';
import { CLIP_FILES, syncToDisk } from './make-clip.js';
import { readSidecar } from './sidecar.js';

/** A clip on the disk. */
export interface StoredClip {
  readonly clip: string;
  readonly camera: string;
  /** Folder, relative to the data folder, with `/`. */
  readonly folder: string;
  readonly files: ClipMessage['files'];
  readonly bytes: number;
  /** UTC ms when it was written. */
  readonly writtenMs: number;
}

/** Folders of clips that are not whole (any more) begin like this; a leading dot, so that nobody takes them for clips. */
const TEMPORARY = '.tmp-';

/** Id of the clip of an event that began at `startMs`: it sorts by time and names its event. */
export function clipId(startMs: number, event: string): string {
  const stamp = new Date(startMs).toISOString().replace(/[-:.]/g, '');
  return `${stamp}-${event.replace(/[^A-Za-z0-9_-]/g, '_')}`;
}

/** Event of a clip, from its id. */
export function eventOf(clip: string): string {
  return clip.slice(clip.indexOf('-') + 1);
}

/** All clips below a data folder, the one written first at the front. An absent folder holds none. */
export async function listClips(dataFolder: string): Promise<StoredClip[]> {
  const found: StoredClip[] = [];
  for (const { date, camera, name } of await clipFolders(dataFolder)) {
    if (name.startsWith(TEMPORARY)) continue;
    const folder = ['clips', date, camera, name].join('/');
    const files: Record<string, string> = {};
    let bytes = 0;
    let writtenMs = 0;
    for (const [key, file] of Object.entries(CLIP_FILES)) {
      const info = await stat(join(dataFolder, folder, file)).catch(() => undefined);
      if (!info) continue;
      files[key] = `${folder}/${file}`;
      bytes += info.size;
      writtenMs = Math.max(writtenMs, info.mtimeMs);
    }
    if (Object.keys(files).length > 0) found.push({ clip: name, camera, folder, files, bytes, writtenMs });
  }
  return found.sort((a, b) => a.writtenMs - b.writtenMs);
}

async function clipFolders(dataFolder: string): Promise<{ date: string; camera: string; name: string }[]> {
  const names = async (...parts: string[]): Promise<string[]> => {
    const entries = await readdir(join(dataFolder, 'clips', ...parts), { withFileTypes: true }).catch(() => []);
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  };
  const folders: { date: string; camera: string; name: string }[] = [];
  for (const date of await names()) {
    if (!/^\d{4}-\d\d-\d\d$/.test(date)) continue;
    for (const camera of await names(date)) {
      for (const name of await names(date, camera)) folders.push({ date, camera, name });
    }
  }
  return folders;
}

/**
 * The clips of a data folder: makes room, takes new ones in whole, and deletes old ones by age, total size and free space.
 * Calls must not overlap.
 */
export class ClipLibrary {
  readonly #dataFolder: string;
  readonly #limits: ClipsConfig;
  readonly #onDeleted: (clip: ClipMessage) => void;
  #clips: StoredClip[] | undefined;

  constructor(dataFolder: string, limits: ClipsConfig, onDeleted: (clip: ClipMessage) => void) {
    this.#dataFolder = dataFolder;
    this.#limits = limits;
    this.#onDeleted = onDeleted;
  }

  /** Removes what a crash left half done. */
  async sweep(): Promise<void> {
    for (const { date, camera, name } of await clipFolders(this.#dataFolder)) {
      if (name.startsWith(TEMPORARY)) {
        await rm(join(this.#dataFolder, 'clips', date, camera, name), { recursive: true, force: true });
      }
    }
  }

  /**
   * A folder for the files of a new clip, under a temporary name.
   *
   * @throws Error when the disk has too little room, also after the oldest clips have gone, or may not be written
   */
  async begin(clip: string, camera: string, startMs: number): Promise<string> {
    const date = new Date(startMs).toISOString().slice(0, 10);
    const folder = join(this.#dataFolder, 'clips', date, camera, TEMPORARY + clip);
    await mkdir(folder, { recursive: true });
    await this.enforce();
    const free = await this.#free();
    if (free < this.#limits.minFree) {
      await this.abandon(folder);
      throw new Error(
        `the disk of ${this.#dataFolder} has ${megabytes(free)} free, clips.minFree asks for ${megabytes(this.#limits.minFree)}; ` +
          'make room or lower it',
      );
    }
    return folder;
  }

  /** Gives a finished clip its name. */
  async commit(temporary: string): Promise<StoredClip> {
    const parent = dirname(temporary);
    const clip = temporary.slice(join(parent, TEMPORARY).length);
    await rename(temporary, join(parent, clip));
    await syncToDisk(parent);
    const camera = parent.split(/[\\/]/).at(-1)!;
    const folder = ['clips', parent.split(/[\\/]/).at(-2)!, camera, clip].join('/');
    const files: Record<string, string> = {};
    let bytes = 0;
    for (const [key, file] of Object.entries(CLIP_FILES)) {
      const info = await stat(join(parent, clip, file)).catch(() => undefined);
      if (!info) continue;
      files[key] = `${folder}/${file}`;
      bytes += info.size;
    }
    const stored = { clip, camera, folder, files, bytes, writtenMs: Date.now() };
    (await this.#known()).push(stored);
    await this.enforce(clip);
    return stored;
  }

  /** Removes a clip that did not come about. */
  async abandon(temporary: string): Promise<void> {
    await rm(temporary, { recursive: true, force: true }).catch(() => undefined);
    await this.#removeEmpty(dirname(temporary));
  }

  /**
   * Deletes the oldest clips until age, total size and free space are as configured.
   *
   * @param spare  clip that stays in any case
   */
  async enforce(spare?: string): Promise<void> {
    const clips = await this.#known();
    const { keep, maxSize, minFree } = this.#limits;
    let total = clips.reduce((sum, { bytes }) => sum + bytes, 0);
    for (const stored of [...clips]) {
      const tooOld = Date.now() - stored.writtenMs > keep * 1000;
      if (!tooOld && total <= maxSize && (await this.#free()) >= minFree) break;
      if (stored.clip === spare) continue;
      await this.#delete(stored);
      total -= stored.bytes;
      clips.splice(clips.indexOf(stored), 1);
    }
  }

  async #delete(stored: StoredClip): Promise<void> {
    const path = join(this.#dataFolder, stored.folder);
    const sidecar = await readSidecar(join(path, CLIP_FILES.tracks)).catch(() => undefined);
    const start = sidecar ? Date.parse(sidecar.start) : stored.writtenMs;
    const end = sidecar ? Date.parse(sidecar.end) : stored.writtenMs;
    // First out of sight, then gone: a reader never meets half a clip.
    const doomed = join(dirname(path), TEMPORARY + stored.clip);
    await rename(path, doomed).catch(() => undefined); // somebody else was faster
    await rm(doomed, { recursive: true, force: true });
    await this.#removeEmpty(dirname(path));
    this.#onDeleted({
      camera: stored.camera,
      clip: stored.clip,
      event: sidecar?.event ?? eventOf(stored.clip),
      state: 'deleted',
      start,
      end,
      duration: (end - start) / 1000,
      files: {},
    });
  }

  async #removeEmpty(cameraFolder: string): Promise<void> {
    await rmdir(cameraFolder)
      .then(() => rmdir(dirname(cameraFolder)))
      .catch(() => undefined); // other clips are in it
  }

  async #known(): Promise<StoredClip[]> {
    this.#clips ??= await listClips(this.#dataFolder);
    return this.#clips;
  }

  async #free(): Promise<number> {
    const { bavail, bsize } = await statfs(this.#dataFolder);
    return bavail * bsize;
  }
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1e6)} MB`;
}
