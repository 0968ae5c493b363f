import { describe, expect, it } from 'vitest';
import { cardFor } from '../../../models/nets/card-for.js';
import { buildNetwork } from '../../../models/nets/network.js';
import { PRESETS } from '../../../models/nets/presets.js';
import { countModel, type ModelCount } from '../../../models/onnx/count.js';
import type { TrackedSource } from '../../../models/weights/source.js';

/** Shapes are all that counts here. */
const zeros: TrackedSource = {
  has: () => true,
  take: (_, dims) => new Float32Array(dims.reduce((product, size) => product * size, 1)),
  finish: () => {},
};

function count(preset: string): ModelCount {
  return countModel(buildNetwork(cardFor({ preset }), { weights: zeros }), { N: 1, M: 100 });
}

const of = ({ stages }: ModelCount, name: string): number =>
  (stages.find(({ stage }) => stage === name)?.multiplyAdds ?? 0) / 1e9;

/**
 * Multiply–adds (G) and parameters (M) worked out by hand from the layers' sizes: 800×1088, 300 proposals, masks on 100;
 * biases and batch norm left out there, which is the tolerance here. Columns: separated, RPN, head, mask, total, parameters.
 */
const TABLE: Readonly<Record<string, readonly [number, number, number, number, number, number]>> = {
  'mask-rcnn-r50-c4': [0, 32.3, 219.7, 10.7, 317.1, 35.92],
  'sep64-c5': [7.1, 0.6, 183.5, 10.7, 256.3, 26.2],
  'sep128-c5': [15, 1.1, 185.9, 10.7, 267.2, 28.85],
  'sep256-c5': [33.4, 2.1, 190.8, 10.7, 291.4, 34.88],
  'sep64-redesigned': [7.1, 0.6, 78, 11.9, 152, 13.47],
  'sep128-redesigned': [15, 1.1, 86.7, 11.9, 169.1, 16.1],
  framework1: [33.4, 2.1, 104, 11.9, 205.9, 22.1],
  'out256-pool7': [33.4, 2.1, 69.4, 6.7, 165.9, 20.83],
  framework2: [33.4, 2.1, 173.4, 22.2, 285.7, 24.63],
};

describe('cost of the networks of the paper', () => {
  it.each(Object.entries(TABLE))(
    '%s is what its layers add up to',
    (preset, [separated, rpn, head, mask, total, parameters]) => {
      const counted = count(preset);
      expect(of(counted, 'body')).toBeCloseTo(54.2, 1);
      expect(of(counted, 'separated')).toBeCloseTo(separated, 1);
      expect(of(counted, 'rpn')).toBeCloseTo(rpn, 1);
      expect(Math.abs(of(counted, 'head') - head)).toBeLessThan(0.06);
      expect(of(counted, 'mask')).toBeCloseTo(mask, 1);
      // The table leaves out the second run of the subnet, on the final boxes, that the mask branch reads.
      const withoutSecond = counted.multiplyAdds / 1e9 - of(counted, 'mask-head');
      expect(Math.abs(withoutSecond / total - 1)).toBeLessThan(0.002);
      expect(of(counted, 'mask-head') * 3).toBeCloseTo(of(counted, 'head'), 3);
      expect(Math.abs(counted.parameters / 1e6 / parameters - 1)).toBeLessThan(0.003);
      expect(counted.uncounted).toBe(0);
    },
  );

  it('framework 1 has nearly 40 % fewer parameters than the baseline', () => {
    const fewer = 1 - count('framework1').parameters / count('mask-rcnn-r50-c4').parameters;
    expect(fewer).toBeGreaterThan(0.38);
    expect(fewer).toBeLessThan(0.4);
  });

  it('rows that are the same network under two names are the same', () => {
    for (const [a, b] of [
      ['framework1', 'sep256-redesigned'],
      ['framework1', 'out512-pool7'],
      ['framework2', 'out1024-pool7'],
    ] as const) {
      expect(PRESETS[a]!.network).toEqual(PRESETS[b]!.network);
    }
  });

  it('global pooling saves parameters of the classifier only', () => {
    const [seven, global] = [count('framework1'), count('out512-pool14')];
    expect(seven.parameters - global.parameters).toBe((81 + 320) * 512 * 3);
    expect(of(seven, 'head')).toBe(of(global, 'head'));
  });

  it('Faster R-CNN is the baseline without masks', () => {
    const [boxes, masks] = [count('faster-rcnn-r50-c4'), count('mask-rcnn-r50-c4')];
    expect(boxes.stages.map(({ stage }) => stage)).not.toContain('mask');
    expect(of(boxes, 'head')).toBe(of(masks, 'head'));
  });
});
