import { existsSync } from 'node:fs';
import { copyFile, link, mkdir, rm, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { InputError } from '../../config/errors.js';
import { openModel } from '../../models/runtime/model.js';
import { redactUrl } from '../log.js';
import { type DownloadOptions, download } from './download.js';
import {
  checkedModelName,
  describeModel,
  type ModelDescription,
  modelsFolder,
  sha256Of,
  storedModel,
} from './store.js';

export interface AddModelOptions extends DownloadOptions {
  /** Data folder. */
  readonly data: string;
  /** Left out: the file's own name. */
  readonly name?: string;
  /** Names of the models that come with maskcast: nothing may take them, or a name would mean one thing here and another there. */
  readonly reserved?: ReadonlySet<string>;
  /** What the file's SHA-256 must be, hex. */
  readonly sha256?: string;
}

/**
 * Brings an ONNX file into the data folder. It lies there under a temporary name until it is whole, its digest is right,
 * our reader understands it, an adapter knows it and a trial run went well; then it gets its name, in one step.
 *
 * @param from  path, `http://` or `https://` address
 * @throws InputError when the file, its digest, its name or the address is at fault; nothing is added then
 */
export async function addModel(from: string, options: AddModelOptions): Promise<ModelDescription> {
  const { data, sha256 } = options;
  const remote = /^https?:\/\//i.test(from);
  const shown = remote ? redactUrl(from) : from;
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(from) && !remote) {
    throw new InputError(`${redactUrl(from)}: only http://, https:// and files are known; fetch it and give the file`);
  }
  if (sha256 !== undefined && !/^[0-9a-f]{64}$/i.test(sha256)) {
    throw new InputError(`--sha256 is "${sha256}"; it must be 64 hexadecimal digits`);
  }
  const name = checkedModelName(options.name ?? nameOf(from, remote));
  if (options.reserved?.has(name)) {
    throw new InputError(
      `the model's name is "${name}", which is that of a model that comes with maskcast; choose one with --name`,
    );
  }
  const target = storedModel(data, name);
  if (existsSync(target)) throw existsAlready(name, target);
  await mkdir(modelsFolder(data), { recursive: true });
  const part = `${target}.part`;
  if (remote) await download(from, part, options);
  else await copy(from, part, options);

  try {
    const digest = await sha256Of(part);
    if (sha256 !== undefined && digest !== sha256.toLowerCase()) {
      throw new InputError(
        `${shown}: its SHA-256 is ${digest}, --sha256 says ${sha256.toLowerCase()}; it is another file or was changed, and is not taken`,
      );
    }
    const description = await describeModel(part, name);
    const trial = await openModel({ file: part, provider: 'cpu', threads: 1, batch: 1, minScore: 0.5, note: () => {} });
    await trial.release();
    // link, unlike rename, never takes the place of a file that came in the meantime.
    await link(part, target).catch((cause: NodeJS.ErrnoException) => {
      throw cause.code === 'EEXIST' ? existsAlready(name, target) : cause;
    });
    return { ...description, file: target };
  } catch (cause) {
    if (cause instanceof InputError) throw new InputError(cause.message.replaceAll(part, shown), { cause });
    throw cause;
  } finally {
    // Whole, so there is nothing to go on with: it has its name now, or is refused.
    await rm(part, { force: true });
  }
}

const existsAlready = (name: string, target: string): InputError =>
  new InputError(
    `a model named ${name} is there already (${target}); choose another name with --name, or delete that file`,
  );

function nameOf(from: string, remote: boolean): string {
  if (!remote) return basename(from).replace(/\.onnx$/i, '');
  try {
    return basename(decodeURIComponent(new URL(from).pathname)).replace(/\.onnx$/i, '');
  } catch (cause) {
    throw new InputError(`${redactUrl(from)}: is no address (${(cause as Error).message}); check how it is written`, {
      cause,
    });
  }
}

async function copy(from: string, part: string, { onProgress }: DownloadOptions): Promise<void> {
  const known = await stat(from).catch((cause: NodeJS.ErrnoException) => {
    throw new InputError(`${from}: cannot be read (${cause.code}); name an ONNX file or its address`, { cause });
  });
  if (!known.isFile()) throw new InputError(`${from}: is not a regular file; name an ONNX file or its address`);
  onProgress?.(0, known.size);
  await copyFile(from, part).catch(async (cause: NodeJS.ErrnoException) => {
    await rm(part, { force: true });
    throw new Error(
      `${part}: cannot be written (${cause.code === 'ENOSPC' ? 'the disk is full' : cause.code}); make room and try again`,
      { cause },
    );
  });
  onProgress?.(known.size, known.size);
}
