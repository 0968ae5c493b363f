import { randomBytes } from 'node:crypto';
import { isIPv6, type Socket } from 'node:net';
import type { Log } from '../log.js';
import { challenge, isAuthorized, type RtspAuth } from './auth.js';
import type { H264Track } from './h264-track.js';
import { type Faults, Player, type PlayerOptions } from './player.js';
import { pickTransport, RequestParser, type RtspRequest } from './request.js';
import { describe, trackControl } from './sdp.js';
import { interleavedTransport, type Transport, udpTransport } from './transports.js';

/** What the connections of one server share. */
export interface ServerState {
  readonly tracks: ReadonlyMap<string, H264Track>;
  readonly auth: RtspAuth | undefined;
  readonly faults: Faults & { unauthorized: boolean; loss: number };
  readonly play: Omit<PlayerOptions, 'track' | 'transport' | 'faults' | 'first'>;
  readonly log: Log;
  /** Index of the access unit that a client beginning now gets first. */
  firstUnit(track: H264Track): number;
  onPlay(mount: string): void;
}

interface Reply {
  readonly status: keyof typeof reasons;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

const reasons = {
  200: 'OK',
  400: 'Bad Request',
  401: 'Unauthorized',
  404: 'Not Found',
  406: 'Not Acceptable',
  454: 'Session Not Found',
  455: 'Method Not Valid in This State',
  461: 'Unsupported Transport',
  500: 'Internal Server Error',
  501: 'Not Implemented',
} as const;

const methods = ['OPTIONS', 'DESCRIBE', 'SETUP', 'PLAY', 'GET_PARAMETER', 'TEARDOWN'];

/** A mount that was set up, until TEARDOWN or the end of the connection. */
interface Session {
  readonly id: string;
  readonly mount: string;
  readonly track: H264Track;
  readonly transport: Transport;
  player?: Player;
}

/**
 * One client's RTSP connection (RFC 2326) with at most one session. The session ends with the connection, over UDP
 * too: our clients keep theirs open, and so nothing is left to time out.
 */
export class Connection {
  readonly #socket: Socket;
  readonly #state: ServerState;
  readonly #nonce = randomBytes(16).toString('hex');
  #session: Session | undefined;

  constructor(socket: Socket, state: ServerState) {
    this.#socket = socket;
    this.#state = state;
    const parser = new RequestParser();
    // Requests are answered one after the other, in their order, even when an answer has to wait for a socket.
    let answered: Promise<void> = Promise.resolve();
    socket.on('data', (chunk: Buffer) => {
      for (const item of parser.push(chunk)) {
        if (item.kind === 'request') answered = answered.then(() => this.#answer(item));
        if (item.kind === 'malformed') answered = answered.then(() => this.#refuse(item.reason));
      }
    });
    socket.on('error', (error) => state.log.debug({ error: error.message }, 'RTSP client connection failed'));
    socket.on('close', () => this.#endSession());
  }

  get playing(): boolean {
    return this.#session?.player !== undefined;
  }

  faultsChanged(stallEnded: boolean): void {
    this.#session?.player?.faultsChanged(stallEnded);
  }

  /** Ends it without a farewell, like a pulled plug. */
  destroy(): void {
    this.#endSession();
    this.#socket.destroy();
  }

  async #answer(request: RtspRequest): Promise<void> {
    if (this.#socket.destroyed) return;
    let reply: Reply;
    try {
      reply = await this.#handle(request);
    } catch (error) {
      this.#state.log.error({ error, method: request.method }, 'RTSP request failed');
      reply = { status: 500 };
    }
    if (this.#socket.destroyed) return;
    this.#write(reply, request.headers.get('cseq'));
    // Only now: the answer to PLAY goes ahead of the first packet.
    if (request.method === 'PLAY' && reply.status === 200) this.#session?.player?.start();
  }

  #refuse(reason: string): void {
    this.#state.log.warn({ reason }, 'RTSP client sent something that is not RTSP; its connection is closed');
    this.#write({ status: 400 }, undefined);
    this.#socket.end();
  }

  #write({ status, headers = {}, body = '' }: Reply, cseq: string | undefined): void {
    const lines = [`RTSP/1.0 ${status} ${reasons[status]}`];
    if (cseq !== undefined) lines.push(`CSeq: ${cseq}`);
    for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
    if (body) lines.push(`Content-Length: ${Buffer.byteLength(body)}`);
    this.#socket.write(`${lines.join('\r\n')}\r\n\r\n${body}`);
  }

  async #handle(request: RtspRequest): Promise<Reply> {
    const { method, uri, headers } = request;
    if (!/^\d{1,10}$/.test(headers.get('cseq') ?? '')) return { status: 400 };
    if (method === 'OPTIONS') return { status: 200, headers: { Public: methods.join(', ') } };
    if (!this.#mayEnter(request)) {
      const scheme = this.#state.auth?.scheme ?? 'digest';
      return { status: 401, headers: { 'WWW-Authenticate': challenge(scheme, this.#nonce) } };
    }
    if (!methods.includes(method)) return { status: 501, headers: { Public: methods.join(', ') } };
    if (method === 'DESCRIBE') return this.#describe(uri, headers.get('accept'));
    if (method === 'SETUP') return this.#setup(uri, headers);
    // What is left is about a session; only GET_PARAMETER, the keep-alive, may come without one.
    const session = this.#session;
    const named = headers.get('session')?.split(';')[0]?.trim();
    if (method === 'GET_PARAMETER' && named === undefined) return { status: 200 };
    if (!session || named !== session.id) return { status: 454 };
    if (method === 'PLAY') return this.#play(session, uri);
    if (method === 'TEARDOWN') this.#endSession();
    return { status: 200, headers: { Session: session.id } };
  }

  #mayEnter({ method, uri, headers }: RtspRequest): boolean {
    const { auth, faults } = this.#state;
    if (faults.unauthorized) return false;
    return !auth || isAuthorized(auth, { method, uri, header: headers.get('authorization') }, this.#nonce);
  }

  #describe(uri: string, accept = 'application/sdp'): Reply {
    const mount = mountOf(uri);
    const track = this.#state.tracks.get(mount);
    if (!track) return { status: 404 };
    if (!/application\/sdp|\*\/\*|application\/\*/i.test(accept)) return { status: 406 };
    const base = `${uri.replace(/[?#].*$/, '').replace(/\/+$/, '')}/`;
    const headers = { 'Content-Base': base, 'Content-Type': 'application/sdp' };
    return { status: 200, headers, body: describe(track, mount) };
  }

  async #setup(uri: string, headers: RtspRequest['headers']): Promise<Reply> {
    const mount = mountOf(uri);
    const track = this.#state.tracks.get(mount);
    if (!track) return { status: 404 };
    if (this.#session?.player) return { status: 455 };
    const offer = pickTransport(headers.get('transport') ?? '');
    if (!offer) return { status: 461 };
    this.#endSession();

    let transport: Transport;
    let answer: string;
    if (offer.kind === 'tcp') {
      transport = interleavedTransport(this.#socket, offer.channels);
      answer = `RTP/AVP/TCP;unicast;interleaved=${offer.channels.join('-')}`;
    } else {
      const host = this.#socket.remoteAddress;
      if (host === undefined) return { status: 461 };
      const isLost = (): boolean => this.#state.faults.loss > 0 && Math.random() < this.#state.faults.loss;
      const udp = await udpTransport({ host, ports: offer.ports }, isIPv6(host) ? 6 : 4, isLost);
      transport = udp;
      answer = `RTP/AVP;unicast;client_port=${offer.ports.join('-')};server_port=${udp.ports.join('-')}`;
      // The client may have left while the ports were opened, after the end of connection had cleaned up.
      if (this.#socket.destroyed) udp.close();
    }
    this.#session = { id: randomBytes(8).toString('hex'), mount, track, transport };
    return { status: 200, headers: { Transport: answer, Session: `${this.#session.id};timeout=60` } };
  }

  #play(session: Session, uri: string): Reply {
    const headers = { Session: session.id };
    // A second PLAY has nothing to change on a live stream.
    if (session.player) return { status: 200, headers };
    const { play, faults, log, onPlay } = this.#state;
    const { track, transport, mount } = session;
    session.player = new Player({ ...play, track, transport, faults, first: this.#state.firstUnit(track) });
    const { sequence, timestamp } = session.player.rtpInfo;
    log.debug({ mount }, 'RTSP client plays');
    onPlay(mount);
    const base = uri.replace(/[?#].*$/, '').replace(/\/+$/, '');
    const streamUrl = base.endsWith(`/${trackControl}`) ? base : `${base}/${trackControl}`;
    const info = `url=${streamUrl};seq=${sequence};rtptime=${timestamp}`;
    return { status: 200, headers: { ...headers, Range: 'npt=now-', 'RTP-Info': info } };
  }

  #endSession(): void {
    const session = this.#session;
    this.#session = undefined;
    if (session?.player) {
      session.player.stop();
      const { dropped } = session.player;
      if (dropped) this.#state.log.info({ mount: session.mount, dropped }, 'pictures a slow RTSP client did not get');
    } else {
      session?.transport.close();
    }
  }
}

/** `rtsp://host:8554/gate/trackID=0?x=1` → `gate`: the mount that an address speaks of. */
export function mountOf(uri: string): string {
  const path = uri.replace(/^rtsps?:\/\/[^/]*/i, '').replace(/[?#].*$/, '');
  const bare = path.replace(/^\/+|\/+$/g, '');
  return bare === trackControl ? '' : bare.replace(new RegExp(`/${trackControl}$`), '').replace(/\/+$/, '');
}
