import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { recordSchema, type TuningRecord } from './record.js';

/** Where the record of a model may lie: beside it, else in the data folder under the model's digest. */
export function recordFiles(model: string, digest: string, dataFolder: string): readonly [string, string] {
  const name = basename(model, extname(model));
  return [
    join(dirname(model), `${name}.tuned.json`),
    join(tunedFolder(dataFolder), `${name}-${digest.slice(0, 16)}.tuned.json`),
  ];
}

/** Folder for records and files in other forms. */
export const tunedFolder = (dataFolder: string): string => join(dataFolder, 'tuned');

/** A record as found on disk. */
export interface FoundRecord {
  readonly file: string;
  readonly record: TuningRecord;
}

/**
 * Reads the records of a model; the one beside it comes first. A file that is damaged or of another version or model is passed
 * over, and `note` says why.
 */
export async function readRecords(
  model: string,
  digest: string,
  dataFolder: string,
  note: (sentence: string) => void,
): Promise<readonly FoundRecord[]> {
  const found: FoundRecord[] = [];
  for (const file of recordFiles(model, digest, dataFolder)) {
    const text = await readFile(file, 'utf8').catch(() => undefined); // None there, or not ours to read: the same to us.
    if (text === undefined) continue;
    const record = parseRecord(text);
    if (typeof record === 'string') note(`${file} is passed over: ${record}; run \`maskcast model tune\` again`);
    else if (record.model.digest !== digest)
      note(`${file} is passed over: the model has changed since it was measured; run \`maskcast model tune\` again`);
    else found.push({ file, record });
  }
  return found;
}

/** The record, or what is wrong with the text. */
export function parseRecord(text: string): TuningRecord | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return 'it is no JSON';
  }
  const parsed = recordSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  return `${issue?.path.join('.') || 'it'}: ${issue?.message}`;
}

/**
 * Writes the record beside the model, or in the data folder where that folder takes no files.
 *
 * @returns the file
 * @throws the error of the data folder when neither takes it
 */
export async function writeRecord(model: string, dataFolder: string, record: TuningRecord): Promise<string> {
  const [beside, inData] = recordFiles(model, record.model.digest, dataFolder);
  const text = `${JSON.stringify(record, undefined, 1)}\n`;
  try {
    await writeWhole(beside, text);
    // One that lies in the data folder from earlier would only tell old things.
    await rm(inData, { force: true });
    return beside;
  } catch {
    await mkdir(dirname(inData), { recursive: true });
    await writeWhole(inData, text);
    return inData;
  }
}

/** Under another name first: a reader never sees half a file, and two writers do not mix. */
async function writeWhole(file: string, text: string): Promise<void> {
  const partial = `${file}.${randomUUID()}`;
  try {
    await writeFile(partial, text);
    await rename(partial, file);
  } catch (cause) {
    await rm(partial, { force: true });
    throw cause;
  }
}

/** SHA-256 of a file's bytes, hex. */
export async function fileDigest(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk);
  return hash.digest('hex');
}
