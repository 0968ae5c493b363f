import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { InputError } from '../../../../config/errors.js';
import { readBenchmark, readResults, readSequenceInfo } from '../../../../models/eval/mot/benchmark.js';
import { parseMotRows } from '../../../../models/eval/mot/rows.js';

const folder = mkdtempSync(join(tmpdir(), 'maskcast-mot-'));
afterAll(() => rmSync(folder, { recursive: true }));

function write(path: string, text: string): string {
  const file = join(folder, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  return file;
}

describe('rows', () => {
  it('reads commas or blanks, CRLF, empty lines and rows out of order', () => {
    const rows = parseMotRows('2,7,1.5,2,3,4,0.9\r\n\r\n1 8 1 2 3 4\n', 'x');
    expect(rows).toEqual([
      { frame: 2, id: 7, left: 1.5, top: 2, width: 3, height: 4, value: 0.9 },
      { frame: 1, id: 8, left: 1, top: 2, width: 3, height: 4, value: 1 },
    ]);
  });

  it('reads class and visibility only where it is told to: MOT15 has world coordinates there', () => {
    const line = '1,2,3,4,5,6,1,7,0.25';
    expect(parseMotRows(line, 'x')[0]).not.toHaveProperty('classId');
    expect(parseMotRows(line, 'x', true)[0]).toMatchObject({ classId: 7, visibility: 0.25 });
  });

  it.each([
    ['1,2,3,4,5', 'det.txt:1 has 5 columns'],
    ['1,2,3,4,5,6\n1,2,3,x,5,6', 'det.txt:2 column 4 is "x"'],
    ['1,2,3,4,5,', 'det.txt:1 column 6 is ""'],
    ['1.5,2,3,4,5,6', 'det.txt:1 frame is 1.5'],
    ['1,2,3,4,5,Infinity', 'det.txt:1 column 6 is "Infinity"'],
  ])('refuses %j', (text, message) => {
    expect(() => parseMotRows(text, 'det.txt')).toThrow(message);
    expect(() => parseMotRows(text, 'det.txt')).toThrow(InputError);
  });
});

describe('a benchmark folder', () => {
  it('tells the layouts apart and takes the length from seqinfo.ini or from the last row', () => {
    write('one/A/gt/gt.txt', '3,1,1,1,5,5,1,-1,-1,-1\n');
    write('one/A/seqinfo.ini', '[Sequence]\nname=A\nframeRate=25\nseqLength=9\nimWidth=640\nimHeight=480\n');
    write('one/B/gt/gt.txt', '3,1,1,1,5,5,1,1,0.5\n');
    write('one/MOT20-01/gt/gt.txt', '3,1,1,1,5,5,1,1,0.5\n');
    write('one/note.txt', 'not a sequence');
    expect(readBenchmark(join(folder, 'one')).map(({ name, layout, frames }) => [name, layout, frames])).toEqual([
      ['A', 'MOT15', 9],
      ['B', 'MOT16', 3],
      ['MOT20-01', 'MOT20', 3],
    ]);
    expect(readBenchmark(join(folder, 'one/A'))).toHaveLength(1);
    expect(readSequenceInfo(join(folder, 'one/A'))).toEqual({ frames: 9, fps: 25, width: 640, height: 480 });
    expect(readSequenceInfo(join(folder, 'one/B'))).toBeUndefined();
  });

  it('finds results beside each other or by a pattern', () => {
    write('res/A.txt', '1,1,1,1,5,5\n');
    write('two/A/res/mine.txt', '1,1,1,1,5,5\n');
    expect(readResults(join(folder, 'res'), 'A').rows).toHaveLength(1);
    expect(readResults(join(folder, 'two/{seq}/res/mine.txt'), 'A').rows).toHaveLength(1);
  });

  it('says what is missing or wrong', () => {
    expect(() => readBenchmark(join(folder, 'nothing'))).toThrow(/nothing: cannot be read \(ENOENT\)/);
    mkdirSync(join(folder, 'empty'));
    expect(() => readBenchmark(join(folder, 'empty'))).toThrow(/empty: no gt\/gt.txt/);
    expect(() => readResults(join(folder, 'res'), 'B')).toThrow(/B.txt is missing; every sequence/);
    write('three/seqinfo.ini', '[Sequence]\nframeRate=0\nseqLength=9\n');
    expect(() => readSequenceInfo(join(folder, 'three'))).toThrow(/frameRate is "0"; it must be a number above 0/);
  });
});
