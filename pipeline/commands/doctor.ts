import { execFile } from 'node:child_process';
import { access, constants, mkdir, statfs } from 'node:fs/promises';
import { createServer } from 'node:net';
import { availableParallelism, freemem, totalmem } from 'node:os';
import { promisify } from 'node:util';
import { Command } from 'commander';
import { openDetector } from '../inference/pool.js';
import { createLog } from '../log.js';
import { modelFile, runSettings } from '../settings.js';

interface Check {
  readonly name: string;
  readonly ok: boolean;
  /** What was found, and what to do where it is not well. */
  readonly found: string;
}

/** `maskcast doctor [config.yaml]`: looks at what maskcast needs on this machine and says what to mend. */
export function doctorCommand(): Command {
  return new Command('doctor')
    .description('look at what maskcast needs on this machine and say what to mend')
    .argument('[config]', 'configuration file (YAML)')
    .option('-m, --model <file>', 'detector (ONNX)')
    .option('--json', 'print one JSON object')
    .action(async (file: string | undefined, { model, json }: { model?: string; json?: boolean }) => {
      const checks = [checkNode(), await checkFfmpeg(), ...(await checkSettings(file, model)), checkMachine()];
      const ok = checks.every((check) => check.ok);
      if (json) process.stdout.write(`${JSON.stringify({ ok, checks })}\n`);
      else
        for (const check of checks)
          process.stdout.write(`${check.ok ? 'ok  ' : 'MEND'} ${check.name}: ${check.found}\n`);
      process.exitCode = ok ? 0 : 1;
    });
}

function checkNode(): Check {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const ok = major > 20 || (major === 20 && minor >= 19);
  return { name: 'Node', ok, found: ok ? process.versions.node : `${process.versions.node}; install 20.19 or newer` };
}

async function checkFfmpeg(): Promise<Check> {
  const run = promisify(execFile);
  try {
    const { stdout: about } = await run('ffmpeg', ['-hide_banner', '-version']);
    const version = /version n?(\S+)/.exec(about)?.[1] ?? 'unknown';
    if (Number.parseInt(version, 10) < 5) return { name: 'ffmpeg', ok: false, found: `${version}; install 5 or newer` };
    const { stdout: encoders } = await run('ffmpeg', ['-hide_banner', '-encoders']);
    const ok = /\blibx264\b/.test(encoders);
    return {
      name: 'ffmpeg',
      ok,
      found: ok
        ? `${version}, with libx264`
        : `${version} without libx264, which annotated clips need; install a full build`,
    };
  } catch {
    return {
      name: 'ffmpeg',
      ok: false,
      found: 'not found; install it with the system package manager, for example: apt-get install ffmpeg',
    };
  }
}

async function checkSettings(file: string | undefined, model: string | undefined): Promise<Check[]> {
  const tried = async (name: string, work: () => Promise<string> | string): Promise<Check> => {
    try {
      return { name, ok: true, found: await work() };
    } catch (cause) {
      return { name, ok: false, found: cause instanceof Error ? cause.message : String(cause) };
    }
  };
  const settings = await tried('configuration', () => {
    if (file === undefined) return 'none given; defaults';
    return `${file}, ${Object.keys(runSettings(file, { model: model ?? 'any' }).cameras).length} cameras`;
  });
  const config = settings.ok && file !== undefined ? runSettings(file, { model: model ?? 'any' }) : undefined;
  const detector = await tried('model', async () => {
    const opened = await openDetector({
      file: modelFile(model ?? (config?.model.file === 'any' ? undefined : config?.model.file)),
      provider: config?.model.provider ?? 'auto',
      batch: 1,
      workers: 1,
      threads: 'auto',
      minScore: 0.5,
      log: createLog('silent'),
    });
    const { name, adapter, input, provider } = opened.info;
    await opened.close();
    return `${name} (${adapter}), input ${input.width}x${input.height}, on ${provider}`;
  });
  const data = config?.data ?? 'maskcast-data';
  const disk = await tried('data folder', async () => {
    await mkdir(data, { recursive: true });
    await access(data, constants.W_OK);
    const { bavail, bsize } = await statfs(data);
    return `${data}, ${((Number(bavail) * Number(bsize)) / 1e9).toFixed(1)} GB free`;
  });
  const port = config?.mqtt.embedded.port ?? 1883;
  const broker = await tried('broker', async () => {
    if (config?.mqtt.url) return `${new URL(config.mqtt.url).host} (not asked)`;
    await new Promise<void>((resolve, reject) => {
      const probe = createServer().once('error', () =>
        reject(
          new Error(
            `port ${port} is taken, so the embedded broker cannot start; name that broker with --mqtt mqtt://localhost:${port} or set mqtt.embedded.port`,
          ),
        ),
      );
      probe.listen(port, '127.0.0.1', () => probe.close(() => resolve()));
    });
    return `embedded, port ${port} is free`;
  });
  return [settings, detector, disk, broker];
}

function checkMachine(): Check {
  const gigabytes = (bytes: number): string => (bytes / 1e9).toFixed(1);
  return {
    name: 'machine',
    ok: true,
    found: `${availableParallelism()} cores, ${gigabytes(freemem())} of ${gigabytes(totalmem())} GB memory free`,
  };
}
