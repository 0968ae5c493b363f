import { describe, expect, it } from 'vitest';
import { InputError } from '../../../config/errors.js';
import { makeAnchors } from '../../../models/nets/anchors.js';
import { cardFor } from '../../../models/nets/card-for.js';
import { networkSchema } from '../../../models/nets/options.js';
import { PRESETS, presetNamed } from '../../../models/nets/presets.js';

describe('presets and options', () => {
  it.each(Object.keys(PRESETS))('preset %s has options that agree with one another and a card', (name) => {
    expect(() => cardFor({ preset: name })).not.toThrow();
  });

  it.each<[string, () => unknown, RegExp]>([
    ['preset', () => presetNamed('framework3'), /preset "framework3" is not known; name one of: mask-rcnn-r50-c4, /],
    ['preset named like a built-in', () => presetNamed('constructor'), /is not known/],
    [
      'size',
      () => cardFor({ preset: 'framework1', height: 801 }),
      /input height is 801; for preset framework1 it must be a multiple of 16/,
    ],
    [
      'size of a mobile body',
      () => cardFor({ preset: 'edge-yolox', width: 400 }),
      /input width is 400; .*multiple of 32/,
    ],
    ['absurd size', () => cardFor({ preset: 'framework1', width: 65_536 }), /from 16 to 4096/],
    ['proposals', () => cardFor({ preset: 'framework1', proposals: 0 }), /--proposals is 0; it must be/],
    ['proposals without an RPN', () => cardFor({ preset: 'dense-yolox', proposals: 10 }), /has no RPN/],
    ['classes', () => cardFor({ preset: 'framework1', classes: [] }), /no class is given/],
  ])('a wrong %s is named with the rule', (_, build, message) => {
    expect(build).toThrow(InputError);
    expect(build).toThrow(message);
  });

  it.each<[string, unknown, string]>([
    ['an even kernel', { separated: { kernel: 14 } }, 'kernel is 14; it must be odd'],
    ['a dense first stage on ResNet', { first: { kind: 'dense' } }, 'dense needs a body with a head of its own'],
    [
      'C5 on ResNet-18',
      { body: { kind: 'resnet', depth: 18 }, head: { kind: 'c5' } },
      'c5 is the last stage of ResNet-50 or 101',
    ],
    ['C5 on a mobile body', { body: { kind: 'picodet-s' }, head: { kind: 'c5' } }, 'this body has none'],
    ['a map that is not there', { body: { kind: 'yolox-nano', top: { from: [64] } } }, 'none at 64'],
    [
      'a skip at stride 8',
      { body: { kind: 'picodet-s', top: { stride: 8, skip: true } } },
      'top.skip leads from stride 16 to 8; top.stride is 8',
    ],
    [
      'a skip around nothing',
      { body: { kind: 'picodet-s', top: { skip: true } }, separated: false },
      'top.skip goes around the separated convolution; there is none',
    ],
    ['outlines on ResNet', { mask: { refined: true } }, 'refined reads the map of stride 4 of a mobile body'],
    [
      'the finest map without the one before it',
      { body: { kind: 'picodet-s' }, mask: { fine: true } },
      'needs this body, and refined',
    ],
    [
      'the finest map of another body',
      { body: { kind: 'yolox-nano' }, mask: { refined: true, fine: true } },
      'needs this body, and refined',
    ],
    ['an unknown option', { seperated: false }, 'Unrecognized key'],
  ])('%s is refused', (_, network, message) => {
    const parsed = networkSchema.safeParse(network);
    expect(parsed.success).toBe(false);
    expect(parsed.error?.message).toContain(message);
  });

  it('anchors have the area of their size, the ratio asked for, and sit on the corners of their cells', () => {
    const anchors = makeAnchors({ rows: 2, columns: 3, stride: 16 }, [32, 64], [0.5, 1, 2]);
    expect(anchors.length).toBe(2 * 3 * 6 * 4);
    // Row 1, column 2, size 64, ratio 2: 45.25 wide, 90.51 high, around (32, 16).
    const at = ((1 * 3 + 2) * 6 + 5) * 4;
    const [x1 = 0, y1 = 0, x2 = 0, y2 = 0] = anchors.subarray(at, at + 4);
    expect((x1 + x2) / 2).toBeCloseTo(32, 5);
    expect((y1 + y2) / 2).toBeCloseTo(16, 5);
    expect((x2 - x1) * (y2 - y1)).toBeCloseTo(64 * 64, 1);
    expect((y2 - y1) / (x2 - x1)).toBeCloseTo(2, 5);
  });
});
