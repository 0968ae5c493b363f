import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { modelAddCommand, modelListCommand } from '../../../pipeline/commands/model-store.js';
import { defaultModelFile, modelFile, runSettings, shippedModelFiles } from '../../../pipeline/settings.js';
import { writeSquareDetector } from '../../support/square-detector.js';

describe('maskcast model add and list', () => {
  let folder = '';
  let data = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'maskcast-model-store-'));
    data = join(folder, 'data');
    await writeSquareDetector(join(folder, 'square.onnx'), { width: 96, height: 64 });
  });
  afterAll(() => rm(folder, { recursive: true }));

  const run = async (make: () => ReturnType<typeof modelAddCommand>, ...args: string[]): Promise<string> => {
    let text = '';
    vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
      text += String(chunk);
      return true;
    });
    try {
      await make().exitOverride().parseAsync(args, { from: 'user' });
    } finally {
      vi.restoreAllMocks();
    }
    return text;
  };
  interface Entry {
    readonly name?: string;
    readonly file: string;
    readonly default: boolean;
    readonly fault?: string;
  }
  const list = async (): Promise<Entry[]> => JSON.parse(await run(modelListCommand, '--data', data, '--json')).models;

  it('add prints what it took; list shows it, and the default where there is one', async () => {
    const added = JSON.parse(
      await run(modelAddCommand, join(folder, 'square.onnx'), '--data', data, '--name', 'mine', '--json'),
    );
    expect(added).toMatchObject({
      name: 'mine',
      adapter: 'maskcast',
      classes: ['person'],
      input: { width: 96, height: 64 },
    });
    const models = await list();
    const shipped = [...shippedModelFiles().values()];
    expect(models.filter(({ file, default: isDefault }) => !isDefault && !shipped.includes(file))).toEqual([
      { ...added, default: false },
    ]);
    expect(models.map(({ file }) => file)).toEqual(expect.arrayContaining(shipped));
    expect(models.filter((model) => model.default).map(({ file }) => file)).toEqual(
      [defaultModelFile()].filter(Boolean),
    );
    const text = await run(modelListCommand, '--data', data);
    expect(text).toContain('mine: maskcast, boxes, input 96x64');
    expect(text).toContain(added.sha256);
  });

  it('nothing takes the name of a model that comes with maskcast', async () => {
    const add = run(modelAddCommand, join(folder, 'square.onnx'), '--data', data, '--name', 'default.int8');
    await expect(add).rejects.toThrow(/the model's name is "default.int8", which is .* comes with maskcast.*--name/);
    expect((await list()).filter(({ name }) => name === 'default.int8')).toHaveLength(1);
  });

  it('list names a damaged file and goes on', async () => {
    await mkdir(join(data, 'models'), { recursive: true });
    await writeFile(join(data, 'models/junk.onnx'), 'junk');
    const models = await list();
    expect(models.find(({ file }) => file.endsWith('junk.onnx'))?.fault).toMatch(/is no ONNX model/);
    expect(models.some(({ name }) => name === 'mine')).toBe(true);
  });

  it("a model's name stands for its file", () => {
    const file = join(data, 'models/mine.onnx');
    expect(modelFile('mine', data)).toBe(file);
    expect(modelFile('default', data)).toBe(modelFile(undefined));
    expect(modelFile('default.int8', data)).toMatch(/models\/weights\/default\.int8\.onnx$/);
    expect(runSettings(undefined, { model: 'mine', data, source: ['x.mp4'] }).model.file).toBe(file);
    expect(() => runSettings(undefined, { model: 'other', data })).toThrow(
      /model "other" is neither a file nor a model .*known: junk, mine/,
    );
  });
});
