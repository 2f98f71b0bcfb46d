// npm start: everything in one process, nothing to install beforehand.
import { launch } from './launch.mjs';
import { runScript } from './workspace.mjs';

await runScript(() => launch({ app: 'standalone', argv: process.argv.slice(2) }));
