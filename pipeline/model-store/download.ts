import { open, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { InputError } from '../../config/errors.js';
import { redactUrl } from '../log.js';

export interface DownloadOptions {
  /** Bytes so far and in all; undefined when the server does not say. */
  readonly onProgress?: (bytes: number, total: number | undefined) => void;
  /** Pause before a broken transfer goes on, ms; doubled after each try that brought nothing. Default 1000. */
  readonly pauseMs?: number;
  /** A server that sends nothing for so long is given up, ms. Default 30000. */
  readonly silenceMs?: number;
}

/** Tries in a row that may bring nothing new. */
const FRUITLESS_TRIES = 3;

/**
 * Fetches `url` into `part`, going on where an earlier try broke off (RFC 9110, ranges) as long as the server still has
 * the same version. What arrived stays when it fails, so that the next call need not begin anew.
 *
 * @throws InputError when the address is at fault; Error when the transfer failed or the disk is full
 */
export async function download(url: string, part: string, options: DownloadOptions = {}): Promise<void> {
  const { pauseMs = 1000 } = options;
  let fruitless = 0;
  for (;;) {
    const before = await sizeOf(part);
    let reason: string;
    try {
      await transfer(url, part, options);
      await rm(tagFile(part), { force: true });
      return;
    } catch (cause) {
      if (!(cause instanceof Broken)) throw cause;
      reason = cause.message;
    }
    const got = await sizeOf(part);
    fruitless = got > before ? 0 : fruitless + 1;
    if (fruitless >= FRUITLESS_TRIES) {
      throw new Error(
        `${redactUrl(url)}: the transfer broke off ${FRUITLESS_TRIES} times without anything new (${reason}); ${got} bytes are kept, the same command goes on from there`,
      );
    }
    await sleep(pauseMs * 2 ** fruitless);
  }
}

/** The transfer stopped early; another try may go on. */
class Broken extends Error {}

async function transfer(url: string, part: string, { onProgress, silenceMs = 30_000 }: DownloadOptions): Promise<void> {
  const had = await sizeOf(part);
  const version = had > 0 ? await readFile(tagFile(part), 'utf8').catch(() => '') : '';
  const abort = new AbortController();
  let watch = setTimeout(() => abort.abort(), silenceMs);
  const stillAlive = (): void => {
    clearTimeout(watch);
    watch = setTimeout(() => abort.abort(), silenceMs);
  };
  try {
    const { address, authorization } = withoutCredentials(url);
    const response = await fetch(address, {
      signal: abort.signal,
      // Bytes as they lie there: a packed transfer has no ranges that mean anything to us.
      headers: {
        'accept-encoding': 'identity',
        ...(authorization && { authorization }),
        // Without a version nobody can tell whether the rest belongs to what is here, so all of it is fetched again.
        ...(version && { range: `bytes=${had}-`, 'if-range': version }),
      },
    }).catch((cause: unknown) => {
      throw new Broken(abort.signal.aborted ? `nothing came for ${silenceMs / 1000} s` : reasonOf(cause));
    });
    const start = startOf(response, had, url);
    const length = response.headers.get('content-length');
    const total = length === null ? undefined : start + Number(length);
    if (start === 0)
      await writeFile(tagFile(part), response.headers.get('etag') ?? response.headers.get('last-modified') ?? '');
    const handle = await open(part, start === 0 ? 'w' : 'r+').catch(diskTrouble(part));
    let at = start;
    try {
      onProgress?.(at, total);
      for await (const chunk of chunks(response, abort.signal, silenceMs)) {
        stillAlive();
        await handle.write(chunk, 0, chunk.length, at).catch(diskTrouble(part));
        at += chunk.length;
        onProgress?.(at, total);
      }
      await handle.truncate(at);
    } finally {
      await handle.close();
    }
    if (total !== undefined && at !== total) throw new Broken(`${at} of ${total} bytes came`);
  } finally {
    clearTimeout(watch);
  }
}

/** First byte of the answer's body within the whole. */
function startOf(response: Response, had: number, url: string): number {
  const { status } = response;
  if (status === 200) return 0;
  if (status === 206) {
    const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers.get('content-range') ?? '');
    if (Number(range?.[1]) === had) return had;
    throw new Error(
      `${redactUrl(url)}: the server answers a range with another one than was asked for; fetch the file by hand`,
    );
  }
  if (status === 408 || status === 429 || status >= 500) throw new Broken(`HTTP ${status} ${response.statusText}`);
  throw new InputError(
    `${redactUrl(url)}: HTTP ${status} ${response.statusText}; give the address of an ONNX file that can be read without a browser`,
  );
}

async function* chunks(response: Response, signal: AbortSignal, silenceMs: number): AsyncGenerator<Uint8Array> {
  if (!response.body) return;
  const reader = response.body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((cause: unknown) => {
        throw new Broken(signal.aborted ? `nothing came for ${silenceMs / 1000} s` : reasonOf(cause));
      });
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => undefined); // it has ended, or its connection has
  }
}

/** fetch refuses an address with a name and password in it, and shows it in its message. */
function withoutCredentials(url: string): { address: URL; authorization: string | undefined } {
  const address = new URL(url);
  const { username, password } = address;
  address.username = address.password = '';
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { address, authorization: username ? `Basic ${Buffer.from(pair).toString('base64')}` : undefined };
}

const tagFile = (part: string): string => `${part}.version`;

async function sizeOf(file: string): Promise<number> {
  return await stat(file).then(
    ({ size }) => size,
    () => 0,
  );
}

const diskTrouble =
  (file: string) =>
  (cause: NodeJS.ErrnoException): never => {
    const full = cause.code === 'ENOSPC' || cause.code === 'EDQUOT';
    throw new Error(
      `${file}: cannot be written (${full ? 'the disk is full' : cause.code}); ${full ? 'make room' : 'see to the folder'} and run the same command, which goes on from there`,
      { cause },
    );
  };

/** fetch hides what happened in `cause`. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return cause instanceof Error ? cause.message || String((cause as NodeJS.ErrnoException).code) : String(cause);
}
