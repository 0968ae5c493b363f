import { z } from 'zod';

/** Where the nodes of a graph ran. */
export interface Placement {
  readonly nodes: number;
  /** Nodes that ran on the processor, by operator, most first. */
  readonly onCpu: ReadonlyMap<string, number>;
}

const eventSchema = z.object({
  cat: z.literal('Node'),
  name: z.string(),
  args: z.object({ op_name: z.string(), provider: z.string() }),
});

/** Operators that ONNX Runtime puts in itself, to move tensors between devices. */
const COPIES = /^Memcpy(From|To)Host$/;

/**
 * Where each node ran, from the text of ONNX Runtime's profile: the only place that tells it. Nodes that ran more than once
 * count once.
 *
 * @throws SyntaxError when the text is no profile
 */
export function readPlacement(profile: string): Placement {
  const events: unknown = JSON.parse(profile);
  if (!Array.isArray(events)) throw new SyntaxError('a profile is a list of events');
  const providers = new Map<string, { op: string; provider: string }>();
  for (const event of events) {
    const parsed = eventSchema.safeParse(event);
    if (!parsed.success) continue; // Sessions, threads and memory have events of their own.
    const { op_name: op, provider } = parsed.data.args;
    if (!COPIES.test(op)) providers.set(parsed.data.name, { op, provider });
  }
  const counts = new Map<string, number>();
  for (const { op, provider } of providers.values())
    if (provider === 'CPUExecutionProvider') counts.set(op, (counts.get(op) ?? 0) + 1);
  return { nodes: providers.size, onCpu: new Map([...counts].toSorted(([, a], [, b]) => b - a)) };
}

/** `webgpu: 12 of 140 nodes run on the processor (8 Gather, 4 TopK)` */
export function describePlacement(provider: string, { nodes, onCpu }: Placement): string {
  const fallen = [...onCpu.values()].reduce((sum, count) => sum + count, 0);
  if (fallen === 0) return `${provider}: all ${nodes} nodes run there`;
  const list = [...onCpu].map(([op, count]) => `${count} ${op}`).join(', ');
  return `${provider}: ${fallen} of ${nodes} nodes run on the processor (${list})`;
}
