import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLog } from '../../pipeline/log.js';
import { startRtspServer } from '../../pipeline/rtsp-server/server.js';
import { runCli, startCli } from '../support/cli.js';
import { numberOf, readPictures, squareOf, writeNumberedVideo } from '../support/numbered-video.js';
import { writeSquareDetector } from '../support/square-detector.js';

/** The whole program on a video that we draw and a detector that we know: what must come out is exact. */
const size = { width: 320, height: 240 };
const folder = mkdtempSync(join(tmpdir(), 'maskcast-run-'));
const file = (name: string): string => join(folder, name);
const model = file('square.onnx');
const encoder = ['-c:v', 'libx264', '-preset', 'veryfast', '-crf', '12', '-bf', '2', '-g', '20', '-pix_fmt', 'yuv420p'];

beforeAll(async () => {
  await writeSquareDetector(model, size);
  await writeNumberedVideo(file('plain.mp4'), { ...size, times: { rate: '25', count: 120 }, encoder });
  await writeNumberedVideo(file('ntsc.mp4'), { ...size, times: { rate: '30000/1001', count: 120 }, encoder });
  const uneven = Array.from({ length: 100 }, (_, n) => n * 40 + [0, 13, 29, 7, 31][n % 5]!);
  await writeNumberedVideo(file('uneven.mkv'), { ...size, times: uneven, encoder });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function writeConfig(name: string, cameras: Record<string, unknown>, more: Record<string, unknown> = {}): string {
  const config = {
    mqtt: { embedded: { port: 0 } },
    model: { file: model, workers: 1, threads: 1 },
    data: file(`${name}-data`),
    log: 'warn',
    cameras,
    ...more,
  };
  writeFileSync(file(`${name}.yaml`), JSON.stringify(config));
  return file(`${name}.yaml`);
}

interface Message {
  readonly topic: string;
  readonly payload: Record<string, unknown> & {
    type?: string;
    instances?: { id: string; box: number[] }[];
    state?: string;
    files?: Record<string, string>;
  };
}

/** Messages and the closing summary of a run with `--print --json`. */
function parse(stdout: string): { messages: Message[]; summary: { cameras: Record<string, Record<string, number>> } } {
  const lines = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  return { messages: lines.slice(0, -1), summary: lines.at(-1) };
}

const near = (box: readonly number[], want: readonly number[]): boolean =>
  box.every((side, index) => Math.abs(side - want[index]!) <= 1.5);

/** Checks that each analysed frame of each clip lies on the very picture whose square it found. Gives their number. */
async function expectFrameExact(data: string, messages: readonly Message[]): Promise<number> {
  let checked = 0;
  let rendered = 0;
  const ready = messages.filter(({ topic, payload }) => topic.endsWith('/clips') && payload.state === 'ready');
  expect(ready.length).toBeGreaterThan(0);
  for (const { payload } of ready) {
    const { clip, annotated, best, tracks } = payload.files!;
    // Rendering may be given up when the program is told to end; what is named must be there.
    for (const path of [clip, best, tracks, ...(annotated ? [annotated] : [])]) {
      expect(existsSync(join(data, path!)), path).toBe(true);
    }
    rendered += annotated ? 1 : 0;
    const sidecar = JSON.parse(readFileSync(join(data, tracks!), 'utf8'));
    const pictures = await readPictures(join(data, clip!));
    for (const frame of sidecar.frames) {
      const shown = pictures.find(({ tS }) => Math.abs(tS - frame.t) < 0.002);
      expect(shown, `a picture at ${frame.t} s`).toBeDefined();
      for (const { box, state } of frame.instances) {
        if (state === 'lost') continue;
        expect(
          near(box, squareOf(numberOf(shown!.picture), size)),
          `box ${box} in picture ${numberOf(shown!.picture)}`,
        ).toBe(true);
        checked++;
      }
    }
  }
  expect(rendered).toBeGreaterThan(0);
  return checked;
}

/** Every event of the camera has exactly one start and then exactly one end. Gives the events. */
function expectWholeEvents(messages: readonly Message[], camera: string): string[] {
  const byEvent = new Map<string, string[]>();
  for (const { topic, payload } of messages) {
    if (topic !== `maskcast/${camera}/events` || payload.type === 'update') continue;
    byEvent.set(String(payload.event), [...(byEvent.get(String(payload.event)) ?? []), payload.type!]);
  }
  for (const types of byEvent.values()) expect(types).toEqual(['start', 'end']);
  return [...byEvent.keys()];
}

describe('maskcast run', () => {
  it.each(['plain.mp4', 'ntsc.mp4', 'uneven.mkv'])(
    'records %s with every box on the very picture it was found in',
    async (name) => {
      const config = writeConfig(name, { cam: { source: file(name), record: { preRoll: 1, postRoll: 1 } } });
      const { code, stdout, stderr } = await runCli(['run', config, '--print', '--json']);
      expect(stderr).toBe('');
      expect(code).toBe(0);
      const { messages, summary } = parse(stdout);
      const { frames, analysed, dropped, tracks, events, clips } = summary.cameras.cam!;
      // The square jumps where it bounces; whether its track bridges that is the tracker's own affair.
      expect({ dropped, tracks, clips }).toEqual({ dropped: 0, tracks: events, clips: events });
      expect(analysed).toBe(frames);
      expect(expectWholeEvents(messages, 'cam')).toHaveLength(events!);
      expect(await expectFrameExact(file(`${name}-data`), messages)).toBeGreaterThan(90);
    },
  );

  it('gives the same tracks twice, byte for byte but for the start part of the ids and what clocks measure', async () => {
    const runs = await Promise.all(
      ['one', 'two'].map(async (name) => {
        const config = writeConfig(name, { cam: { source: file('plain.mp4'), record: false } });
        const { stdout } = await runCli(['run', config, '--print', '--json']);
        return parse(stdout)
          .messages.filter(({ topic }) => topic.endsWith('/tracks') || topic.endsWith('/events'))
          .map(({ topic, payload: { latency, ...rest } }) =>
            JSON.stringify({ topic, rest }).replace(/cam-[0-9a-z]+-/g, 'cam-*-'),
          );
      }),
    );
    expect(runs[0]!.length).toBeGreaterThan(120);
    expect(runs[1]).toEqual(runs[0]);
  });

  it('does the same over RTSP, comes back after a drop, and the other camera never notices', async () => {
    const server = await startRtspServer({
      mounts: { cam: { file: file('plain.mp4') } },
      startAtBeginning: true,
      log: createLog('silent'),
    });
    const config = writeConfig('rtsp', {
      far: { source: server.url('cam'), fps: 25, record: { preRoll: 1, postRoll: 1 } },
      near: { source: file('plain.mp4'), loop: true, live: true, record: false },
    });
    const run = startCli(['run', config, '--print', '--json']);
    const seen = (topic: string, state?: string): number =>
      run
        .output()
        .split('\n')
        .filter((line) => line.includes(`"maskcast/${topic}"`) && (!state || line.includes(`"state":"${state}"`)))
        .length;
    try {
      await until(() => seen('far/tracks') > 60);
      const before = seen('near/tracks');
      server.drop();
      await until(() => seen('far/status', 'reconnecting') > 0);
      const lost = seen('far/tracks');
      const lostAt = performance.now();
      await until(() => seen('far/tracks') > lost + 40);
      expect(performance.now() - lostAt).toBeLessThan(12_000);
      expect(seen('near/tracks')).toBeGreaterThan(before + 20);
      // On a busy machine the end below would come before anything is rendered, and rendering is given up then.
      await until(() => seen('far/clips', 'ready') > 0);
    } finally {
      run.child.kill('SIGTERM');
      await run.done;
      await server.stop();
    }
    const { code, stdout } = await run.done;
    expect(code).toBe(0);
    const { messages } = parse(stdout);
    // Both epochs ended their event: at the loss of the camera and at the stop.
    const epochs = new Set(expectWholeEvents(messages, 'far').map((event) => event.split('-')[1]));
    expect(epochs.size).toBe(2);
    expect(await expectFrameExact(file('rtsp-data'), messages)).toBeGreaterThan(40);
  });

  it('leaves no child process and answers a signal with ended events within ten seconds', async () => {
    const config = writeConfig('stop', {
      cam: { source: file('plain.mp4'), loop: true, live: true, record: { preRoll: 1, postRoll: 1 } },
    });
    const run = startCli(['run', config, '--print', '--json']);
    await until(() => run.output().includes('"type":"start"'));
    const start = performance.now();
    run.child.kill('SIGINT');
    const { code, stdout } = await run.done;
    expect(performance.now() - start).toBeLessThan(10_000);
    expect(code).toBe(0);
    expect(expectWholeEvents(parse(stdout).messages, 'cam').length).toBeGreaterThan(0);
    expect(childrenOf(run.child.pid!)).toEqual([]);
  });

  it('keeps the other cameras running when one is refused, and says so once', async () => {
    writeFileSync(file('text.mp4'), 'not a video');
    const config = writeConfig('refused', {
      bad: { source: file('text.mp4') },
      good: { source: file('plain.mp4'), record: false },
    });
    const { code, stdout, stderr } = await runCli(['run', config, '--print', '--json']);
    expect(code).toBe(2);
    expect(stderr.match(/text\.mp4/g)).toHaveLength(1);
    const { messages, summary } = parse(stdout);
    expect(summary.cameras.good).toMatchObject({ analysed: 120 });
    expect(
      messages.filter(({ topic, payload }) => topic === 'maskcast/bad/status' && payload.state === 'failed'),
    ).toHaveLength(1);
  });

  it.each([
    [['run'], /no camera is named/],
    [['run', '--source', 'a=x.mp4', '--source', 'a=y.mp4'], /the camera name "a" is given twice/],
    [['run', '--source', 'a b=x.mp4'], /the camera name is "a b"; it must be 1 to 64 characters/],
    [['run', '--source', 'no-such-file.mp4', '--mqtt', 'mqtt://127.0.0.1:1'], /no-such-file\.mp4/],
    [['run', '--source', 'x.mp4', '--mqtt', 'http://user:secret@host'], /mqtt\.url is "http:\/\/\*\*\*@host"/],
    [['run', 'no-such.yaml'], /no-such\.yaml: cannot be read \(ENOENT\)/],
    [['run', '--no-such-option'], /unknown option '--no-such-option'/],
    [['detect', 'no-such.jpg'], /no-such\.jpg: cannot be read/],
    [['schema', 'nothing'], /topic is "nothing"/],
    [['nothing'], /unknown command 'nothing'/],
  ])('refuses %j with exit code 2 and one clear message', async (args, message) => {
    const withModel = args[0] === 'run' || args[0] === 'detect' ? [...args, '--model', model] : args;
    const { code, stderr, stdout } = await runCli(
      args[0] === 'run' && args.length > 1 ? [...withModel, '--data', file('never')] : withModel,
    );
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/secret| at .*\.js:\d/);
    expect(stdout).toBe('');
  });
});

async function until(done: () => boolean, withinMs = 45_000): Promise<void> {
  const start = performance.now();
  while (!done()) {
    if (performance.now() - start > withinMs) throw new Error('waited in vain');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Processes whose parent is, or was, `pid`. */
function childrenOf(pid: number): string[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .filter((entry) => {
      try {
        return new RegExp(`^PPid:\\s+${pid}$`, 'm').test(readFileSync(`/proc/${entry}/status`, 'utf8'));
      } catch {
        return false;
      }
    });
}
