import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { buildNetwork } from '../../../models/nets/network.js';
import { CARD_KEY, cardIn } from '../../../models/weights/card.js';
import { openSafetensors, writeSafetensors } from '../../../models/weights/safetensors.js';
import { seededWeights } from '../../../models/weights/seed.js';
import { recordedWeights } from '../../../models/weights/source.js';
import { numbersOf, relativeError, runModel } from '../../support/run-model.js';
import { pictures, TINY } from './tiny-networks.js';

/**
 * Numbers of models/training/reference.py (PyTorch). To make them anew:
 *
 *   MASKCAST_TINY=/tmp npx vitest run test/models/nets/reference.test.ts      (writes /tmp/tiny-NAME.safetensors)
 *   python models/training/reference.py --weights /tmp/tiny-NAME.safetensors --golden test/models/nets/goldens/NAME.safetensors
 */
const golden = (name: string): string => fileURLToPath(new URL(`goldens/${name}.safetensors`, import.meta.url));

/** Rounding of float32 through some fifty layers; a wrong pixel, order or coefficient is off by 1e-2 and more. */
const TOLERANCE = 1e-4;

describe.each(Object.keys(TINY))('tiny network %s', (name) => {
  it('gives the numbers of its twin in PyTorch, stage by stage', async () => {
    const card = TINY[name]!;
    const weights = recordedWeights(seededWeights(3));
    const model = buildNetwork(card, { weights, trace: true });
    if (process.env.MASKCAST_TINY) {
      const built = cardIn('tiny', model.metadata)!;
      await writeSafetensors(`${process.env.MASKCAST_TINY}/tiny-${name}.safetensors`, weights.taken, {
        [CARD_KEY]: JSON.stringify(built),
      });
    }
    const { height, width } = card.input;
    const outputs = await runModel(model, {
      images: { type: 'uint8', data: pictures(2, height, width), dims: [2, height, width, 3] },
    });

    const expected = openSafetensors(golden(name));
    const stages = [...expected.shapes.keys()].filter((stage) => !stage.startsWith('proposal'));
    expect(stages).toEqual(expect.arrayContaining(['c4', 'boxes', 'scores', 'labels', 'frames', 'masks']));
    expect(expected.shapes.get('boxes')![0]).toBeGreaterThan(3);
    for (const stage of stages) {
      expect(outputs[stage]!.dims, stage).toEqual(expected.shapes.get(stage));
      expect(relativeError(numbersOf(outputs, stage), expected.read(stage)), stage).toBeLessThan(TOLERANCE);
    }
    // A frame may have fewer proposals than places; the rest of the graph's are filling.
    const proposals = numbersOf(outputs, 'proposals');
    const real = expected.read('proposals');
    for (const [frame, count] of expected.read('proposalCounts').entries()) {
      const from = frame * 12 * 4;
      const to = from + count * 4;
      expect(relativeError(proposals.slice(from, to), real.slice(from, to)), 'proposals').toBeLessThan(TOLERANCE);
    }
    expected.close();
  });
});
