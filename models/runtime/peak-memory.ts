import { readFileSync } from 'node:fs';

/**
 * Largest resident memory of this process so far, bytes. Not `resourceUsage().maxRSS` where it can be helped: on Linux that
 * starts at the memory of whoever started the process (getrusage(2) keeps it through exec), a benchmark's gigabytes for one.
 */
export function peakMemory(): number {
  const own = process.platform === 'linux' ? /^VmHWM:\s+(\d+) kB/m.exec(statusText()) : undefined;
  return 1024 * (own ? Number(own[1]) : process.resourceUsage().maxRSS);
}

function statusText(): string {
  try {
    return readFileSync('/proc/self/status', 'utf8');
  } catch {
    return ''; // A sandbox without /proc.
  }
}
