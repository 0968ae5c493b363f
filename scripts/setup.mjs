// Makes a fresh clone ready: packages, build, system programs. Plain JavaScript, for nothing is installed yet.
// Everything is said on stderr, so that a command's stdout stays its own.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));
const say = (line) => process.stderr.write(`${line}\n`);

/** Least versions of the programs that we call. */
const PROGRAMS = {
  ffmpeg: { probe: ['-version'], version: /version n?(\d+)/, least: 5, why: 'decodes cameras and writes clips' },
  mosquitto: { probe: ['-h'], version: /version (\d+)/, least: 2, why: 'is the broker that the tests publish to' },
};

/** Package managers in the order tried: how to install, and whether that needs root. */
const MANAGERS = [
  {
    name: 'apt-get',
    install: (what) => [
      ['apt-get', 'update', '-q'],
      ['apt-get', 'install', '-y', '-q', '--no-install-recommends', ...what],
    ],
    root: true,
  },
  { name: 'dnf', install: (what) => [['dnf', 'install', '-y', ...what]], root: true },
  { name: 'pacman', install: (what) => [['pacman', '-Sy', '--noconfirm', ...what]], root: true },
  { name: 'apk', install: (what) => [['apk', 'add', ...what]], root: true },
  { name: 'zypper', install: (what) => [['zypper', '-n', 'install', ...what]], root: true },
  { name: 'brew', install: (what) => [['brew', 'install', ...what]], root: false },
];

/** Installs packages, builds, and sees to the named system programs. Ends the process with a clear line if it cannot. */
export function setUp(programs) {
  checkNode();
  installPackages();
  build();
  installPrograms(programs.filter((name) => !ready(name)));
}

/**
 * Runs one of our own programs in the foreground and resolves with its exit code. SIGTERM is handed on, and SIGINT
 * where no terminal has sent it to the whole group already.
 */
export function runNode(args, env = {}) {
  const child = spawn(process.execPath, args, { stdio: 'inherit', env: { ...process.env, ...env } });
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  process.on('SIGINT', () => {
    if (!process.stdin.isTTY) child.kill('SIGINT');
  });
  return new Promise((resolve) => child.on('exit', (code, signal) => resolve(signal ? 1 : (code ?? 1))));
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  fail(
    `Node is ${process.versions.node}; maskcast needs 20.19 or newer: see https://nodejs.org or your package manager`,
  );
}

function installPackages() {
  const lock = join(root, 'package-lock.json');
  const marker = join(root, 'node_modules', '.maskcast-installed');
  const wanted = readFileSync(lock, 'utf8');
  if (existsSync(marker) && readFileSync(marker, 'utf8') === wanted) return;
  say('Installing packages (npm ci) …');
  run(
    ['npm', 'ci', '--no-audit', '--no-fund', '--loglevel=error'],
    'npm could not install the packages; its lines above say why',
  );
  writeFileSync(marker, wanted);
}

function build() {
  const marker = join(root, 'dist', '.maskcast-built');
  const sources = [
    'config',
    'operators',
    'models',
    'pipeline',
    'test',
    'tsconfig.json',
    'tsconfig.build.json',
    'package-lock.json',
  ];
  const newest = Math.max(...sources.map((name) => newestIn(join(root, name))));
  if (existsSync(marker) && statSync(marker).mtimeMs >= newest) return;
  say('Building …');
  run(
    [process.execPath, join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', 'tsconfig.build.json'],
    'the build failed',
  );
  writeFileSync(marker, '');
}

function newestIn(path) {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => newestIn(join(path, name))));
}

function ready(name) {
  const { probe, version, least } = PROGRAMS[name];
  const { stdout, stderr, error } = spawnSync(name, probe, {
    encoding: 'utf8',
    env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/usr/local/sbin` },
  });
  if (error) return false;
  const found = version.exec(`${stdout}${stderr}`)?.[1];
  // A build from git names no version; it is newer than what we ask for.
  return found === undefined || Number(found) >= least;
}

function installPrograms(missing) {
  if (missing.length === 0) return;
  const manager = MANAGERS.find(({ name }) => !spawnSync(name, ['--version'], { stdio: 'ignore' }).error);
  const commands = manager?.install(missing) ?? [];
  const isRoot = process.getuid?.() === 0;
  const sudo = !isRoot && manager?.root ? ['sudo', '-n'] : [];
  const mayInstall =
    manager && (sudo.length === 0 || spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status === 0);
  if (mayInstall) {
    say(`Installing ${missing.join(' and ')} (${manager.name}) …`);
    for (const command of commands)
      spawnSync(sudo[0] ?? command[0], [...sudo.slice(1), ...(sudo.length ? command : command.slice(1))], {
        stdio: ['ignore', 2, 2],
        env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      });
  }
  const still = missing.filter((name) => !ready(name));
  if (still.length === 0) return;
  for (const name of still) say(`${name} ${PROGRAMS[name].least} or newer is missing; it ${PROGRAMS[name].why}.`);
  const typed = commands.map((command) => `${manager.root && !isRoot ? 'sudo ' : ''}${command.join(' ')}`).join(' && ');
  fail(
    typed
      ? `Type this, then try again:\n  ${typed}`
      : `Install ${still.join(' and ')} with your system's package manager, then try again.`,
  );
}

function run(command, otherwise) {
  const { status, error } = spawnSync(command[0], command.slice(1), { cwd: root, stdio: ['ignore', 2, 2] });
  if (error || status !== 0) fail(`${otherwise}${error ? ` (${error.message})` : ''}`);
}

function fail(line) {
  say(line);
  process.exit(1);
}
