/** Program of a process of its own: opens a small product on the provider that is named and runs it. Prints why not. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeModel } from '../../../models/onnx/encode.js';
import { openSession } from '../../../models/runtime/session.js';
import { gemm } from './gemm.js';
import type { Provider } from './provider.js';

const SIDE = 8;

const provider = process.argv[2] as Provider; // provider.ts is the only caller.
const folder = await mkdtemp(join(tmpdir(), 'maskcast-provider-'));
let code = 0;
try {
  const file = join(folder, 'product.onnx');
  await writeModel(file, gemm([SIDE, SIDE, SIDE]));
  const session = await openSession({ file, provider, threads: 1, note: () => {} });
  await session.run({ x: { type: 'float32', dims: [SIDE, SIDE], data: new Float32Array(SIDE * SIDE).fill(1) } });
} catch (cause) {
  const text = cause instanceof Error ? cause.message : String(cause);
  // The file is ours and of no interest here.
  process.stdout.write(text.replace(/^.*product\.onnx: /s, '').replace(/; use provider auto or cpu$/, ''));
  code = 1;
} finally {
  await rm(folder, { recursive: true });
}
// Not by the end of the program: some drivers crash when their library is unloaded.
process.exit(code);
