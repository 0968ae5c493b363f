import { createHash } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { InputError } from '../../../config/errors.js';
import { writeModel } from '../../../models/onnx/encode.js';
import { GraphBuilder } from '../../../models/onnx/graph-builder.js';
import { addModel } from '../../../pipeline/model-store/add-model.js';
import { namedModelFile, storedModel } from '../../../pipeline/model-store/store.js';
import { writeSquareDetector } from '../../support/square-detector.js';
import { breakOnce, type ModelServer, serve, startModelServer } from './model-server.js';

describe('bringing a model into the data folder', () => {
  let folder = '';
  let data = '';
  let model: Buffer;
  let digest = '';
  let server: ModelServer | undefined;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'maskcast-models-'));
    await writeSquareDetector(join(folder, 'square.onnx'), { width: 64, height: 64 });
    model = await readFile(join(folder, 'square.onnx'));
    digest = createHash('sha256').update(model).digest('hex');
  });
  beforeEach(async () => {
    data = await mkdtemp(join(folder, 'data-'));
  });
  afterEach(async () => {
    await server?.stop();
    server = undefined;
  });
  afterAll(() => rm(folder, { recursive: true }));

  const start = async (
    answer: (request: IncomingMessage, response: ServerResponse, number: number) => void,
  ): Promise<string> => {
    server = await startModelServer(answer);
    return server.url;
  };
  const stored = async (): Promise<string[]> =>
    existsSync(join(data, 'models')) ? (await readdir(join(data, 'models'))).sort() : [];
  const quick = { pauseMs: 1 };
  /** Bytes of a download that broke off. */
  const kept = (name = 'square'): number => {
    const part = join(data, `models/${name}.onnx.part`);
    return existsSync(part) ? statSync(part).size : 0;
  };

  it('takes a file, says what it is, and has it by its name from then on', async () => {
    const added = await addModel(join(folder, 'square.onnx'), { data });
    expect(added).toMatchObject({
      name: 'square',
      adapter: 'maskcast',
      classes: ['person'],
      input: { width: 64, height: 64 },
      masks: false,
      sha256: digest,
      bytes: model.length,
    });
    expect(await stored()).toEqual(['square.onnx']);
    expect(Buffer.compare(await readFile(added.file), model)).toBe(0);
    expect(namedModelFile('square', data)).toBe(storedModel(data, 'square'));
    expect(() => namedModelFile('circle', data)).toThrow(/"circle" is neither a file nor a model .*known: square/);
    expect(namedModelFile('circle.onnx', data)).toBe('circle.onnx');
  });

  it('takes an address, with the digest that was given', async () => {
    const url = await start((request, response) => serve(model, request, response));
    const progress: number[] = [];
    const added = await addModel(url, {
      data,
      sha256: digest.toUpperCase(),
      onProgress: (bytes) => progress.push(bytes),
    });
    expect(added.sha256).toBe(digest);
    expect(progress[0]).toBe(0);
    expect(progress.at(-1)).toBe(model.length);
    expect(await stored()).toEqual(['square.onnx']);
  });

  it('goes on where the connection broke, several times', async () => {
    const url = await start((request, response, number) =>
      serve(
        model,
        request,
        response,
        number < 4 ? { breaks: { after: 300, arrived: () => kept() >= number * 300 } } : {},
      ),
    );
    await addModel(url, { data, ...quick, sha256: digest });
    expect(server?.ranges).toEqual(['', 'bytes=300-', 'bytes=600-', 'bytes=900-']);
  });

  it('goes on with what an earlier run left', async () => {
    const broken = (request: IncomingMessage, response: ServerResponse, number: number): void =>
      number === 1
        ? serve(model, request, response, { breaks: { after: 500, arrived: () => kept() >= 500 } })
        : void response.destroy();
    const url = await start(broken);
    await expect(addModel(url, { data, ...quick })).rejects.toThrow(/broke off 3 times .* 500 bytes are kept/);
    expect(kept()).toBe(500);
    await server?.stop();
    const again = await start((request, response) => serve(model, request, response));
    await addModel(again, { data, sha256: digest });
    expect(server?.ranges).toEqual(['bytes=500-']);
  });

  it('begins anew when the file changed in the meantime, or the server knows no ranges', async () => {
    const changed = await start((request, response, number) =>
      serve(
        model,
        request,
        response,
        number === 1
          ? { version: '"old"', breaks: { after: 400, arrived: () => kept() >= 400 } }
          : { version: '"new"' },
      ),
    );
    await addModel(changed, { data, ...quick, sha256: digest });
    expect(server?.ranges).toEqual(['', 'bytes=400-']);
    await server?.stop();
    const plain = await start((_request, response, number) => {
      response.writeHead(200, { 'content-length': model.length, etag: '"1"' });
      if (number > 1) response.end(model);
      else {
        response.write(model.subarray(0, 400));
        breakOnce(response, () => kept('plain') >= 400);
      }
    });
    await addModel(plain, { data, ...quick, name: 'plain', sha256: digest });
    expect(await stored()).toEqual(['plain.onnx', 'square.onnx']);
  });

  it('fetches all of it again where no version tells that the rest belongs to the beginning', async () => {
    const url = await start((_request, response, number) => {
      response.writeHead(200, { 'content-length': model.length });
      if (number > 1) response.end(model);
      else {
        response.write(model.subarray(0, 400));
        breakOnce(response, () => kept() >= 400);
      }
    });
    await addModel(url, { data, ...quick, sha256: digest });
    expect(server?.ranges).toEqual(['', '']);
  });

  it('does not believe a server that promises more than it sends', async () => {
    const url = await start((_request, response) => {
      response.writeHead(200, { 'content-length': model.length + 100 });
      response.write(model);
      breakOnce(response, () => kept() >= model.length);
    });
    await expect(addModel(url, { data, ...quick })).rejects.toThrow(/broke off/);
    expect(await stored()).not.toContain('square.onnx');
  });

  it('gives up a server that falls silent', async () => {
    const url = await start((_request, response) => {
      response.writeHead(200, { 'content-length': model.length });
      response.flushHeaders();
    });
    await expect(addModel(url, { data, ...quick, silenceMs: 50 })).rejects.toThrow(/nothing came for 0.05 s/);
  });

  it('tries again when the server is busy, and says so when it stays so', async () => {
    const url = await start((request, response, number) =>
      number < 3 ? void response.writeHead(503).end() : serve(model, request, response),
    );
    await addModel(url, { data, ...quick });
    await server?.stop();
    const never = await start((_request, response) => void response.writeHead(500).end());
    await expect(addModel(never, { data, ...quick, name: 'never' })).rejects.toThrow(/HTTP 500/);
  });

  it.each<[string, (request: IncomingMessage, response: ServerResponse) => void, object, RegExp]>([
    [
      'is not there',
      (_request, response) => void response.writeHead(404).end(),
      {},
      /HTTP 404 .*give the address of an ONNX file/,
    ],
    [
      'is a web page',
      (_request, response) => void response.end('<html>Sign in</html>'),
      {},
      /square\.onnx is no ONNX model/,
    ],
    ['is empty', (_request, response) => void response.end(), {}, /it is empty/],
    [
      'has another digest',
      (request, response) => serve(Buffer.alloc(9), request, response),
      { sha256: 'a'.repeat(64) },
      /its SHA-256 is [0-9a-f]{64}, --sha256 says a{64}/,
    ],
  ])('refuses what %s and leaves nothing behind', async (_, answer, options, message) => {
    const url = await start(answer);
    const adding = addModel(url, { data, ...quick, ...options });
    await expect(adding).rejects.toThrow(InputError);
    await expect(adding).rejects.toThrow(message);
    expect((await stored()).filter((name) => name.endsWith('.onnx') || name.endsWith('.part'))).toEqual([]);
  });

  it('refuses a model that no adapter knows, with what would be known', async () => {
    const g = new GraphBuilder({
      take: () => {
        throw new Error('this model has no weights');
      },
    });
    const x = g.input('x', 'float32', [1, 7]);
    await writeModel(
      join(folder, 'odd.onnx'),
      g.finish('odd', { y: g.node('Relu', [x], {}, { type: 'float32', dims: [1, 7] }) }, {}),
    );
    const adding = addModel(join(folder, 'odd.onnx'), { data });
    await expect(adding).rejects.toThrow(InputError);
    await expect(adding).rejects.toThrow(/odd\.onnx: no adapter knows this model[\s\S]*yolox/);
    expect(await stored()).toEqual([]);
  });

  it('never takes the place of a model that is there', async () => {
    await addModel(join(folder, 'square.onnx'), { data });
    await expect(addModel(join(folder, 'square.onnx'), { data })).rejects.toThrow(
      /named square is there already .*--name/,
    );
    await addModel(join(folder, 'square.onnx'), { data, name: 'other' });
    expect(await stored()).toEqual(['other.onnx', 'square.onnx']);
  });

  it('says when the disk takes nothing', async () => {
    await mkdir(join(data, 'models/square.onnx.part'), { recursive: true });
    const url = await start((request, response) => serve(model, request, response));
    await expect(addModel(url, { data, ...quick })).rejects.toThrow(/square\.onnx\.part: cannot be written/);
  });

  it.each([
    ['missing.onnx', {}, /cannot be read \(ENOENT\)/],
    ['ftp://host/a.onnx', {}, /only http:\/\/, https:\/\/ and files are known/],
    ['http://[', {}, /is no address/],
    ['http://127.0.0.1:1/..%2f', {}, /the model's name is "/],
    ['square.onnx', { name: '../up' }, /the model's name is "\.\.\/up"/],
    ['square.onnx', { sha256: 'abc' }, /--sha256 is "abc"; it must be 64 hexadecimal digits/],
  ])('refuses %s %j', async (from, options, message) => {
    const adding = addModel(from === 'square.onnx' ? join(folder, from) : from, { data, ...quick, ...options });
    await expect(adding).rejects.toThrow(message);
    await expect(adding).rejects.toThrow(InputError);
  });

  it('sends the password of an address and never shows it', async () => {
    let sent = '';
    const answer = (request: IncomingMessage, response: ServerResponse): void => {
      sent = request.headers.authorization ?? '';
      response.writeHead(403).end();
    };
    const url = (await start(answer)).replace('://', '://user:geheim@');
    const adding = addModel(`${url}?token=streng`, { data, ...quick });
    await expect(adding).rejects.toThrow(/HTTP 403/);
    expect(Buffer.from(sent.replace('Basic ', ''), 'base64').toString()).toBe('user:geheim');
    await adding.catch((cause: Error) => expect(cause.message).not.toMatch(/geheim|streng/));
  });
});
