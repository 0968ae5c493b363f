import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { InputError } from '../../../config/errors.js';
import { cardFor } from '../../../models/nets/card-for.js';
import { buildNetwork } from '../../../models/nets/network.js';
import { PRESETS } from '../../../models/nets/presets.js';
import { decodeModel } from '../../../models/onnx/decode.js';
import { writeModel } from '../../../models/onnx/encode.js';
import { openSession } from '../../../models/runtime/session.js';
import { webgpuSource, wrongConvolutions } from '../../../models/runtime/webgpu.js';
import { seededWeights } from '../../../models/weights/seed.js';
import { greyMeter } from '../adapters/tiny-model.js';
import { TINY } from '../nets/tiny-networks.js';

const folder = mkdtempSync(join(tmpdir(), 'maskcast-webgpu-'));
afterAll(() => rmSync(folder, { recursive: true }));
const build = (card: (typeof TINY)[string]) => buildNetwork(card!, { weights: seededWeights(18) });

describe('a network for WebGPU', () => {
  it('is refused, with the layer, where WebGPU would compute it wrongly', async () => {
    // Its separated convolution has six channels in the middle.
    const file = join(folder, 'six.onnx');
    await writeModel(file, build(TINY.redesigned!));
    expect(wrongConvolutions(build(TINY.redesigned!))).toEqual(['separated/Conv_2', 'separated/Conv_3']);
    expect(() => webgpuSource(file)).toThrow(InputError);
    await expect(openSession({ file, provider: 'webgpu', threads: 1, note: () => {} })).rejects.toThrow(
      /separated\/Conv_2 wrongly, and 1 more/,
    );
  });

  it('gets one row more where instances are, when its channels go in fours', async () => {
    const file = join(folder, 'fours.onnx');
    await writeModel(file, build(TINY.global!));
    const { graph } = decodeModel(webgpuSource(file)!);
    expect(graph.nodes.filter(({ name }) => name.startsWith('never-empty/')).length).toBeGreaterThan(2);
  });

  it('is any preset with a ResNet', () => {
    for (const [preset, { network }] of Object.entries(PRESETS)) {
      if (network.body?.kind && network.body.kind !== 'resnet') continue;
      const card = cardFor({ preset, height: 64, width: 96 });
      const { body } = card.network;
      // A narrow body: what is behind it keeps the preset's own channels.
      const narrow = { ...card, network: { ...card.network, body: { ...body, depth: 18 as const, width: 8 } } };
      if (card.network.head.kind === 'c5' || body.kind !== 'resnet') continue;
      expect(wrongConvolutions(build(narrow as typeof card)), preset).toEqual([]);
    }
  });

  it('of another maker, or one that is not read here, is left to the runtime', () => {
    const file = join(folder, 'grey.onnx');
    writeFileSync(file, greyMeter('N'));
    expect(webgpuSource(file)).toBeUndefined();
    expect(webgpuSource(join(folder, 'none.onnx'))).toBeUndefined();
  });
});
