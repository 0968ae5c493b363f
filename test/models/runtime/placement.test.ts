import { describe, expect, it } from 'vitest';
import { describePlacement, readPlacement } from '../../../models/runtime/placement.js';

const node = (name: string, op: string, provider: string) => ({
  cat: 'Node',
  name: `${name}_kernel_time`,
  dur: 10,
  args: { op_name: op, provider },
});

describe('where the nodes of a graph ran', () => {
  it('is read from a profile: each node once, copies between devices left out', () => {
    const profile = [
      { cat: 'Session', name: 'model_run', dur: 1 },
      node('a', 'Conv', 'WebGpuExecutionProvider'),
      node('a', 'Conv', 'WebGpuExecutionProvider'),
      node('b', 'TopK', 'CPUExecutionProvider'),
      node('c', 'Gather', 'CPUExecutionProvider'),
      node('d', 'Gather', 'CPUExecutionProvider'),
      node('e', 'MemcpyToHost', 'CPUExecutionProvider'),
    ];
    const placement = readPlacement(JSON.stringify(profile));
    expect(placement).toEqual({
      nodes: 4,
      onCpu: new Map([
        ['Gather', 2],
        ['TopK', 1],
      ]),
    });
    expect(describePlacement('webgpu', placement)).toBe('webgpu: 3 of 4 nodes run on the processor (2 Gather, 1 TopK)');
  });

  it('is told in one sentence when none fell back', () => {
    const all = readPlacement(JSON.stringify([node('a', 'Conv', 'CUDAExecutionProvider')]));
    expect(describePlacement('cuda', all)).toBe('cuda: all 1 nodes run there');
  });

  it('is not made up from what is no profile', () => {
    expect(() => readPlacement('{"nodes":1}')).toThrow(SyntaxError);
    expect(() => readPlacement('[{"cat"')).toThrow(SyntaxError);
  });
});
