import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { probe } from '../../../models/tuning/probe.js';
import type { ProbeRequest } from '../../../models/tuning/probe-messages.js';
import { greyMeter } from '../adapters/tiny-model.js';
import { writeTiny } from './tuned-files.js';

// Each look is a process that loads ONNX Runtime; on a machine busy with training that takes minutes.
vi.setConfig({ testTimeout: 300_000 });

const folder = mkdtempSync(join(tmpdir(), 'maskcast-probe-'));
afterAll(() => rmSync(folder, { recursive: true }));
const look = (file: string, more: Partial<ProbeRequest> = {}, signal?: AbortSignal) =>
  probe({ file, provider: 'cpu', workers: 1, threads: 1, batch: 1, leastMs: 1, ...more }, signal);

describe('a probe', () => {
  it('measures time and memory of the real runtime, and what was found', async () => {
    const file = await writeTiny(join(folder, 'tiny.onnx'));
    const { sample, info, found } = await look(file, { workers: 2, batch: 3, leastMs: 20 });
    expect(info).toMatchObject({ adapter: 'maskcast', provider: 'cpu', fixedBatch: undefined, masks: true });
    expect(sample.runMs).toBeCloseTo(sample.msPerFrame * 6, 6);
    expect(sample.cpuMs).toBeGreaterThan(0);
    // A process with ONNX Runtime in it takes some tens of MB, and this network little more.
    expect(sample.peakBytes).toBeGreaterThan(30e6);
    expect(sample.peakBytes).toBeLessThan(1e9);
    expect(found).toHaveLength(3);
    expect(found[0]!.boxes).toHaveLength(4 * found[0]!.scores.length);
    // The same pictures at every start.
    expect((await look(file, { batch: 3 })).found).toEqual(found);
  });

  it("memory is the probe's own, whatever the process holds that asks", async () => {
    const held = Buffer.alloc(6e8, 1);
    const { sample } = await look(await writeTiny(join(folder, 'own.onnx')));
    expect(sample.peakBytes).toBeLessThan(held.length / 1.5);
  });

  it('knows that three sessions take more memory than one', async () => {
    const light = file('light.onnx', greyMeter(1));
    const one = await look(light);
    const three = await look(light, { workers: 3 });
    expect(three.sample.peakBytes).toBeGreaterThan(one.sample.peakBytes);
  });

  it('refuses with the reason of the runtime', async () => {
    await expect(look(file('broken.onnx', Buffer.from('no model')))).rejects.toThrow('broken.onnx is no ONNX model');
    await expect(look(join(folder, 'none.onnx'))).rejects.toThrow('there is no such file');
  });

  it('ends when the time is up', async () => {
    const start = performance.now();
    // Some seconds of work for each run, hundreds of seconds to fill the time.
    const slow = file('slow.onnx', greyMeter(1, 40));
    await expect(look(slow, { leastMs: 600_000 }, AbortSignal.timeout(1500))).rejects.toThrow();
    expect(performance.now() - start).toBeLessThan(30_000);
  });
});

function file(name: string, bytes: Buffer): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}
