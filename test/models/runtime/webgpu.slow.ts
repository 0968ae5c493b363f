/**
 * The WebGPU provider with whatever adapter there is: the machine's own, else SwiftShader, a software one, of which Debian's
 * package chromium-common holds a copy (it wants libvulkan1 too). Another copy is named with VK_ICD_FILENAMES. Debian 12's
 * lavapipe lacks what ONNX Runtime asks for. It ran through on SwiftShader on 2026-11-25: six minutes beside a training run.
 *
 * In a process of its own, for a missing driver may take the process down.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { buildNetwork } from '../../../models/nets/network.js';
import { writeModel } from '../../../models/onnx/encode.js';
import { seededWeights } from '../../../models/weights/seed.js';
import { maskIou } from '../../../operators/masks/rle.js';
import type { MaskRle } from '../../../operators/types.js';
import { TINY } from '../nets/tiny-networks.js';

const SWIFTSHADER = '/usr/lib/chromium/vk_swiftshader_icd.json';

const folder = mkdtempSync(join(tmpdir(), 'maskcast-webgpu-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs a file on both providers and prints what they found and said. */
const PROGRAM = `
import { openModel } from ${JSON.stringify(new URL('../../../dist/models/runtime/model.js', import.meta.url).href)};
const [file] = process.argv.slice(1);
const found = {};
for (const provider of ['cpu', 'webgpu']) {
  const notes = [];
  const model = await openModel({ file, provider, threads: 1, batch: 1, minScore: 0.1, note: (note) => notes.push(note) });
  const { width, height } = model.info.input;
  const pixels = new Uint8Array(width * height * 3).map((_, i) => (i * 7 + (i >> 6) * 13) % 256);
  const frame = { pixels, placement: { scaleX: 1, scaleY: 1, offsetX: 0, offsetY: 0 }, source: { width, height } };
  const [{ count, boxes, scores, classes, masks }] = await model.run([frame]);
  const instances = { boxes: [...boxes], scores: [...scores], classes: [...classes], masks: masks.map((mask) => mask ?? null) };
  found[provider] = { count, ...instances, notes };
}
console.log(JSON.stringify(found));
process.exit();
`;

interface Found {
  readonly count: number;
  readonly boxes: readonly number[];
  readonly scores: readonly number[];
  readonly classes: readonly number[];
  readonly masks: readonly (MaskRle | null)[];
  readonly notes: readonly string[];
}

/** What both found; or why WebGPU does not run, on any adapter there is. */
async function onBoth(file: string): Promise<Record<'cpu' | 'webgpu', Found> | string> {
  const own = await onAdapter(file, process.env);
  if (typeof own !== 'string' || process.env.VK_ICD_FILENAMES) return own;
  if (!existsSync(SWIFTSHADER)) return `${own}; and there is no ${SWIFTSHADER} (Debian: chromium-common)`;
  return await onAdapter(file, { ...process.env, VK_ICD_FILENAMES: SWIFTSHADER });
}

async function onAdapter(file: string, env: NodeJS.ProcessEnv): Promise<Record<'cpu' | 'webgpu', Found> | string> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', PROGRAM, file], { stdio: 'pipe', env });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  await new Promise((resolve) => child.on('close', resolve));
  try {
    return JSON.parse(stdout);
  } catch {
    return /InputError: (.*)/.exec(stderr)?.[1] ?? stderr.slice(-300);
  }
}

describe('WebGPU', () => {
  it('finds what the processor finds, and says which nodes it leaves to it', async (ctx) => {
    const { network, ...card } = TINY.redesigned!;
    // Channels in fours, as in every preset: see docs/tuning.md for what becomes of others.
    const even = { ...network, separated: { ...(network.separated || undefined)!, middle: 8 } };
    const file = join(folder, 'tiny.onnx');
    await writeModel(file, buildNetwork({ ...card, network: even }, { weights: seededWeights(18) }));
    const found = await onBoth(file);
    if (typeof found === 'string') {
      console.warn(`no WebGPU here, nothing was tested (${fileURLToPath(import.meta.url)}): ${found}`);
      ctx.skip(`no WebGPU: ${found}`);
      return;
    }
    const { cpu, webgpu } = found;
    expect(cpu.count).toBeGreaterThan(2);
    expect(webgpu.classes).toEqual(cpu.classes);
    for (const [i, score] of cpu.scores.entries()) expect(webgpu.scores[i]).toBeCloseTo(score, 3);
    for (const [i, side] of cpu.boxes.entries()) expect(Math.abs(webgpu.boxes[i]! - side)).toBeLessThan(0.5);
    const both = cpu.masks.flatMap((mask, i) => (mask && webgpu.masks[i] ? [maskIou(mask, webgpu.masks[i])] : []));
    expect(both.length).toBeGreaterThan(0);
    // A border pixel or two may fall the other way.
    for (const iou of both) expect(iou).toBeGreaterThan(0.9);
    expect(webgpu.notes.join()).toMatch(/webgpu: \d+ of \d+ nodes run on the processor \(/);
  }, 1_800_000);
});
