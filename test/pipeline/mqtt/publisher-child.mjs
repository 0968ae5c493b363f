// A publisher in a process of its own, to be killed: publishes what it is told and says so.
// argv: URL of the compiled publisher.js, broker URL, data folder, first n, number of events
const [, , program, url, dataFolder, first, count] = process.argv;
const { openPublisher } = await import(program);
const { mqttSchema } = await import(new URL('../../config/schema.js', program).href);
const { createLog } = await import(new URL('../log.js', program).href);
const publisher = await openPublisher({
  config: mqttSchema.parse({ url }),
  dataFolder,
  log: createLog('silent'),
  retry: { firstMs: 20, maxMs: 100, refusedMs: 200 },
});
publisher.publish('gate/status', { state: 'live' }, { qos: 1, retain: true });
for (let n = Number(first); n < Number(first) + Number(count); n++) {
  publisher.publish('gate/events', { n }, { qos: 1, retain: false });
}
// Time for the outbox to reach the disk; whoever started us waits for this line.
setTimeout(() => process.stdout.write('published\n'), 300);
setInterval(() => undefined, 1_000);
