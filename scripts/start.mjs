// `npm start`: the demonstration. `npm start -- --source … --model …`: `maskcast run` with these arguments.
import { join } from 'node:path';
import { root, runNode, setUp } from './setup.mjs';

setUp(['ffmpeg']);
const args = process.argv.slice(2);
process.exitCode = await runNode([
  join(root, 'dist/pipeline/main.js'),
  ...(args.length === 0 ? ['demo'] : ['run', ...args]),
]);
