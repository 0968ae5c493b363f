#!/usr/bin/env node
import { Command, CommanderError } from 'commander';
import { InputError } from '../config/errors.js';
import { clipCommand } from './commands/clip.js';
import { configCommand } from './commands/config.js';
import { demoCommand } from './commands/demo.js';
import { detectCommand } from './commands/detect.js';
import { doctorCommand } from './commands/doctor.js';
import { evalCommand } from './commands/eval.js';
import { modelCommand } from './commands/model.js';
import { runCommand } from './commands/run.js';
import { schemaCommand } from './commands/schema.js';
import { streetCommand } from './commands/street.js';
import { trackCommand } from './commands/track.js';
import { VERSION } from './version.js';

/** The command line: exit code 0 done, 1 failed while running, 2 the user's input is at fault. */
const program = new Command('maskcast')
  .description('Edge video analytics: cameras in, tracked instances over MQTT, annotated clips on disk')
  .version(VERSION)
  .showSuggestionAfterError()
  .showHelpAfterError('(add --help for the options)');

for (const command of [
  runCommand(),
  detectCommand(),
  clipCommand(),
  trackCommand(),
  evalCommand(),
  modelCommand(),
  configCommand(),
  schemaCommand(),
  doctorCommand(),
  demoCommand(),
  streetCommand(),
]) {
  program.addCommand(command);
}

// A reader that went away (`| head`) is no failure of ours.
process.stdout.on('error', (cause: NodeJS.ErrnoException) => {
  if (cause.code === 'EPIPE') process.exit(0);
  throw cause;
});

try {
  for (const command of allCommands(program)) command.exitOverride();
  await program.parseAsync();
} catch (cause) {
  if (cause instanceof CommanderError) process.exitCode = cause.exitCode === 0 ? 0 : 2;
  else {
    process.stderr.write(`maskcast: ${cause instanceof Error ? cause.message : String(cause)}\n`);
    if (!(cause instanceof InputError) && process.env.MASKCAST_DEBUG)
      process.stderr.write(`${(cause as Error).stack}\n`);
    process.exitCode = cause instanceof InputError ? 2 : 1;
  }
}

function allCommands(command: Command): Command[] {
  return [command, ...command.commands.flatMap(allCommands)];
}
