import { join } from 'node:path';
import cliProgress from 'cli-progress';
import { Command, Option } from 'commander';
import { checkConfig } from '../../config/load.js';
import { createLog } from '../log.js';
import { startRtspServer } from '../rtsp-server/server.js';
import { demoScene, freeBrokerPort, modelFile } from '../settings.js';
import { cachedStreetVideo } from '../street/street-video.js';
import { runWith, summaryLines } from './run.js';

interface Options {
  readonly data: string;
  readonly model?: string;
  readonly scene?: string;
  readonly street?: boolean;
  readonly port?: string;
  readonly print?: boolean;
}

/** The street that the demonstration shows: small enough to be drawn in a minute or two. */
const STREET = { seed: 507, width: 800, height: 450, fps: 10, seconds: 16 } as const;

/** `maskcast demo`: a camera of our own, everything on this machine, nothing to configure. */
export function demoCommand(): Command {
  return new Command('demo')
    .description(
      'show it all with a camera of our own: a scene is served over RTSP, found, tracked, published, recorded',
    )
    .option('--data <folder>', 'folder for clips, the outbox and the drawn street', 'maskcast-data')
    .option('-m, --model <file>', 'detector: ONNX file, or name of a model in the data folder')
    .option('--scene <file>', 'video to serve like a camera')
    .addOption(new Option('--street', 'show a street that maskcast draws itself').conflicts('scene'))
    .option('--port <port>', 'port of the embedded broker, 0 for a free one; left out: 1883, or a free one')
    .option('--print', 'write every message as one JSON line to stdout')
    .action(async (options: Options) => {
      const file = modelFile(options.model, options.data);
      const given = options.scene ?? (options.street ? undefined : demoScene());
      const scene = given ?? (await drawnStreet(options.data));
      const server = await startRtspServer({ mounts: { street: { file: scene } }, log: createLog('warn') });
      try {
        const config = checkConfig({
          data: options.data,
          log: 'warn',
          mqtt: { embedded: { port: options.port === undefined ? await freeBrokerPort() : Number(options.port) } },
          cameras: {
            demo: {
              source: server.url('street'),
              // Half a hundred figures in sixteen seconds: a small machine could not draw a clip of each of them.
              ...(given === undefined && { record: { labels: ['bicycle', 'truck'], preRoll: '2s', postRoll: '2s' } }),
            },
          },
        });
        const { summary } = await runWith(
          { ...config, model: { ...config.model, file } },
          {
            ...(options.print && { print: true }),
            onReady: ({ broker, prefix }) => {
              for (const line of [
                `maskcast runs: camera "demo" is ${server.url('street')}, a scene served in a loop by our own RTSP server. Ctrl-C ends it.`,
                `Messages:  mosquitto_sub -L ${broker}/${prefix}/+/events`,
                `Clips:     ${options.data}/clips (annotated.mp4 in each; the first appears when somebody has left the picture)`,
                `Your own:  npm start -- --source rtsp://user:password@camera/stream`,
                `All options and a configuration file: README.md, docs/`,
              ]) {
                process.stderr.write(`${line}\n`);
              }
            },
          },
        );
        for (const line of summaryLines(summary)) process.stderr.write(`${line}\n`);
      } finally {
        await server.stop();
      }
    });
}

/** Draws the street once into the data folder. */
async function drawnStreet(data: string): Promise<string> {
  let bar: cliProgress.SingleBar | undefined;
  try {
    return await cachedStreetVideo(join(data, 'street'), STREET, (done, all) => {
      if (done === 1) {
        process.stderr.write(`drawing the street, once: ${all} pictures of ${STREET.width}x${STREET.height}\n`);
        if (process.stderr.isTTY) {
          bar = new cliProgress.SingleBar({
            stream: process.stderr,
            clearOnComplete: true,
            format: '{bar} {value}/{total} pictures | {eta_formatted} left',
          });
          bar.start(all, 0);
        }
      }
      bar?.update(done);
    });
  } finally {
    bar?.stop();
  }
}
