import { once } from 'node:events';
import { createServer, isIPv6, type Server } from 'node:net';
import { InputError } from '../../config/errors.js';
import type { Log } from '../log.js';
import type { RtspAuth } from './auth.js';
import { Connection, type ServerState } from './connection.js';
import { nextKey } from './playout.js';
import { readH264 } from './read-h264.js';

export interface RtspServerOptions {
  /** Path (`gate` in `rtsp://host/gate`) → the video file that is played there round and round. */
  readonly mounts: Readonly<Record<string, { readonly file: string }>>;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Default 0: a free one. */
  readonly port?: number;
  readonly auth?: RtspAuth;
  /**
   * False (default), like a camera: a new client enters at the key picture that comes next in a loop that runs since the
   * server's start, and one that reads too slowly loses pictures. True, for frame-exact tests: each client gets
   * every picture from the first one on, and one that reads slowly gets them late.
   */
  readonly startAtBeginning?: boolean;
  /** Media seconds per second, default 1. `Infinity`, as fast as the client reads, goes with `startAtBeginning` only. */
  readonly speed?: number;
  /** Share 0…1 of RTP packets that get lost over UDP, default 0. */
  readonly loss?: number;
  /** Bytes that may wait for one client, default 4 MiB. */
  readonly maxQueuedBytes?: number;
  /** Called when a client begins to play. */
  readonly onPlay?: (mount: string) => void;
  readonly log: Log;
}

export interface RtspServer {
  readonly port: number;
  /** Address of a mount, without credentials. */
  url(mount: string): string;
  /** Cuts all connections. */
  drop(): void;
  /** True: new connections are refused by the system, present ones stay. Resolves once it holds. */
  refuse(on: boolean): Promise<void>;
  /** True: sessions stay, nothing is sent. False: each goes on with its next key picture. */
  stall(on: boolean): void;
  /** True: the last key picture is sent again and again at the usual pace. False: goes on with the next key picture. */
  freeze(on: boolean): void;
  /** True: every request but OPTIONS is answered with 401, whatever the password. */
  unauthorized(on: boolean): void;
  /** Share 0…1 of RTP packets that get lost over UDP from now on. */
  lose(share: number): void;
  /** Clients that play at the moment. */
  clients(): number;
  /** Ends all connections and sockets. Resolves when the port is free; no timer is left. */
  stop(): Promise<void>;
}

/**
 * Serves video files as RTSP cameras (RTSP 1.0, RFC 2326; H.264 over RTP, RFC 6184; TCP and UDP), with faults on
 * demand. For the demonstration and for drills; not meant for a hostile network.
 *
 * @throws InputError when a file cannot be served, an option is out of range or the port is taken
 */
export async function startRtspServer(options: RtspServerOptions): Promise<RtspServer> {
  const { host = '127.0.0.1', startAtBeginning = false, speed = 1, loss = 0, log } = options;
  if (!(speed > 0) || (speed === Number.POSITIVE_INFINITY && !startAtBeginning)) {
    throw new InputError(
      `RTSP server: speed is ${speed}; it must be above 0, and finite unless startAtBeginning is set`,
    );
  }
  const tracks = new Map<string, Awaited<ReturnType<typeof readH264>>>();
  for (const [mount, { file }] of Object.entries(options.mounts)) {
    if (!/^[\w.-]+(\/[\w.-]+)*$/.test(mount)) {
      throw new InputError(`RTSP server: mount is "${mount}"; it must be words of A-Z a-z 0-9 _ . - joined by /`);
    }
    tracks.set(mount, await readH264(file, log));
  }

  const startedMs = performance.now();
  const state: ServerState = {
    tracks,
    auth: options.auth,
    faults: { stalled: false, frozen: false, unauthorized: false, loss: checkedLoss(loss) },
    play: {
      speed,
      slowClient: startAtBeginning ? 'wait' : 'drop',
      maxQueuedBytes: options.maxQueuedBytes ?? 4 * 1024 * 1024,
    },
    log,
    firstUnit: (track) => {
      if (startAtBeginning) return 0;
      return nextKey(track, ((performance.now() - startedMs) * 90 * speed) % track.period);
    },
    onPlay: options.onPlay ?? (() => {}),
  };

  const connections = new Set<Connection>();
  const listen = async (port: number): Promise<Server> => {
    const server = createServer({ noDelay: true }, (socket) => {
      const connection = new Connection(socket, state);
      connections.add(connection);
      socket.on('close', () => connections.delete(connection));
    });
    server.listen(port, host);
    try {
      await once(server, 'listening');
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new InputError(`RTSP server: cannot listen on ${host}:${port} (${reason}); choose a free port`, { cause });
    }
    return server;
  };
  const closed: Promise<unknown>[] = [];
  const endListening = (server: Server): void => {
    closed.push(once(server, 'close'));
    server.close();
  };
  const tellAll = (stallEnded: boolean): void => {
    for (const connection of connections) connection.faultsChanged(stallEnded);
  };

  let server: Server | undefined = await listen(options.port ?? 0);
  const address = server.address();
  // A TCP server's address is an object once it listens.
  const port = typeof address === 'object' && address ? address.port : 0;
  log.debug({ port, mounts: [...tracks.keys()] }, 'RTSP server listens');

  return {
    port,
    url: (mount) => `rtsp://${isIPv6(host) ? `[${host}]` : host}:${port}/${mount}`,
    drop: () => {
      for (const connection of connections) connection.destroy();
    },
    refuse: async (on) => {
      if (on && server) {
        endListening(server);
        server = undefined;
      } else if (!on) {
        server ??= await listen(port);
      }
    },
    stall: (on) => {
      const ended = state.faults.stalled && !on;
      state.faults.stalled = on;
      tellAll(ended);
    },
    freeze: (on) => {
      state.faults.frozen = on;
      tellAll(false);
    },
    unauthorized: (on) => {
      state.faults.unauthorized = on;
    },
    lose: (share) => {
      state.faults.loss = checkedLoss(share);
    },
    clients: () => [...connections].filter((connection) => connection.playing).length,
    stop: async () => {
      if (server) endListening(server);
      server = undefined;
      for (const connection of connections) connection.destroy();
      await Promise.all(closed);
    },
  };
}

function checkedLoss(loss: number): number {
  if (loss >= 0 && loss <= 1) return loss;
  throw new InputError(`RTSP server: loss is ${loss}; it must lie in 0…1`);
}
