import { Command } from 'commander';
import { InputError } from '../../config/errors.js';
import { checkConfig } from '../../config/load.js';
import { createLog } from '../log.js';
import { startRtspServer } from '../rtsp-server/server.js';
import { demoScene, freeBrokerPort, modelFile } from '../settings.js';
import { runWith, summaryLines } from './run.js';

/** `maskcast demo`: a camera of our own, everything on this machine, nothing to configure. */
export function demoCommand(): Command {
  return new Command('demo')
    .description(
      'show it all with a camera of our own: a scene is served over RTSP, found, tracked, published, recorded',
    )
    .option('--data <folder>', 'folder for clips and the outbox', 'maskcast-data')
    .option('-m, --model <file>', 'detector (ONNX)')
    .option('--scene <file>', 'video to serve like a camera')
    .option('--port <port>', 'port of the embedded broker, 0 for a free one; left out: 1883, or a free one')
    .option('--print', 'write every message as one JSON line to stdout')
    .action(async (options: { data: string; model?: string; scene?: string; port?: string; print?: boolean }) => {
      const scene = options.scene ?? demoScene();
      if (scene === undefined) {
        throw new InputError(
          'this copy of maskcast carries no demonstration scene yet: name a source and a detector (ONNX) of your own\n' +
            'for example: npm start -- --source rtsp://user:password@camera/stream --model yolox_nano.onnx',
        );
      }
      const file = modelFile(options.model);
      const server = await startRtspServer({ mounts: { street: { file: scene } }, log: createLog('warn') });
      try {
        const config = checkConfig({
          data: options.data,
          log: 'warn',
          mqtt: { embedded: { port: options.port === undefined ? await freeBrokerPort() : Number(options.port) } },
          cameras: { demo: { source: server.url('street') } },
        });
        const { summary } = await runWith(
          { ...config, model: { ...config.model, file } },
          {
            ...(options.print && { print: true }),
            onReady: ({ broker, prefix }) => {
              for (const line of [
                `maskcast runs: camera "demo" is ${server.url('street')}, a scene served in a loop by our own RTSP server. Ctrl-C ends it.`,
                `Messages:  mosquitto_sub -L ${broker}/${prefix}/#`,
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
