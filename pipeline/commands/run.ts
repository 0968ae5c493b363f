import { Command } from 'commander';
import { configSchema } from '../../config/schema.js';
import { createLog } from '../log.js';
import { type RunResult, type RunSummary, runPipeline } from '../run.js';
import { type CommandLineSettings, freeBrokerPort, type RunnableConfig, runSettings } from '../settings.js';
import { showProgress } from '../status-line.js';
import { stopSignals } from '../stop-signals.js';

interface Options extends CommandLineSettings {
  readonly print?: boolean;
  readonly json?: boolean;
  readonly log?: RunnableConfig['log'];
}

/** `maskcast run [config.yaml] [--source …]… [--model …] [--mqtt …] [--data …] [--print] [--json]` */
export function runCommand(): Command {
  return new Command('run')
    .description('run cameras until they end or Ctrl-C: detect, track, publish, record')
    .argument('[config]', 'configuration file (YAML)')
    .option(
      '-s, --source <source>',
      'camera, file, folder or device, as URL or name=URL; may be given several times',
      collect,
    )
    .option('-m, --model <file>', 'detector (ONNX)')
    .option('--mqtt <url>', 'broker; left out: an embedded one on 127.0.0.1:1883')
    .option('--data <folder>', 'folder for clips and the outbox')
    .option('--print', 'write every message as one JSON line to stdout')
    .option('--json', 'end with the summary as one JSON object on stdout')
    .option('--log <level>', 'error, warn, info or debug')
    .action(async (file: string | undefined, options: Options) => {
      const settings = runSettings(file, options);
      // Without a configuration nobody asked for a port: then a taken one is no reason not to start.
      const port = file === undefined ? await freeBrokerPort() : settings.mqtt.embedded.port;
      const config = { ...settings, mqtt: { ...settings.mqtt, embedded: { ...settings.mqtt.embedded, port } } };
      const { summary, refused } = await runWith(
        options.log ? { ...config, log: configSchema.shape.log.parse(options.log) } : config,
        options,
      );
      if (options.json) process.stdout.write(`${JSON.stringify(summary)}\n`);
      else for (const line of summaryLines(summary)) process.stderr.write(`${line}\n`);
      if (refused.length > 0) process.exitCode = 2;
    });
}

const collect = (value: string, before: readonly string[] = []): string[] => [...before, value];

/** Runs in the foreground: signals, live status, messages on stdout when asked for. */
export async function runWith(
  config: RunnableConfig,
  { print, onReady }: { print?: boolean; onReady?: (run: { broker: string; prefix: string }) => void },
): Promise<RunResult> {
  const log = createLog(config.log);
  const { signal, dispose } = stopSignals(() => log.info('finishing events and clips; once more ends at once'));
  let hide: (() => void) | undefined;
  try {
    return await runPipeline({
      config,
      log,
      signal,
      ...(print && { tap: printMessage }),
      onReady: (run) => {
        onReady?.(run);
        if (!onReady)
          log.info(
            { broker: run.broker, cameras: Object.keys(config.cameras) },
            `running; subscribe with: mosquitto_sub -L ${run.broker}/${run.prefix}/+/events`,
          );
        if (process.stderr.isTTY) hide = showProgress(() => run.progress());
      },
    });
  } finally {
    hide?.();
    dispose();
  }
}

function printMessage(topic: string, payload: string | Uint8Array): void {
  const shown = typeof payload === 'string' ? asJson(payload) : `(${payload.byteLength} bytes)`;
  process.stdout.write(`${JSON.stringify({ topic, payload: shown })}\n`);
}

function asJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** One line a camera. */
export function summaryLines({ cameras, seconds, fps }: RunSummary): string[] {
  const lines = Object.entries(cameras).map(
    ([name, { frames, analysed, dropped, tracks, events, clips }]) =>
      `${name}: ${frames} frames in, ${analysed} analysed, ${dropped} dropped, ${tracks} tracks, ${events} events, ${clips} clips`,
  );
  return [...lines, `${seconds.toFixed(1)} s, ${fps.toFixed(1)} frames a second`];
}
