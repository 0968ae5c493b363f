import { destination, type Logger, pino, stdTimeFunctions } from 'pino';
import pretty from 'pino-pretty';

/** Structured logger: `log.info({ camera }, 'sentence')`. Everything goes to stderr. */
export type Log = Logger;

/** Human-readable on a terminal, JSON lines otherwise. Never hand it a URL with credentials: see `redactUrl`. */
export function createLog(level: 'error' | 'warn' | 'info' | 'debug' | 'silent' = 'info'): Log {
  const stream = process.stderr.isTTY
    ? pretty({ destination: 2, sync: true, ignore: 'pid,hostname', translateTime: 'HH:MM:ss', colorize: true })
    : destination({ fd: 2, sync: true });
  return pino({ level, base: null, timestamp: stdTimeFunctions.isoTime }, stream);
}

/** `rtsp://user:secret@host/x?password=p` → `rtsp://host/x?password=***`: what may be shown of a source or broker. */
export function redactUrl(url: string): string {
  return url
    .replace(/(\w+:\/\/)[^/?#\s]*@/g, '$1')
    .replace(/([?&](?:pass(?:word)?|pwd|token|key|auth|secret)=)[^&\s]*/gi, '$1***');
}
