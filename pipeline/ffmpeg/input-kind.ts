import { statSync } from 'node:fs';

/** What a `source` of the configuration is. */
export type SourceKind = 'rtsp' | 'http' | 'file' | 'images' | 'device';

/**
 * Kind of a source by its form; only a path that is a folder is looked up on disk.
 * A name with a colon that is no known scheme is a file: `12:30:05 gate.mp4`.
 */
export function sourceKind(source: string): SourceKind {
  if (/^rtsps?:\/\//i.test(source)) return 'rtsp';
  if (/^https?:\/\//i.test(source)) return 'http';
  if (/^\/dev\/video\d+$/.test(source) || /^(avfoundation|dshow):/.test(source)) return 'device';
  return statSync(source, { throwIfNoEntry: false })?.isDirectory() ? 'images' : 'file';
}
