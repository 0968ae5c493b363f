import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { InputError } from '../../../config/errors.js';
import { evalMotCommand } from '../../../pipeline/commands/eval-mot.js';
import { trackCommand } from '../../../pipeline/commands/track.js';

const folder = mkdtempSync(join(tmpdir(), 'maskcast-track-'));
afterAll(() => rmSync(folder, { recursive: true }));
const path = (name: string): string => join(folder, name);

function write(name: string, text: string): string {
  mkdirSync(dirname(path(name)), { recursive: true });
  writeFileSync(path(name), text);
  return path(name);
}

/** Two walkers in 30 frames; the ground truth is what the detector saw. */
function sequence(name: string): void {
  const boxes = Array.from({ length: 30 }, (_, index) => [
    `${index + 1},ID1,${100 + 3 * index},50,40,100`,
    `${index + 1},ID2,${500 - 3 * index},60,45,110`,
  ]).flat();
  write(`${name}/seqinfo.ini`, `[Sequence]\nframeRate=25\nseqLength=30\nimWidth=640\nimHeight=480\n`);
  write(`${name}/gt/gt.txt`, boxes.map((box) => `${box.replace('ID', '')},1,-1,-1,-1`).join('\n'));
  write(`${name}/det/det.txt`, boxes.map((box) => `${box.replace(/ID./, '-1')},0.97,-1,-1,-1`).join('\n'));
}

async function stdoutOf(work: () => Promise<unknown>): Promise<string> {
  let text = '';
  const spy = vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
    text += String(chunk);
    return true;
  });
  try {
    await work();
  } finally {
    spy.mockRestore();
  }
  return text;
}

const track = (...args: string[]) => stdoutOf(() => trackCommand().parseAsync(args, { from: 'user' }));
const evalMot = (...args: string[]) => stdoutOf(() => evalMotCommand().parseAsync(args, { from: 'user' }));

describe('maskcast track and eval mot', () => {
  sequence('bench/A');
  sequence('bench/B');

  it('tracks a folder of sequences, and the evaluator takes what it wrote', async () => {
    const told = JSON.parse(await track('--detections', path('bench'), '--out', path('out'), '--json'));
    expect(told.sequences).toEqual(
      ['A', 'B'].map((name) => ({ name, frames: 30, tracks: 2, out: path(`out/${name}.txt`) })),
    );
    const { overall, sequences } = JSON.parse(
      await evalMot('--gt', path('bench'), '--results', path('out'), '--json', '--switches', 'trackeval'),
    );
    // One frame of each walker goes by before the track is confirmed.
    expect(overall).toMatchObject({ FN: 4, FP: 0, IDSW: 0, GT: 4, MT: 4 });
    for (const key of 'MOTA MOTP IDF1 IDP IDR FP FN IDSW FM MT PT ML HOTA DetA AssA LocA'.split(' ')) {
      expect(Number.isFinite(overall[key]), key).toBe(true);
    }
    expect(Object.keys(sequences)).toEqual(['A', 'B']);
  });

  it('tracks one file, frame rate from seqinfo.ini or by hand', async () => {
    const det = path('bench/A/det/det.txt');
    expect(await track('--detections', det, '--out', path('one.txt'))).toContain('A: 30 frames, 2 tracks');
    expect(readFileSync(path('one.txt'), 'utf8').split('\n')[0]).toMatch(/^2,1,\d+\.\d\d,.*,-1,-1,-1$/);
    write('bare/det.txt', readFileSync(det, 'utf8'));
    await expect(track('--detections', path('bare/det.txt'), '--out', path('two.txt'))).rejects.toThrow(
      /give it with --fps/,
    );
    await track('--detections', path('bare/det.txt'), '--out', path('two.txt'), '--fps', '25');
    expect(readFileSync(path('two.txt'), 'utf8')).toBe(readFileSync(path('one.txt'), 'utf8'));
  });

  it('prints an aligned table with a line for each sequence and one for all', async () => {
    const lines = (await evalMot('--gt', path('bench'), '--results', path('bench/{seq}/gt/gt.txt')))
      .trimEnd()
      .split('\n');
    expect(lines.map((line) => line.split(/\s+/)[0])).toEqual(['sequence', 'A', 'B', 'OVERALL']);
    expect(new Set(lines.map((line) => line.length)).size).toBe(1);
    expect(lines[3]).toMatch(/100\.00/);
  });

  it('scores chosen sequences only', async () => {
    const args = ['--gt', path('bench'), '--results', path('bench/{seq}/gt/gt.txt'), '--json'];
    expect(Object.keys(JSON.parse(await evalMot(...args, '--sequences', 'B')).sequences)).toEqual(['B']);
    await expect(evalMot(...args, '--sequences', 'C')).rejects.toThrow(/names "C".*it has A, B/);
  });

  it.each([
    [['--detections', 'nowhere', '--out', 'x'], /nowhere: cannot be read \(ENOENT\)/],
    [['--detections', folder, '--out', 'x', '--fps', '0'], /--fps is "0"/],
    [['--detections', folder, '--out', 'x', '--coast', 'no'], /--coast is "no"/],
    [['--detections', dirname(write('empty/note.txt', '')), '--out', 'x'], /no det\/det.txt in it/],
    [
      ['--detections', write('bad/det.txt', '1,-1,2,3,4,5,0.5\n2,-1,2,oops,4,5,0.5'), '--out', path('y'), '--fps', '9'],
      /det.txt:2 column 4 is "oops"/,
    ],
    [['--detections', path('bench'), '--out', path('bad/det.txt')], /cannot be written/],
  ])('says what is wrong: %j', async (args, message) => {
    const failure = await track(...args).catch((cause: unknown) => cause);
    expect(failure).toBeInstanceOf(InputError);
    expect((failure as Error).message).toMatch(message);
  });

  it('says which results are missing', async () => {
    await expect(evalMot('--gt', path('bench'), '--results', path('empty'))).rejects.toThrow(/A\.txt is missing/);
  });
});
