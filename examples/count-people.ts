// Counts the people of a video, with a graph of its own.
// Run:    node examples/count-people.ts VIDEO MODEL      (Node 22.18 or newer; after `npm run build`)
// Expect: a line whenever somebody comes or goes, and how many different people there were at the end.

import {
  batchFreshest,
  checkConfig,
  createLog,
  deriveEvents,
  detect,
  isDetected,
  openDetector,
  openSource,
  trackInstances,
} from 'maskcast';
import { filter, map, share, tap } from 'rxjs';

const [video = '', model = ''] = process.argv.slice(2);
const log = createLog('warn');
const config = checkConfig({ cameras: { video: { source: video, record: false } } });
const detector = await openDetector({ ...config.model, file: model, log });
const source = openSource({ camera: 'video', config: config.cameras.video!, input: detector.info.input, log });
const now = (): number => performance.now();

const people = source.messages.pipe(
  filter((message) => message.kind === 'frame'),
  map(({ frame }) => frame),
  batchFreshest({ maxBatch: 1, maxWaitMs: 20, workers: detector.info.workers }),
  detect((frames) => detector.detect(frames), now, console.error),
  filter(isDetected),
  trackInstances({ idPrefix: 'video', now }),
  deriveEvents({ labels: { person: 0.5 }, minUpdateS: 1 }),
  share(),
);

let count = 0;
await people
  .pipe(
    filter(({ type }) => type !== 'update'),
    tap(({ type, track, pts }) => {
      if (type === 'start') count++;
      console.log(`${pts.toFixed(1)} s: ${track} ${type === 'start' ? 'comes' : 'goes'}`);
    }),
  )
  .forEach(() => {});
console.log(`${count} people`);
await detector.close();
