import { describe, expect, it } from 'vitest';
import { chooseLayout } from '../../../pipeline/inference/layout.js';

describe('chooseLayout', () => {
  it.each([
    ['auto', 'auto', 1, 1, 1],
    ['auto', 'auto', 2, 2, 1],
    ['auto', 'auto', 16, 8, 2],
    ['auto', 2, 8, 4, 2],
    ['auto', 4, 2, 1, 4],
    [1, 'auto', 4, 1, 4],
    [3, 'auto', 8, 3, 2],
    [4, 'auto', 2, 4, 1],
    [3, 5, 2, 3, 5],
  ] as const)('on CPU workers %s, threads %s of %d cores are %d x %d', (workers, threads, cores, ...expected) => {
    expect(Object.values(chooseLayout({ workers, threads }, cores, true))).toEqual(expected);
  });

  it('a device has one worker unless the user says otherwise', () => {
    expect(chooseLayout({ workers: 'auto', threads: 'auto' }, 16, false)).toEqual({ workers: 1, threads: 1 });
    expect(chooseLayout({ workers: 2, threads: 'auto' }, 16, false)).toEqual({ workers: 2, threads: 1 });
  });
});
