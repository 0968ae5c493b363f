import type { IClientOptions, MqttClient } from 'mqtt';
import type { Log } from '../log.js';
import { type BrokerAddress, type Connection, connectOnce, type ProtocolVersion } from './connection.js';

export interface KeepConnectedOptions {
  readonly broker: BrokerAddress;
  /** What log lines call the broker, without credentials. */
  readonly name: string;
  /** 5 falls back to 4 where the broker wants that; 4 stays. */
  readonly version: ProtocolVersion;
  readonly client: IClientOptions;
  readonly retry: RetryRule;
  readonly log: Log;
  onOpen(client: MqttClient, window: number): void;
  /** `progress`: the broker acknowledged something, or the connection lasted; the next pause is short again. */
  onEnd(): { progress: boolean };
}

/** Pauses between attempts, ms: doubling from `firstMs` to `maxMs`; `refusedMs` after a refusal of our credentials. */
export interface RetryRule {
  readonly firstMs: number;
  readonly maxMs: number;
  readonly refusedMs: number;
}

export const DEFAULT_RETRY: RetryRule = { firstMs: 500, maxMs: 10_000, refusedMs: 30_000 };

export interface KeptConnection {
  /** Resolves when the first attempt has succeeded or failed. */
  readonly firstOutcome: Promise<void>;
  /** An attempt is under way or a connection stands; false: in a pause. */
  readonly trying: () => boolean;
  /** No further attempts; says goodbye on a standing connection. */
  stop(force: boolean): Promise<void>;
}

/** Keeps trying for ever, with growing jittered pauses; says in the log only what is new. */
export function keepConnected(o: KeepConnectedOptions): KeptConnection {
  let version = o.version;
  let connection: Connection | undefined;
  let wake: (() => void) | undefined;
  let stopped = false;
  let announce: () => void;
  const firstOutcome = new Promise<void>((resolve) => {
    announce = resolve;
  });

  const pause = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });

  const keep = async (): Promise<void> => {
    let pauseMs = o.retry.firstMs;
    let complaint = '';
    while (!stopped) {
      connection = connectOnce(o.broker, version, o.client, (client, window) => {
        o.log.info({ broker: o.name, protocol: version === 5 ? 'MQTT 5' : 'MQTT 3.1.1' }, 'connected to the broker');
        complaint = '';
        o.onOpen(client, window);
        announce();
      });
      const { kind, reason } = await connection.ended;
      connection = undefined;
      announce();
      if (o.onEnd().progress) pauseMs = o.retry.firstMs;
      if (stopped) return;
      const say = { broker: o.name, reason };
      if (kind === 'version' && o.version === 5) {
        version = version === 5 ? 4 : 5;
        if (version === 4) {
          o.log.info(say, 'the broker does not take MQTT 5; trying MQTT 3.1.1');
          continue;
        }
      }
      if (kind === 'lost') o.log.warn(say, 'connection to the broker lost; messages of QoS 1 wait for it');
      else if (complaint !== `${kind} ${reason}`) {
        complaint = `${kind} ${reason}`;
        if (kind === 'refused') {
          o.log.error(say, 'the broker refuses us; check mqtt.username and mqtt.password. Trying again now and then');
        } else o.log.warn(say, 'the broker cannot be reached; trying again, messages of QoS 1 wait for it');
      }
      await pause(kind === 'refused' ? o.retry.refusedMs : pauseMs * (0.75 + 0.5 * Math.random()));
      pauseMs = Math.min(pauseMs * 2, o.retry.maxMs);
    }
  };

  const kept = keep();
  return {
    firstOutcome,
    trying: () => connection !== undefined,
    stop: async (force) => {
      stopped = true;
      wake?.();
      await connection?.close(force);
      await kept;
    },
  };
}
