import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { InputError } from '../config/errors.js';
import { checkConfig, loadConfig } from '../config/load.js';
import { type MaskcastConfig, type MaskcastConfigInput, NAME_PATTERN } from '../config/schema.js';
import { namedModelFile } from './model-store/store.js';

/** What the command line adds to, or puts in place of, a configuration file. */
export interface CommandLineSettings {
  readonly source?: readonly string[];
  readonly model?: string;
  readonly mqtt?: string;
  readonly data?: string;
}

export type RunnableConfig = MaskcastConfig & { readonly model: { readonly file: string } };

/**
 * Configuration file and command line joined; options of the command line win.
 *
 * @throws InputError
 */
export function runSettings(file: string | undefined, options: CommandLineSettings): RunnableConfig {
  const config = file === undefined ? checkConfig({}) : loadConfig(file, process.env);
  const cameras = { ...config.cameras };
  for (const [name, source] of nameSources(options.source ?? [])) {
    if (Object.hasOwn(cameras, name)) {
      throw new InputError(
        `--source ${name}=…: a camera "${name}" stands in the configuration already; camera names must differ`,
      );
    }
    cameras[name] = cameraDefaults(source);
  }
  const mqtt =
    options.mqtt === undefined
      ? config.mqtt
      : { ...config.mqtt, url: checkConfig({ mqtt: { url: options.mqtt } }).mqtt.url };
  const data = options.data ?? config.data;
  return {
    ...config,
    cameras,
    mqtt: mqtt as MaskcastConfig['mqtt'], // url was checked just above and is a string
    model: { ...config.model, file: modelFile(options.model ?? config.model.file, data) },
    data,
  };
}

/** `URL` or `name=URL` → camera names `cam1`, `cam2`, … in the order given, or the names. @throws InputError */
export function nameSources(sources: readonly string[]): Map<string, string> {
  const named = new Map<string, string>();
  for (const [index, given] of sources.entries()) {
    const equals = given.indexOf('=');
    const prefix = given.slice(0, equals);
    // A path or URL may carry "=": only what could be meant as a name, and is no file, is one.
    const isNamed = equals > 0 && !/[/:?\\]/.test(prefix) && !existsSync(given);
    if (isNamed && !NAME_PATTERN.test(prefix)) {
      throw new InputError(
        `--source ${given}: the camera name is "${prefix}"; it must be 1 to 64 characters from A-Z a-z 0-9 _ -`,
      );
    }
    const name = isNamed ? prefix : `cam${index + 1}`;
    const source = isNamed ? given.slice(equals + 1) : given;
    if (source === '') throw new InputError(`--source "${given}": the source is empty; give a URL, a file or a device`);
    if (named.has(name))
      throw new InputError(`--source: the camera name "${name}" is given twice; camera names must differ`);
    named.set(name, source);
  }
  return named;
}

function cameraDefaults(source: string): MaskcastConfig['cameras'][string] {
  const input: MaskcastConfigInput = { cameras: { camera: { source } } };
  return checkConfig(input).cameras.camera!;
}

/**
 * The embedded broker's usual port, or 0 (a free one) where another program has it: what needs no configuration must
 * start on any machine.
 */
export async function freeBrokerPort(port = 1883): Promise<number> {
  const isFree = await new Promise<boolean>((resolve) => {
    const probe = createServer().once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
  return isFree ? port : 0;
}

/** Root of the package, whether compiled (`dist/pipeline`) or source (`pipeline`). */
const packageRoot = ['../', '../../']
  .map((up) => new URL(up, import.meta.url))
  .find((url) => existsSync(new URL('package.json', url)))!;

/** Models that come with maskcast, by name. */
const SHIPPED_MODELS = ['default', 'default.int8', 'wide', 'wide.int8'];

const shippedModel = (name: string): string => `models/weights/${name}.onnx`;

/** Detectors taken when none is named, in this order: our own, then the one that lies beside a developer's checkout. */
const DEFAULT_MODELS = [shippedModel('default'), '../shared/weights/yolox-nano.onnx'];

/** Demonstration scenes, likewise. */
const DEFAULT_SCENES = ['../shared/media/one-by-one-person-detection.mp4'];

/** The model that is taken when none is named, or nothing. */
export const defaultModelFile = (): string | undefined => firstThere(DEFAULT_MODELS);

/** Files of the models that come with maskcast, by name. */
export function shippedModelFiles(): ReadonlyMap<string, string> {
  const files = SHIPPED_MODELS.map((name) => [name, firstThere([shippedModel(name)])] as const);
  return new Map(files.filter((entry): entry is [string, string] => entry[1] !== undefined));
}

/**
 * The model to run: a file, a name in the data folder or of a model that comes with maskcast, else the default.
 *
 * @throws InputError when none is named and no default is here, or the name is unknown
 */
export function modelFile(named: string | undefined, data = 'maskcast-data'): string {
  const found = named === undefined ? defaultModelFile() : namedModelFile(named, data, shippedModelFiles());
  if (found !== undefined) return found;
  throw new InputError(
    'no model is named and this copy of maskcast carries none yet: name a detector (ONNX) with --model FILE\n' +
      'for example: npm start -- --source rtsp://camera/stream --model yolox_nano.onnx',
  );
}

/** The demonstration's video, or nothing. */
export const demoScene = (): string | undefined => firstThere(DEFAULT_SCENES);

function firstThere(names: readonly string[]): string | undefined {
  return names.map((name) => fileURLToPath(new URL(name, packageRoot))).find((file) => existsSync(file));
}
