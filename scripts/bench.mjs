// `npm run bench -- NAME [--json]`
import { join } from 'node:path';
import { root, runNode, setUp } from './setup.mjs';

setUp(['ffmpeg']);
process.exitCode = await runNode([join(root, 'dist/test/bench/main.js'), ...process.argv.slice(2)]);
