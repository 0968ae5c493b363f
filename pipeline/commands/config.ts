import { Command } from 'commander';
import { loadConfig } from '../../config/load.js';
import { configJsonSchema } from '../../config/schema.js';

/** `maskcast config check FILE | schema` */
export function configCommand(): Command {
  const check = new Command('check')
    .description('check a configuration file and say what it sets')
    .argument('<file>', 'configuration file (YAML)')
    .option('--json', 'print one JSON object')
    .action((file: string, { json }: { json?: boolean }) => {
      const cameras = Object.keys(loadConfig(file, process.env).cameras);
      const count = cameras.length === 1 ? '1 camera' : `${cameras.length} cameras`;
      process.stdout.write(
        json
          ? `${JSON.stringify({ file, valid: true, cameras })}\n`
          : `${file} is valid: ${count}${cameras.length ? ` (${cameras.join(', ')})` : ''}\n`,
      );
    });
  const schema = new Command('schema')
    .description('print the JSON Schema of the configuration, for editors')
    .action(() => void process.stdout.write(`${JSON.stringify(configJsonSchema(), null, 2)}\n`));
  return new Command('config')
    .description('check a configuration, print its schema')
    .addCommand(check)
    .addCommand(schema);
}
