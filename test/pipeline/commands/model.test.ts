import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CommanderError } from 'commander';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { InputError } from '../../../config/errors.js';
import { decodeModel } from '../../../models/onnx/decode.js';
import { BODY_KEY } from '../../../models/weights/card.js';
import { openSafetensors, writeSafetensors } from '../../../models/weights/safetensors.js';
import { modelCommand } from '../../../pipeline/commands/model.js';

/** What the command prints. */
async function run(...args: string[]): Promise<string> {
  let text = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
    text += String(chunk);
    return true;
  });
  vi.spyOn(process.stderr, 'write').mockImplementation(() => true);
  const command = modelCommand();
  for (const one of [command, ...command.commands]) one.exitOverride();
  try {
    await command.parseAsync(args, { from: 'user' });
  } finally {
    vi.restoreAllMocks();
  }
  return text;
}

const SMALL = ['--preset', 'edge-r18', '--size', '64x96', '--proposals', '10'];

describe('maskcast model', () => {
  let folder = '';
  const at = (name: string): string => join(folder, name);
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'maskcast-model-command-'));
    await run('build', ...SMALL, '--seed', '1', '--out', at('a.onnx'), '--save-weights', at('a.safetensors'));
  });
  afterAll(() => rm(folder, { recursive: true }));
  afterEach(() => void vi.restoreAllMocks());

  it('build says what it wrote, as one JSON object when asked', async () => {
    const text = await run('build', ...SMALL, '--seed', '1', '--out', at('b.onnx'), '--json');
    const report = JSON.parse(text);
    expect(report).toMatchObject({
      file: at('b.onnx'),
      bytes: (await readFile(at('b.onnx'))).length,
      card: { preset: 'edge-r18', input: { height: 64, width: 96 } },
    });
    expect(report.card.classes).toHaveLength(80);
    expect(report.card.data).toContain('seed 1');
    expect((await readdir(folder)).filter((name) => name.endsWith('.partial'))).toEqual([]);
  });

  it('build gives the same bytes for the same options, and for the weights it saved', async () => {
    const first = await readFile(at('a.onnx'));
    await run('build', ...SMALL, '--seed', '1', '--out', at('same.onnx'));
    expect(Buffer.compare(await readFile(at('same.onnx')), first)).toBe(0);
    await run('build', '--weights', at('a.safetensors'), '--out', at('again.onnx'));
    expect(Buffer.compare(await readFile(at('again.onnx')), first)).toBe(0);
  });

  it('build lets a trained file decide the network, and the user the size', async () => {
    const report = JSON.parse(
      await run('build', '--weights', at('a.safetensors'), '--size', '128x128', '--out', at('size.onnx'), '--json'),
    );
    expect(report.card).toMatchObject({
      preset: 'edge-r18',
      input: { height: 128, width: 128 },
      network: { first: { proposals: 10 } },
    });
  });

  it('build has another form of the separated convolution, with the same weights', async () => {
    await run('build', '--weights', at('a.safetensors'), '--form', 'spectral', '--out', at('spectral.onnx'));
    const operators = decodeModel(await readFile(at('spectral.onnx'))).graph.nodes.map(({ op }) => op);
    expect(operators).toContain('FusedMatMul');
  });

  it("build takes a ResNet's own weights by their own names, its stride and its colours from the converter's note", async () => {
    const own = openSafetensors(at('a.safetensors'));
    const resnet = [...own.shapes]
      .filter(([name]) => /^(conv1|bn1|layer)/.test(name))
      .map(([name, dims]) => [name, { dims, data: own.read(name) }] as const);
    own.close();
    const note = { depth: 18, strideOn: '3x3', channels: 'bgr', mean: [1, 2, 3], std: [1, 1, 1] };
    const rest = [
      '--preset',
      'edge-r18',
      '--size',
      '64x96',
      '--weights',
      at('resnet.safetensors'),
      '--out',
      at('resnet.onnx'),
    ];
    // A whole ResNet has a last stage, which this network does without.
    const whole = new Map([...resnet, ['layer4.0.conv1.weight', { dims: [1], data: new Float32Array(1) }]]);
    await writeSafetensors(at('resnet.safetensors'), whole, { [BODY_KEY]: JSON.stringify(note) });
    const report = JSON.parse(await run('build', ...rest, '--seed', '2', '--json'));
    expect(report.card).toMatchObject({
      input: { channels: 'bgr', mean: [1, 2, 3] },
      network: { body: { strideOn: '3x3' } },
    });
    await expect(run('build', ...rest)).rejects.toThrow(
      /resnet\.safetensors: tensor separated\.wide\.0\.weight \[64,256,1,15\] is missing/,
    );
    await writeSafetensors(at('resnet.safetensors'), whole, { [BODY_KEY]: JSON.stringify({ ...note, depth: 50 }) });
    await expect(run('build', ...rest, '--seed', '2')).rejects.toThrow(
      'the weights are of ResNet-50, preset edge-r18 has ResNet-18',
    );
    await writeSafetensors(at('resnet.safetensors'), whole, {});
    await expect(run('build', ...rest, '--seed', '2')).rejects.toThrow('no place for layer4.0.conv1.weight [1]');
  });

  it('inspect tells card, inputs, outputs and cost', async () => {
    const report = JSON.parse(await run('inspect', at('a.onnx'), '--json'));
    expect(report).toMatchObject({
      file: at('a.onnx'),
      opset: 17,
      card: { preset: 'edge-r18' },
      inputs: [{ name: 'images', type: 'uint8', shape: ['N', 64, 96, 3] }],
    });
    expect(report.outputs.map(({ name }: { name: string }) => name)).toEqual([
      'boxes',
      'scores',
      'labels',
      'frames',
      'masks',
    ]);
    expect(report.stages.map(({ stage }: { stage: string }) => stage)).toEqual([
      'body',
      'separated',
      'rpn',
      'head',
      'box',
      'mask-head',
      'mask',
    ]);
    expect(report.multiplyAdds).toBe(
      report.stages.reduce((sum: number, stage: { multiplyAdds: number }) => sum + stage.multiplyAdds, 0),
    );
    const text = await run('inspect', at('a.onnx'));
    expect(text).toMatch(/card: edge-r18/);
    expect(text).toMatch(/separated +0\.\d+ G multiply-adds/);
  });

  it.each<[string, readonly string[], RegExp]>([
    ['no weights', [...SMALL], /no weights are given; say --weights FILE, or --seed N/],
    ['no preset', ['--weights', 'NOTE', '--seed', '1'], /carry no model card; say --preset/],
    [
      'another preset than the weights',
      ['--preset', 'framework1', '--weights', 'OWN'],
      /made for preset edge-r18, --preset says framework1/,
    ],
    [
      'other classes than the weights',
      ['--weights', 'OWN', '--classes', 'person,car'],
      /tensor box\.classes\.weight has shape \[81,1024\], the network needs \[3,1024\]/,
    ],
    [
      'no body',
      ['--preset', 'edge-yolox', '--seed', '1'],
      /takes its body from an ONNX file; say --body yolox-nano\.onnx/,
    ],
    ['a body too many', [...SMALL, '--seed', '1', '--body', 'x.onnx'], /has a ResNet for its body; leave --body out/],
    ['a size that does not suit', ['--preset', 'framework1', '--size', '100x100', '--seed', '1'], /multiple of 16/],
    ['a file that is none', ['--preset', 'framework1', '--weights', 'NONE'], /cannot be read/],
  ])('build refuses %s', async (_, args, message) => {
    await writeSafetensors(at('note.safetensors'), new Map(), {});
    const named: Record<string, string> = {
      OWN: at('a.safetensors'),
      NOTE: at('note.safetensors'),
      NONE: at('none.safetensors'),
    };
    const build = run('build', ...args.map((arg) => named[arg] ?? arg), '--out', at('no.onnx'));
    await expect(build).rejects.toThrow(InputError);
    await expect(run('build', ...args.map((arg) => named[arg] ?? arg), '--out', at('no.onnx'))).rejects.toThrow(
      message,
    );
    expect(await readdir(folder)).not.toContain('no.onnx');
  });

  it.each([
    ['--preset', 'framework3'],
    ['--size', '64'],
    ['--seed', '-1'],
    ['--proposals', 'many'],
    ['--form', 'fast'],
    ['--stride-on', '2x2'],
  ])('build refuses %s %s as usage', async (flag, value) => {
    await expect(run('build', ...SMALL, flag, value, '--out', at('no.onnx'))).rejects.toThrow(CommanderError);
  });

  it('inspect refuses what is no model', async () => {
    await writeFile(at('junk.onnx'), 'not a model');
    await expect(run('inspect', at('junk.onnx'))).rejects.toThrow(/junk\.onnx is no ONNX model or is damaged/);
    await expect(run('inspect', at('missing.onnx'))).rejects.toThrow(InputError);
  });
});
