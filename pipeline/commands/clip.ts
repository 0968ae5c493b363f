import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { SingleBar } from 'cli-progress';
import { Command } from 'commander';
import { InputError } from '../../config/errors.js';
import { probeClip } from '../ffmpeg/media-jobs.js';
import { annotateClip } from '../recording/annotate.js';
import { eventOf, listClips, type StoredClip } from '../recording/clip-library.js';
import { CLIP_FILES } from '../recording/make-clip.js';
import { readSidecar, type Sidecar } from '../recording/sidecar.js';
import { type ClipReport, verifyClip } from '../recording/verify-clip.js';

interface Options {
  readonly data: string;
  readonly json?: boolean;
}

/** `maskcast clip list|show|verify|render`: what lies in the data folder. */
export function clipCommand(): Command {
  const clip = new Command('clip').description('list, show, check and render the clips of a data folder');
  const sub = (usage: string, about: string): Command =>
    clip
      .command(usage)
      .description(about)
      .option('--data <folder>', 'data folder, as in the configuration', 'maskcast-data')
      .option('--json', 'print one JSON object on stdout and nothing else');

  sub('list', 'all clips, oldest first').action(async (options: Options) => {
    const clips = (await listClips(options.data)).map(listed);
    print(options, { clips }, () =>
      clips.map(({ clip, megabytes, files }) => `${clip}  ${megabytes} MB  ${Object.keys(files).join(' ')}`),
    );
  });
  sub('show <clip>', 'what one clip shows').action(async (id: string, options: Options) => {
    const stored = await find(id, options);
    const shown = { ...listed(stored), ...summary(await sidecarOf(stored, options)) };
    print(options, shown, () => Object.entries(shown).map(([key, value]) => `${key}: ${text(value)}`));
  });
  sub('verify [clips...]', 'check clips, all when none is named: files, pictures, times').action(verify);
  sub('render <clip>', 'draw annotated.mp4 again from clip.mp4 and tracks.json').action(render);
  return clip;
}

async function verify(ids: readonly string[], options: Options): Promise<void> {
  const chosen = ids.length > 0 ? await Promise.all(ids.map((id) => find(id, options))) : await listClips(options.data);
  const bar = progress('checked', chosen.length);
  const clips: ({ readonly clip: string } & ClipReport)[] = [];
  for (const { clip, folder } of chosen) {
    clips.push({ clip, ...(await verifyClip(join(options.data, folder))) });
    bar.increment();
  }
  bar.stop();
  const broken = clips.filter(({ problems }) => problems.length > 0).length;
  print(options, { clips, broken }, () => [
    ...clips.flatMap(({ clip, problems, decoded, analysed, annotated }) => [
      `${clip}  ${problems.length > 0 ? 'BROKEN' : 'good'}  ${decoded} pictures, ${analysed} analysed${annotated ? '' : ', not rendered'}`,
      ...problems.map((problem) => `  ${problem}`),
    ]),
    `${clips.length} clips, ${broken} broken`,
  ]);
  if (broken > 0) process.exitCode = 1;
}

async function render(id: string, options: Options): Promise<void> {
  const stored = await find(id, options);
  const folder = join(options.data, stored.folder);
  const sidecar = await sidecarOf(stored, options);
  const clip = join(folder, CLIP_FILES.clip);
  const probe = await probeClip(clip).catch((cause: Error) => {
    throw new InputError(`clip "${id}" cannot be rendered: ${cause.message}`, { cause });
  });
  const bar = progress('pictures', probe.timesS.length);
  const output = join(folder, CLIP_FILES.annotated);
  const unfinished = join(folder, `.tmp-${CLIP_FILES.annotated}`);
  try {
    const { pictures } = await annotateClip(clip, unfinished, probe, sidecar, { onPicture: () => bar.increment() });
    await rename(unfinished, output);
    bar.stop();
    print(options, { clip: id, annotated: output, pictures }, () => [`${output}: ${pictures} pictures`]);
  } finally {
    bar.stop();
    await rm(unfinished, { force: true });
  }
}

async function find(id: string, { data }: Options): Promise<StoredClip> {
  const stored = (await listClips(data)).find(({ clip }) => clip === id);
  if (!stored) {
    throw new InputError(
      `clip "${id}" is not in ${join(data, 'clips')}; "maskcast clip list --data ${data}" shows what is`,
    );
  }
  return stored;
}

async function sidecarOf({ clip, folder }: StoredClip, { data }: Options): Promise<Sidecar> {
  return readSidecar(join(data, folder, CLIP_FILES.tracks)).catch((cause: Error) => {
    throw new InputError(`clip "${clip}" has no readable tracks.json: ${cause.message}`, { cause });
  });
}

function listed({ clip, camera, files, bytes, writtenMs }: StoredClip) {
  return {
    clip,
    camera,
    event: eventOf(clip),
    written: new Date(writtenMs).toISOString(),
    megabytes: Math.round(bytes / 1e4) / 100,
    files,
  };
}

function summary({ start, end, frames, model, source, event }: Sidecar) {
  const tracks = new Map<string, { id: string; label: string; from: number; to: number; score: number }>();
  for (const { t, instances } of frames) {
    for (const { id, label, score, state } of instances) {
      if (state === 'lost') continue;
      const track = tracks.get(id) ?? { id, label, from: t, to: t, score };
      tracks.set(id, { ...track, label, to: t, score: Math.max(score, track.score) });
    }
  }
  return { start, end, model, source, event, analysed: frames.length, tracks: [...tracks.values()] };
}

function text(value: unknown): string {
  if (Array.isArray(value)) return value.map((item) => `\n  ${text(item)}`).join('');
  if (typeof value !== 'object' || value === null) return String(value);
  return Object.entries(value)
    .map(([key, inner]) => `${key} ${text(inner)}`)
    .join(', ');
}

function print(options: Options, json: unknown, lines: () => readonly string[]): void {
  process.stdout.write(
    options.json
      ? `${JSON.stringify(json)}\n`
      : lines()
          .map((line) => `${line}\n`)
          .join(''),
  );
}

/** Shows itself only to people, and only when it takes a while. */
function progress(what: string, total: number): SingleBar {
  const bar = new SingleBar({
    format: `{bar} {value}/{total} ${what}`,
    stream: process.stderr,
    noTTYOutput: false,
    clearOnComplete: true,
  });
  bar.start(total, 0);
  return bar;
}
