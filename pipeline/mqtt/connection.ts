import type { Duplex } from 'node:stream';
import { connect, type IClientOptions, MqttClient } from 'mqtt';
import { redactUrl } from '../log.js';

/** MQTT 5, or 4: what the protocol calls MQTT 3.1.1. */
export type ProtocolVersion = 5 | 4;

/** Where the broker is: an address, or a stream to one in this process. */
export type BrokerAddress = { readonly url: string } | { readonly stream: () => Duplex };

/** Why a connection is over or never was. `reason` carries no credentials. */
export interface ConnectionEnd {
  /** `refused`: the broker said no to who we are; `version`: to how we speak, as far as one can tell. */
  readonly kind: 'lost' | 'unreachable' | 'refused' | 'version';
  readonly reason: string;
}

/** One connection, from the attempt to its end. */
export interface Connection {
  readonly client: MqttClient;
  /** Resolves once, when it is over. */
  readonly ended: Promise<ConnectionEnd>;
  /** Says goodbye (the will is not published), or with `force` just hangs up. */
  close(force: boolean): Promise<void>;
}

/** CONNACK codes of 3.1.1 (table 3.1) and 5 (table 3-1) that say: another protocol version. */
const VERSION_CODES = new Set([1, 132]);
/** …and: other credentials, another client id, or no right to be here. */
const REFUSED_CODES = new Set([2, 4, 5, 133, 134, 135, 138, 140]);
/** Receive maximum where the broker names none: mosquitto's own. */
const DEFAULT_WINDOW = 20;

/**
 * Connects once; who wants more calls again. mqtt's own reconnecting and its store are not used: the outbox above
 * decides what is sent anew, and the next attempt may speak another version.
 *
 * @param onOpen  called when the broker accepts, with the number of QoS 1 messages it takes in flight
 */
export function connectOnce(
  broker: BrokerAddress,
  version: ProtocolVersion,
  options: IClientOptions,
  onOpen: (client: MqttClient, window: number) => void,
): Connection {
  const all: IClientOptions = {
    connectTimeout: 10_000,
    keepalive: 15,
    // Pings also while we publish: QoS 0 alone would not notice a broker that is gone without a word.
    reschedulePings: false,
    queueQoSZero: false,
    resubscribe: false,
    ...options,
    protocolVersion: version,
    clean: true,
    reconnectPeriod: 0,
  };
  const client = 'url' in broker ? connect(broker.url, all) : new MqttClient(() => broker.stream(), all);
  let opened = false;
  let failure: (Error & { code?: number | string }) | undefined;
  client.once('connect', ({ properties }) => {
    opened = true;
    onOpen(client, Math.min(properties?.receiveMaximum ?? DEFAULT_WINDOW, DEFAULT_WINDOW));
  });
  const ended = new Promise<ConnectionEnd>((resolve) => {
    client.on('error', (error) => {
      failure ??= error;
    });
    client.on('disconnect', ({ reasonCode }) => {
      failure ??= new Error(`the broker closed the connection (reason code ${reasonCode ?? 0})`);
    });
    client.once('close', () => resolve(endOf(opened, failure)));
  });
  const close = async (force: boolean): Promise<void> => {
    await new Promise<void>((done) => client.end(force, () => done()));
  };
  return { client, ended, close };
}

function endOf(opened: boolean, failure: (Error & { code?: number | string }) | undefined): ConnectionEnd {
  const reason = redactUrl(failure?.message || String(failure?.code ?? 'the broker closed the connection'));
  if (opened) return { kind: 'lost', reason };
  const code = failure?.code;
  if (typeof code === 'number' && REFUSED_CODES.has(code)) return { kind: 'refused', reason };
  // Some brokers answer an unknown version with a code, some with an answer in theirs, some by hanging up.
  const hungUp = !failure || (code === undefined && failure.message !== 'connack timeout') || code === 'ECONNRESET';
  if (hungUp || (typeof code === 'number' && VERSION_CODES.has(code))) return { kind: 'version', reason };
  return { kind: 'unreachable', reason };
}
