// npm run tokone: the operator's command line. Progress goes to stderr, so that `--json` prints only JSON.
import { launch } from './launch.mjs';
import { runScript } from './workspace.mjs';

await runScript(() => launch({ app: 'cli', argv: process.argv.slice(2) }));
