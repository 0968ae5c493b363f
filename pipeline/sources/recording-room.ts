import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** As much as ffmpeg needs to begin a segment; a disk that takes less is full. */
const PROBE_BYTES = 256 * 1024;

/** What ffmpeg says when the disk, and not the camera, is the trouble. */
const DISK_FAILED = /No space left on device|Read-only file system|Disk quota exceeded|Failed to open segment/i;

/**
 * Tries whether a folder takes segments: makes it, writes a little and takes it away again.
 *
 * @returns why not, in words of the system; undefined when it does
 */
export async function recordingTrouble(folder: string): Promise<string | undefined> {
  const probe = join(folder, '.room');
  try {
    await mkdir(folder, { recursive: true });
    await writeFile(probe, Buffer.alloc(PROBE_BYTES));
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    await rm(probe, { force: true }).catch(() => undefined);
  }
}

/** Whether an ffmpeg ended because its segments could not be written. */
export const endedByDisk = (tail: readonly string[]): boolean => DISK_FAILED.test(tail.join('\n'));
