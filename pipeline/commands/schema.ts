import { Argument, Command } from 'commander';
import { InputError } from '../../config/errors.js';
import { MESSAGES, messageJsonSchema, messageName } from '../mqtt/messages.js';

/** `maskcast schema TOPIC`: prints the JSON Schema of a topic's payload. */
export function schemaCommand(): Command {
  return new Command('schema')
    .description('print the JSON Schema of the messages of an MQTT topic')
    .addArgument(new Argument('<topic>', `one of ${topics()}`))
    .action((topic: string) => {
      const name = messageName(topic);
      if (!name) throw new InputError(`topic is "${topic}"; it must be one of ${topics()}`);
      process.stdout.write(`${JSON.stringify(messageJsonSchema(name), null, 2)}\n`);
    });
}

function topics(): string {
  return Object.entries(MESSAGES)
    .map(([name, { topic }]) => (topic.endsWith(`/${name}`) || topic === name ? name : `${name} (${topic})`))
    .join(', ');
}
