import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import type { Socket } from 'node:net';

/** The way packets take to one client. */
export interface Transport {
  /** Hands over the packets of one access unit; they are kept until sent. */
  sendRtp(packets: readonly Buffer[]): void;
  sendRtcp(packet: Buffer): void;
  /** Bytes handed over but not yet taken by the system. */
  queuedBytes(): number;
  /** Called each time the queue has emptied after having been full. */
  onDrain: () => void;
  close(): void;
}

/** Packets between the RTSP messages of the client's own connection (RFC 2326 §10.12). */
export function interleavedTransport(socket: Socket, [rtp, rtcp]: readonly [number, number]): Transport {
  const frame = (channel: number, packet: Buffer): Buffer => {
    const prefix = Buffer.from([0x24, channel, packet.length >> 8, packet.length & 0xff]);
    return Buffer.concat([prefix, packet]);
  };
  const onDrain = (): void => transport.onDrain();
  socket.on('drain', onDrain);
  const transport: Transport = {
    sendRtp: (packets) => socket.write(Buffer.concat(packets.map((packet) => frame(rtp, packet)))),
    sendRtcp: (packet) => socket.write(frame(rtcp, packet)),
    queuedBytes: () => socket.writableLength,
    onDrain: () => {},
    close: () => socket.off('drain', onDrain),
  };
  return transport;
}

/** Where a UDP client listens. */
export interface UdpTarget {
  readonly host: string;
  readonly ports: readonly [rtp: number, rtcp: number];
}

export interface UdpTransport extends Transport {
  /** Our own ports. */
  readonly ports: readonly [rtp: number, rtcp: number];
}

/**
 * A receiver's default buffer holds about ninety full packets; a large key picture sent in one go overruns it. Ten
 * packets a millisecond are 112 Mbit/s, far above any camera, and leave the receiver time.
 */
const burstPackets = 10;
const burstMs = 1;

/**
 * Packets as UDP datagrams.
 *
 * @param isLost  asked for each RTP packet; true throws it away
 */
export async function udpTransport(
  { host, ports }: UdpTarget,
  family: 4 | 6,
  isLost: () => boolean,
): Promise<UdpTransport> {
  const [rtp, rtcp] = await bindPair(family);
  const queue: Buffer[] = [];
  let queued = 0;
  let timer: NodeJS.Timeout | undefined;
  // An ICMP "port unreachable" of a client that went away must not end the server; its connection ends the session.
  rtp.on('error', () => {});
  rtcp.on('error', () => {});

  const burst = (): void => {
    timer = undefined;
    for (const packet of queue.splice(0, burstPackets)) {
      queued -= packet.length;
      if (!isLost()) rtp.send(packet, ports[0], host);
    }
    if (queue.length > 0) timer = setTimeout(burst, burstMs);
    else transport.onDrain();
  };
  const transport: UdpTransport = {
    ports: [rtp.address().port, rtcp.address().port],
    sendRtp: (packets) => {
      for (const packet of packets) queued += packet.length;
      queue.push(...packets);
      timer ??= setTimeout(burst, 0);
    },
    sendRtcp: (packet) => rtcp.send(packet, ports[1], host),
    queuedBytes: () => queued,
    onDrain: () => {},
    close: () => {
      clearTimeout(timer);
      queue.length = 0;
      rtp.close();
      rtcp.close();
    },
  };
  return transport;
}

/** Two sockets on an even port and the next one, as RFC 3550 §11 wants. */
async function bindPair(family: 4 | 6): Promise<[UdpSocket, UdpSocket]> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const rtp = await bind(family, 0);
    const { port } = rtp!.address();
    const rtcp = port % 2 === 0 ? await bind(family, port + 1) : undefined;
    if (rtcp) return [rtp!, rtcp];
    rtp!.close();
  }
  throw new Error('no free pair of UDP ports (even and next) found in 50 attempts');
}

/** A bound socket; undefined when the wanted port is taken. */
async function bind(family: 4 | 6, port: number): Promise<UdpSocket | undefined> {
  const socket = createSocket(family === 4 ? 'udp4' : 'udp6');
  try {
    socket.bind(port);
    await once(socket, 'listening');
    return socket;
  } catch (cause) {
    socket.close();
    if (port === 0) throw cause;
    return undefined;
  }
}
