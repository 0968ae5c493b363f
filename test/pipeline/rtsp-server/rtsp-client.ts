import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface RtspReply {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/** A bare RTSP client for tests: sends requests as told, keeps the interleaved packets it gets. */
export class RtspClient {
  readonly socket: Socket;
  readonly packets: { channel: number; payload: Buffer }[] = [];
  #rest = Buffer.alloc(0);
  #cseq = 0;
  #awaited: ((reply: RtspReply) => void)[] = [];
  #packetsAwaited: (() => void) | undefined;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      this.#rest = this.#rest.length ? Buffer.concat([this.#rest, chunk]) : chunk;
      while (this.#takeOne());
      this.#packetsAwaited?.();
    });
  }

  static async open(port: number): Promise<RtspClient> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    return new RtspClient(socket);
  }

  async ask(method: string, url: string, headers: Record<string, string> = {}): Promise<RtspReply> {
    const lines = Object.entries({ CSeq: String(++this.#cseq), ...headers }).map(
      ([name, value]) => `${name}: ${value}`,
    );
    this.socket.write(`${method} ${url} RTSP/1.0\r\n${lines.join('\r\n')}\r\n\r\n`);
    return new Promise((resolve) => this.#awaited.push(resolve));
  }

  /** SETUP over TCP and PLAY. */
  async play(url: string): Promise<RtspReply> {
    const setup = await this.ask('SETUP', `${url}/trackID=0`, { Transport: 'RTP/AVP/TCP;unicast;interleaved=0-1' });
    return this.ask('PLAY', url, { Session: sessionOf(setup) });
  }

  /** Resolves once `wanted` holds of the packets so far. */
  async packetsUntil(wanted: (packets: RtspClient['packets']) => boolean): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#packetsAwaited = () => wanted(this.packets) && resolve();
      this.#packetsAwaited();
    });
    this.#packetsAwaited = undefined;
  }

  #takeOne(): boolean {
    if (this.#rest[0] === 0x24) {
      if (this.#rest.length < 4 || this.#rest.length < 4 + this.#rest.readUInt16BE(2)) return false;
      const end = 4 + this.#rest.readUInt16BE(2);
      this.packets.push({ channel: this.#rest[1]!, payload: this.#rest.subarray(4, end) });
      this.#rest = this.#rest.subarray(end);
      return true;
    }
    const headEnd = this.#rest.indexOf('\r\n\r\n');
    if (headEnd < 0) return false;
    const [first = '', ...lines] = this.#rest.toString('utf8', 0, headEnd).split('\r\n');
    const headers = new Map(
      lines.map((line) => {
        const [name = '', ...value] = line.split(': ');
        return [name.toLowerCase(), value.join(': ')] as const;
      }),
    );
    const end = headEnd + 4 + Number(headers.get('content-length') ?? 0);
    if (this.#rest.length < end) return false;
    const body = this.#rest.toString('utf8', headEnd + 4, end);
    this.#rest = this.#rest.subarray(end);
    this.#awaited.shift()?.({ status: Number(first.split(' ')[1]), headers, body });
    return true;
  }
}

export function sessionOf(reply: RtspReply): string {
  return reply.headers.get('session')?.split(';')[0] ?? '';
}
