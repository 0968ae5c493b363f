import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { Aedes, type Client } from 'aedes';
import { createWebSocketStream, WebSocketServer } from 'ws';
import { InputError } from '../../config/errors.js';
import type { MqttConfig } from '../../config/schema.js';
import type { Log } from '../log.js';

/** A subscriber with this much unread gets no messages of QoS 0; at twice as much it is cut off. */
const SLOW_BYTES = 2 << 20;

/** Time for the last message to leave, and then for the subscribers to hang up themselves. */
const LAST_WORDS_MS = 100;
const HANG_UP_MS = 500;

export interface EmbeddedBroker {
  readonly port: number;
  readonly webSocketPort: number | undefined;
  /** Serves a client over any byte stream, without a socket. */
  handle(stream: Duplex): void;
  close(): Promise<void>;
}

/**
 * Starts aedes (MQTT 3.1.1, in memory) on TCP and, when asked, WebSocket.
 *
 * @throws InputError when a port or the address cannot be had
 */
export async function startEmbeddedBroker(config: MqttConfig['embedded'], log: Log): Promise<EmbeddedBroker> {
  const slow = new WeakSet<Client>();
  const broker = await Aedes.createBroker({
    // Left at 100, one subscriber that reads nothing makes all others wait, and when it is cut off the queue is worked
    // off by recursion, which ended the whole process with a stack overflow (aedes 1.2.0, 4 000 messages of 20 kB).
    concurrency: 0,
    // Without a pause a packet is done inside the parser's own call, and aedes then parses the next bytes from there,
    // which mixes up packets of a burst ("Not supported", connection closed).
    published: (_packet, _client, done) => queueMicrotask(done),
    authorizeForward: (client, packet) => {
      const unread = client.conn.writableLength;
      if (unread <= SLOW_BYTES) return packet;
      if (!slow.has(client)) log.warn({ client: client.id }, 'a subscriber reads too slowly and misses messages');
      slow.add(client);
      if (unread > 2 * SLOW_BYTES) client.conn.destroy();
      return packet.qos === 0 ? null : packet;
    },
  });
  broker.on('clientError', (client, error) => log.debug({ client: client.id, reason: error.message }, 'client lost'));
  broker.on('connectionError', (_, error) => log.debug({ reason: error.message }, 'connection to the broker failed'));
  // Room enough that aedes never waits for a subscriber: what is too much is dropped above.
  const highWaterMark = 4 * SLOW_BYTES;
  const tcp = createServer({ highWaterMark }, (socket) => broker.handle(socket));
  const http = config.webSocketPort === false ? undefined : createHttpServer();
  const sockets = new Set<Socket>();
  const servers = http ? [tcp, http] : [tcp];
  for (const server of servers) {
    server.on('connection', (socket: Socket) => {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
    });
  }
  if (http) {
    const webSockets = new WebSocketServer({ server: http, handleProtocols: (offered) => offeredMqtt(offered) });
    webSockets.on('connection', (socket) => {
      const stream = createWebSocketStream(socket, { highWaterMark });
      stream.on('error', (error) => log.debug({ reason: error.message }, 'WebSocket client lost'));
      broker.handle(stream);
    });
    // The server hands on its own errors; `listen` below is where they are dealt with.
    webSockets.on('error', () => undefined);
  }
  const close = async (): Promise<void> => {
    if (sockets.size > 0) {
      // aedes tells nobody when a message has reached the subscribers, and its own close hangs up on them.
      await sleep(LAST_WORDS_MS);
      const gone = [...sockets].map((socket) => new Promise((done) => socket.once('close', done).end()));
      await Promise.race([Promise.all(gone), sleep(HANG_UP_MS)]);
    }
    await new Promise<void>((done) => broker.close(done));
    const closed = servers.filter(({ listening }) => listening).map((server) => once(server, 'close'));
    for (const server of servers) server.close();
    for (const socket of sockets) socket.destroy();
    await Promise.all(closed);
  };
  try {
    const port = await listen(tcp, config.host, config.port, 'port');
    const webSocketPort =
      http && config.webSocketPort !== false
        ? await listen(http, config.host, config.webSocketPort, 'webSocketPort')
        : undefined;
    return { port, webSocketPort, handle: (stream) => void broker.handle(stream), close };
  } catch (error) {
    await close();
    throw error;
  }
}

function offeredMqtt(offered: Set<string>): string | false {
  return ['mqtt', 'mqttv3.1'].find((name) => offered.has(name)) ?? false;
}

async function listen(server: Server, host: string, port: number, key: 'port' | 'webSocketPort'): Promise<number> {
  try {
    server.listen(port, host);
    await once(server, 'listening');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    const rule =
      code === 'EADDRINUSE'
        ? 'another program listens there: if it is the broker you want, set mqtt.url; otherwise take another port, or 0 for a free one'
        : code === 'EACCES'
          ? 'this user may not listen there: take a port from 1024 on, or 0 for a free one'
          : `it cannot be listened on (${code ?? String(error)}): mqtt.embedded.host must be an address of this machine`;
    throw new InputError(`mqtt.embedded.${key} is ${port} on ${host}; ${rule}`, { cause: error });
  }
  return (server.address() as AddressInfo).port; // a TCP server that listens has no other kind of address
}
