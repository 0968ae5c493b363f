import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { InputError } from '../../../config/errors.js';
import { buildNetwork } from '../../../models/nets/network.js';
import { writeModel } from '../../../models/onnx/encode.js';
import { INT8_KEY } from '../../../models/quantize/note.js';
import { quantizeModel } from '../../../models/quantize/quantize.js';
import { SAFE_PAIR, worstPairs } from '../../../models/quantize/saturation.js';
import type { WeightRange } from '../../../models/quantize/weight-scale.js';
import { exactPair } from '../../../models/runtime/byte-sums.js';
import { openModel } from '../../../models/runtime/model.js';
import { guardSums } from '../../../models/runtime/sums-guard.js';
import { seededWeights } from '../../../models/weights/seed.js';
import { TINY } from '../nets/tiny-networks.js';
import { tinyFeeds } from './tiny-feeds.js';

// Several sessions a case; on a machine busy with training that takes minutes.
vi.setConfig({ testTimeout: 300_000 });

const folder = mkdtempSync(join(tmpdir(), 'maskcast-sums-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function quantised(range: WeightRange): Promise<string> {
  const { model } = await quantizeModel({
    model: buildNetwork(TINY.redesigned!, { weights: seededWeights(7) }),
    feeds: () => tinyFeeds(2),
    threads: 1,
    range,
    piled: false,
  });
  const file = join(folder, `${range}.onnx`);
  await writeModel(file, model);
  expect(JSON.parse(model.metadata[INT8_KEY]!)).toMatchObject({
    weights: range,
    worstPair: Math.max(...worstPairs(model).values()),
  });
  return file;
}

const open = (file: string) =>
  openModel({ file, provider: 'cpu', threads: 1, batch: 1, minScore: 0.1, note: () => {} });

/** Set where the runtime takes this processor for one that adds in 16 bits: older-processor.test.ts. */
const IS_OLDER = process.env.MASKCAST_TEST_OLDER_PROCESSOR === 'avx2';

describe('sums of bytes', () => {
  if (IS_OLDER)
    it('are cut on an older processor, and so a file of full-range weights is refused there', async () => {
      expect(await exactPair()).toBe(SAFE_PAIR);
      await expect(open(await quantised('full'))).rejects.toThrow(/cuts their sums/);
    });

  it('a file of full-range weights runs where this machine adds them right, and is refused where it does not', async () => {
    const file = await quantised('full');
    const exact = await exactPair();
    if (exact > SAFE_PAIR) {
      const model = await open(file);
      expect(model.info.adapter).toBe('maskcast');
      await model.release();
      return;
    }
    await expect(open(file)).rejects.toThrow(InputError);
    await expect(open(file)).rejects.toThrow(/cuts their sums.*without --full-range/);
  });

  it('on either kind of processor, the probe alone decides', async () => {
    const file = join(folder, 'full.onnx');
    await expect(
      guardSums(
        file,
        'cpu',
        () => {},
        async () => 254,
      ),
    ).resolves.toBeUndefined();
    await expect(
      guardSums(
        file,
        'cpu',
        () => {},
        async () => 128,
      ),
    ).rejects.toThrow(InputError);
  });

  it('files of half and paired weights run everywhere the safe sum holds', async () => {
    for (const range of ['half', 'paired'] as const) {
      const file = await quantised(range);
      const model = await open(file);
      await model.release();
      await expect(
        guardSums(
          file,
          'cpu',
          () => {},
          async () => 0,
        ),
      ).rejects.toThrow(/use the float model/);
    }
  });

  it('a float file of ours is not probed at all', async () => {
    const file = join(folder, 'float.onnx');
    await writeModel(file, buildNetwork(TINY.redesigned!, { weights: seededWeights(7) }));
    await guardSums(
      file,
      'cpu',
      () => {},
      () => expect.fail('probed'),
    );
  });
});
