import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { formsFor, withForms } from '../../models/kernels/forms.js';
import { assemble } from '../../models/nets/assemble.js';
import { readModel } from '../../models/onnx/decode.js';
import { writeModel } from '../../models/onnx/encode.js';
import { type ModelSession, openSession } from '../../models/runtime/session.js';
import { type Bench, type BenchRow, interleave, type Variant } from './harness.js';
import { busyPicture } from './pictures/busy-street.js';

const BASELINE = 'mask-rcnn-r50-c4';
const YOLOX = fileURLToPath(new URL('../../../../shared/weights/yolox-nano.onnx', import.meta.url));
const DEFAULT = fileURLToPath(new URL('../../../models/weights/default.onnx', import.meta.url));

/**
 * The shipped model, masks and all, on a picture with about twenty instances, in each exact form: against the boxes of YOLOX-nano
 * at 416×416 (where that file is at hand) and against the paper's baseline at its own size.
 */
export const bench: Bench = {
  about:
    'default-model: models/weights/default.onnx with masks of about 20 instances against yolox-nano at 416x416, batch 1. [--rounds n] [--model FILE] [--baseline: also Mask R-CNN R50-C4 at 800x1088, 12 s a round on a small machine]',
  async run(args, say): Promise<readonly BenchRow[]> {
    const { values } = parseArgs({
      args: [...args],
      options: { rounds: { type: 'string' }, model: { type: 'string' }, baseline: { type: 'boolean' } },
    });
    const rounds = Number(values.rounds ?? 15);
    const file = values.model ?? DEFAULT;
    const folder = await mkdtemp(join(tmpdir(), 'maskcast-default-'));
    const sessions: ModelSession[] = [];
    try {
      const rows: BenchRow[] = [];
      let busy: Awaited<ReturnType<typeof busyPicture>> | undefined;
      const forms = await filesOfForms(file, folder);
      for (const threads of [1, 2]) {
        const open = async (path: string): Promise<ModelSession> => {
          const session = await openSession({ file: path, provider: 'cpu', threads, note: say });
          sessions.push(session);
          return session;
        };
        const name = `${threads} thread${threads > 1 ? 's' : ''}`;
        const variants: Variant[] = [];
        if (existsSync(YOLOX)) {
          const session = await open(YOLOX);
          const images = {
            type: 'float32' as const,
            dims: [1, 3, 416, 416],
            data: new Float32Array(3 * 416 * 416).fill(114),
          };
          variants.push({ case: name, variant: 'yolox-nano', run: () => session.run({ images }) });
        }
        for (const [form, path] of forms) {
          const session = await open(path);
          busy ??= await busyPicture(session);
          const { picture } = busy;
          variants.push({ case: name, variant: `default ${form}`, run: () => session.run({ images: picture }) });
        }
        if (values.baseline && threads === 2) {
          const path = join(folder, 'baseline.onnx');
          const { model, card } = assemble({ preset: BASELINE, seed: 1 });
          await writeModel(path, model);
          const session = await open(path);
          const dims = [1, card.input.height, card.input.width, 3];
          const data = Uint8Array.from({ length: card.input.height * card.input.width * 3 }, (_, i) => (i * 7) % 256);
          variants.push({
            case: name,
            variant: BASELINE,
            run: () => session.run({ images: { type: 'uint8', dims, data } }),
          });
        }
        rows.push(...(await interleave(variants, { rounds, warmUp: 2 })));
        for (const session of sessions.splice(0)) await session.release();
      }
      return rows.map((row) => ({
        ...row,
        more: { instances: row.variant.startsWith('default') ? busy!.instances : 0 },
      }));
    } finally {
      for (const session of sessions) await session.release();
      await rm(folder, { recursive: true });
    }
  },
};

/** The model in every exact form that its graph can take. */
async function filesOfForms(file: string, folder: string): Promise<[string, string][]> {
  const model = readModel(file);
  const can = formsFor(model);
  const files: [string, string][] = [];
  for (const separated of can.separated) {
    for (const regions of can.regions) {
      const path = join(folder, `${separated}-${regions}.onnx`);
      await writeModel(path, withForms(file, model, { separated, regions }));
      files.push([`${separated}, ${regions}`, path]);
    }
  }
  return files;
}
