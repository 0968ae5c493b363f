import { describe, expect, it } from 'vitest';
import { buildNetwork } from '../../../models/nets/network.js';
import type { OnnxModel } from '../../../models/onnx/model.js';
import { neverEmpty } from '../../../models/runtime/never-empty.js';
import { seededWeights } from '../../../models/weights/seed.js';
import { numbersOf, relativeError, withModel } from '../../support/run-model.js';
import { pictures, TINY } from '../nets/tiny-networks.js';

const built = (name: keyof typeof TINY, minScore?: number): OnnxModel => {
  const card = TINY[name]!;
  const { network } = card;
  return buildNetwork(
    minScore === undefined
      ? card
      : { ...card, network: { ...network, detections: { ...network.detections, minScore } } },
    { weights: seededWeights(18) },
  );
};
const run = (model: OnnxModel, batch: number, outputs: readonly string[] = []) => {
  const { graph } = model;
  const shown = outputs.map((name) => ({ name, type: 'float32' as const, dims: undefined }));
  return withModel({ ...model, graph: { ...graph, outputs: [...graph.outputs, ...shown] } }, (session) =>
    session.run({ images: { type: 'uint8', data: pictures(batch, 64, 96), dims: [batch, 64, 96, 3] } }),
  );
};

describe('neverEmpty', () => {
  it.each(Object.keys(TINY))('changes nothing in what %s finds', async (name) => {
    const model = built(name);
    for (const batch of [1, 3]) {
      const before = await run(model, batch);
      const after = await run(neverEmpty(model), batch);
      expect(numbersOf(before, 'scores').length).toBeGreaterThan(0);
      for (const output of ['boxes', 'scores', 'labels', 'frames'])
        expect(numbersOf(after, output)).toEqual(numbersOf(before, output));
      expect(after.masks!.dims).toEqual(before.masks!.dims);
      expect(relativeError(numbersOf(after, 'masks'), numbersOf(before, 'masks'))).toBeLessThan(1e-5);
    }
  });

  it('gives the mask branch a row where nothing is found, and none to the outside', async () => {
    const model = neverEmpty(built('redesigned', 1));
    const outputs = await run(model, 2);
    expect(outputs.boxes!.dims).toEqual([0, 4]);
    expect(outputs.masks!.dims).toEqual([0, 28, 28]);
    const inside = model.graph.nodes.find(({ op, name }) => op === 'Conv' && name.startsWith('mask-head/'))!
      .outputs[0]!;
    expect((await run(model, 2, [inside]))[inside]!.dims[0]).toBe(1);
    const without = built('redesigned', 1);
    expect((await run(without, 2, [inside]))[inside]!.dims[0]).toBe(0);
  });

  it('leaves a graph without such a part alone', () => {
    const card = TINY.redesigned!;
    const boxesOnly = buildNetwork(
      { ...card, network: { ...card.network, mask: false } },
      { weights: seededWeights(18) },
    );
    expect(neverEmpty(boxesOnly)).toBe(boxesOnly);
  });
});
