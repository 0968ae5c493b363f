// Counts the people of a video, with a graph of its own.
// Run:    node examples/count-people.ts VIDEO MODEL      (Node 22.18 or newer; after `npm run build`)
// Expect: a line whenever somebody comes or goes, and how many different people there were at the end.
import * as maskcast from 'maskcast';
import { filter, map } from 'rxjs';

const [video = '', model = ''] = process.argv.slice(2);
const log = maskcast.createLog('warn');
const config = maskcast.checkConfig({ cameras: { video: { source: video, record: false } } });
const detector = await maskcast.openDetector({ ...config.model, file: model, log });
const { input, workers } = detector.info;
const source = maskcast.openSource({ camera: 'video', config: config.cameras.video!, input, log });
const now = (): number => performance.now();

let count = 0;
await source.messages
  .pipe(
    filter((message) => message.kind === 'frame'),
    map(({ frame }) => frame),
    maskcast.batchFreshest({ maxBatch: 1, maxWaitMs: 20, workers }),
    maskcast.detect((frames) => detector.detect(frames), now, console.error),
    filter(maskcast.isDetected),
    maskcast.trackInstances({ idPrefix: 'video', now }),
    maskcast.deriveEvents({ labels: { person: 0.5 }, minUpdateS: 1 }),
    filter(({ type }) => type !== 'update'),
  )
  .forEach(({ type, track, pts }) => {
    if (type === 'start') count++;
    console.log(`${pts.toFixed(1)} s: ${track} ${type === 'start' ? 'comes' : 'goes'}`);
  });
console.log(`${count} people`);
await detector.close();
