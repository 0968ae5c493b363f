import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/**
 * Processors that most small boxes have, and servers do not: `avx2` stands for AVX2 alone, where byte products are added in 16 bits;
 * `avx-vnni` for AVX2 with VNNI, such as Intel's N100.
 */
export type OlderProcessor = 'avx2' | 'avx-vnni';

export const isOlderProcessor = (name: string): name is OlderProcessor => name === 'avx2' || name === 'avx-vnni';

/** A place in the library where it asks the processor, as bytes; each stands there once. */
interface Question {
  readonly about: string;
  readonly asked: string;
  readonly never: string;
}

/** ONNX Runtime 1.30 for Linux on x64: `test` and `cmp` behind its `cpuid`, made to compare with what no processor answers. */
const WIDE: readonly Question[] = [
  { about: 'AVX-512 (kernels)', asked: '41f7c20000010074', never: '41f7c20000000074' },
  { about: 'AVX-512 (operators)', asked: '4181fee600000074', never: '4181feff00000074' },
  // The missing bits are asked for: with `or` instead of `and` some always are.
  { about: 'AMX', asked: '41f7d14181e1000000030f85', never: '41f7d14181c9000000030f85' },
];
const VNNI: readonly Question[] = [
  { about: 'AVX-VNNI', asked: '0fa2a8107438', never: '0fa2a8007438' },
  { about: 'AVX-VNNI-INT8', asked: 'f6c210743a', never: 'f6c200743a' },
];

/**
 * A copy of ONNX Runtime's library that takes this processor for an older one, for processes with the folder in LD_LIBRARY_PATH: what
 * runs is what small boxes run, kernel by kernel, at this machine's speed.
 *
 * @returns the folder; undefined on a machine whose library is another (not Linux on x64)
 * @throws Error when the library does not ask as it used to: it is of another version
 */
export async function olderRuntime(kind: OlderProcessor, folder: string): Promise<string | undefined> {
  const module = dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json'));
  const library = join(module, 'bin', 'napi-v6', process.platform, process.arch, 'libonnxruntime.so.1');
  if (!existsSync(library)) return undefined;
  let text = (await readFile(library)).toString('latin1');
  for (const { about, asked, never } of kind === 'avx2' ? [...WIDE, ...VNNI] : WIDE) {
    const [from, to] = [asked, never].map((hex) => Buffer.from(hex, 'hex').toString('latin1'));
    const parts = text.split(from!);
    if (parts.length !== 2) throw new Error(`${library} asks ${parts.length - 1} times for ${about}; once is expected`);
    text = parts.join(to);
  }
  const made = join(folder, kind);
  await mkdir(made, { recursive: true });
  await writeFile(join(made, 'libonnxruntime.so.1'), Buffer.from(text, 'latin1'));
  return made;
}
