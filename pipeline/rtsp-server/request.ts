/** One RTSP request (RFC 2326 §6); header names in lower case. */
export interface RtspRequest {
  readonly kind: 'request';
  readonly method: string;
  readonly uri: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
}

/** What a client's byte stream holds: requests and, once it plays over TCP, binary frames (§10.12), mostly RTCP. */
export type ClientItem =
  | RtspRequest
  | { readonly kind: 'interleaved'; readonly channel: number; readonly payload: Buffer }
  | { readonly kind: 'malformed'; readonly reason: string };

/** Far above any real request, far below what would hurt. */
const maxHeadBytes = 16 * 1024;
const maxBodyBytes = 64 * 1024;
const dollar = 0x24;

/**
 * Cuts a client's byte stream into requests and interleaved frames. Any chunking of the same bytes gives the same
 * items. After `malformed` the stream has no known boundary any more: the parser stays silent, the caller closes.
 */
export class RequestParser {
  #rest: Buffer = Buffer.alloc(0);
  #broken = false;

  push(chunk: Uint8Array): ClientItem[] {
    const items: ClientItem[] = [];
    if (this.#broken) return items;
    this.#rest = this.#rest.length ? Buffer.concat([this.#rest, chunk]) : Buffer.from(chunk);
    for (;;) {
      const step = takeItem(this.#rest);
      if (!step) return items;
      this.#rest = this.#rest.subarray(step.used);
      if (step.item) items.push(step.item);
      if (step.item?.kind === 'malformed') {
        this.#broken = true;
        this.#rest = Buffer.alloc(0);
        return items;
      }
    }
  }
}

interface Step {
  readonly used: number;
  readonly item?: ClientItem;
}

function malformed(reason: string): Step {
  return { used: 0, item: { kind: 'malformed', reason } };
}

/** The item at the start of `bytes`, or undefined while it is incomplete. */
function takeItem(bytes: Buffer): Step | undefined {
  if (bytes.length === 0) return undefined;
  if (bytes[0] === dollar) {
    if (bytes.length < 4) return undefined;
    const end = 4 + bytes.readUInt16BE(2);
    if (bytes.length < end) return undefined;
    return {
      used: end,
      item: { kind: 'interleaved', channel: bytes[1]!, payload: Buffer.from(bytes.subarray(4, end)) },
    };
  }
  // Empty lines between requests are tolerated, as RFC 7230 §3.5 asks for HTTP.
  if (bytes[0] === 0x0a) return { used: 1 };
  if (bytes[0] === 0x0d) {
    if (bytes.length < 2) return undefined;
    return bytes[1] === 0x0a ? { used: 2 } : malformed('a carriage return without a line feed');
  }
  const headEnd = bytes.indexOf('\r\n\r\n');
  if (headEnd > maxHeadBytes || (headEnd < 0 && bytes.length > maxHeadBytes + 3)) {
    return malformed(`a request head over ${maxHeadBytes} bytes`);
  }
  if (headEnd < 0) return undefined;

  const [requestLine = '', ...headerLines] = bytes.toString('latin1', 0, headEnd).split('\r\n');
  const parts = /^([A-Z_]+) (\S+) RTSP\/1\.\d$/.exec(requestLine);
  if (!parts) return malformed('a request line that is not "METHOD uri RTSP/1.0"');
  const headers = new Map<string, string>();
  for (const line of headerLines) {
    const colon = line.indexOf(':');
    if (colon < 1) return malformed('a header line without a colon');
    headers.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
  }
  const lengthText = headers.get('content-length') ?? '0';
  const bodyBytes = /^\d{1,9}$/.test(lengthText) ? Number(lengthText) : Number.NaN;
  if (!(bodyBytes <= maxBodyBytes)) return malformed(`a Content-Length that is not 0…${maxBodyBytes}`);
  const bodyStart = headEnd + 4;
  if (bytes.length < bodyStart + bodyBytes) return undefined;
  return {
    used: bodyStart + bodyBytes,
    item: {
      kind: 'request',
      method: parts[1]!,
      uri: parts[2]!,
      headers,
      body: Buffer.from(bytes.subarray(bodyStart, bodyStart + bodyBytes)),
    },
  };
}

/** One way of sending that a client offers in its `Transport` header (RFC 2326 §12.39) and that we can serve. */
export type TransportOffer =
  | { readonly kind: 'tcp'; readonly channels: readonly [rtp: number, rtcp: number] }
  | { readonly kind: 'udp'; readonly ports: readonly [rtp: number, rtcp: number] };

/** The first servable offer of a `Transport` header; undefined when there is none (answer 461). */
export function pickTransport(header: string): TransportOffer | undefined {
  for (const offer of header.split(',')) {
    const [profile = '', ...parameters] = offer.split(';').map((part) => part.trim());
    const range = (name: string, max: number): [number, number] | undefined => {
      const match = new RegExp(`^${name}=(\\d{1,5})(?:-(\\d{1,5}))?$`, 'i').exec(
        parameters.find((parameter) => parameter.toLowerCase().startsWith(`${name}=`)) ?? '',
      );
      if (!match) return undefined;
      const pair: [number, number] = [Number(match[1]), Number(match[2] ?? Number(match[1]) + 1)];
      return pair.every((value) => value <= max) ? pair : undefined;
    };
    if (/^RTP\/AVP\/TCP$/i.test(profile)) return { kind: 'tcp', channels: range('interleaved', 255) ?? [0, 1] };
    if (/^RTP\/AVP(\/UDP)?$/i.test(profile) && !parameters.some((p) => /^multicast$/i.test(p))) {
      const ports = range('client_port', 65_535);
      if (ports?.every((port) => port > 0)) return { kind: 'udp', ports };
    }
  }
  return undefined;
}
